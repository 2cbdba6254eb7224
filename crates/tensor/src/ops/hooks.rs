//! Looking at a gradient on its way back, or replacing it.

use lexigrad_macros::compiled;

use crate::apply::apply_total;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::tensor::Tensor;

/// `y = x`, whose gradient passes through a function.
struct Hook<F>(F);

impl<T: Element, F: Fn(&Tensor<T>) -> Result<Tensor<T>> + 'static> Op<T> for Hook<F> {
    fn name(&self) -> &'static str {
        "map_gradient"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].constant())
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let replaced = (self.0)(&cotangent)?;
        if replaced.shape() != cotangent.shape() {
            let rule = format!("it must be that of the gradient, {}", cotangent.shape());
            return Err(Error::shape(
                "map_gradient",
                "the result",
                replaced.shape(),
                rule,
            ));
        }
        Ok(Cotangents::one(replaced))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `y = x`; in the backward pass x gets `f(dL/dy)` instead of `dL/dy`.
    ///
    /// ```
    /// use lexigrad_tensor::{Tape, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(&Tensor::new([1.0_f32, 2.0]));
    /// let clipped = x.map_gradient(|gradient| gradient.clamp(-1.0, 1.0));
    /// let grads = tape.backward(&clipped.mul_scalar(5.0).sum())?;
    /// assert_eq!(grads.of(&x).map(|grad| grad.to_dense()).transpose()?.map(|g| g.to_vec()), Some(vec![1.0, 1.0]));
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// The function sees the sum of all that flows back into y, once; uses of x itself pass it by. If it is made of tensor operations
    /// the gradient can be differentiated again. On a table that is looked up the gradient becomes dense. The backward pass fails if
    /// `f` does, or returns another shape.
    ///
    /// PyTorch: `register_hook` with a hook that returns a tensor; there the tensor itself is changed, here the result has the hook.
    #[doc(alias = "register_hook")]
    #[must_use]
    pub fn map_gradient(&self, f: impl Fn(&Self) -> Result<Self> + 'static) -> Self {
        apply_total(Hook(f), self)
    }

    /// `y = x`; in the backward pass `f` sees `dL/dy` before x gets it.
    ///
    /// PyTorch: `register_hook` with a hook that returns nothing.
    #[must_use]
    pub fn inspect_gradient(&self, f: impl Fn(&Self) + 'static) -> Self {
        self.map_gradient(move |gradient| {
            f(gradient);
            Ok(gradient.clone())
        })
    }
}
