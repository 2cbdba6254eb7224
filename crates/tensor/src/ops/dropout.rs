//! Dropout: random zeros in training, nothing otherwise.

use lexigrad_kernels::{elementwise, random};
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::tape;
use crate::tensor::Tensor;

/// `y = m x`, `m` drawn from the seed; linear, so that its adjoint is itself. The mask is drawn again instead of kept.
#[derive(Clone, Copy)]
struct Dropout {
    seed: u64,
    keep: f64,
}

impl<T: Element> Op<T> for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let x = inputs[0].read()?;
        let scale = T::from_f64(1.0 / self.keep);
        Tensor::build(inputs[0].shape(), |out| {
            random::keep_mask(self.seed, self.keep, scale, out);
            // A dropped infinity or NaN is dropped too.
            elementwise::zip_in_place(out, &x, |m, x| if m == T::zero() { m } else { m * x });
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(apply(*self, &[&cotangent])?))
    }
}

/// `y = x m / (1 - p)`, m being 0 with probability `p` and else 1, under a training tape; `y = x` otherwise.
///
/// The masks follow from the tape's seed and the order of calls, whatever the number of threads (Srivastava et al. 2014).
///
/// # Errors
/// If `p` is not between 0 and 1.
///
/// PyTorch: `nn.functional.dropout`, with the tape in place of `training`.
#[compiled]
pub fn dropout<T: Element>(x: &Tensor<T>, p: f64) -> Result<Tensor<T>> {
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::value("dropout", "p", p, "between 0 and 1"));
    }
    if p == 0.0 {
        return Ok(x.clone());
    }
    let Some(seed) = tape::dropout_seed() else {
        return Ok(x.clone());
    };
    if p == 1.0 {
        return Ok(x.mul_scalar(T::zero()));
    }
    dropout_from(x, seed, 1.0 - p)
}

/// `y = x m / keep`, m drawn from `seed`.
pub(super) fn dropout_from<T: Element>(x: &Tensor<T>, seed: u64, keep: f64) -> Result<Tensor<T>> {
    apply(Dropout { seed, keep }, &[x])
}
