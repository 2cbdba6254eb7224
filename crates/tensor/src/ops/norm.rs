//! Norms and the cosine of an angle.

use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::Result;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::tensor::Tensor;

/// Which norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Norm {
    /// `Σ |x|`
    L1,
    /// `√(Σ x²)`
    #[default]
    L2,
    /// `max |x|`
    Infinity,
}

/// `y = √(Σ x²)` over axes that are kept at size 1.
struct L2 {
    axes: Vec<isize>,
}

impl<T: Element> Op<T> for L2 {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::OUTPUT)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].constant().square().sum_keep(&self.axes)?.sqrt())
    }

    /// `dx = g x / y`, 0 where all x are 0, and so at the next orders
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let (x, y) = (saved.input(0), saved.output());
        let zero = y.constant().mask(|y| y == T::zero());
        let length = y.masked_fill(&zero, T::one())?;
        let factor = cotangent.div(&length)?.masked_fill(&zero, T::zero())?;
        Ok(Cotangents::one(factor.mul(x)?))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// The norm over `axes`, which are taken away: `Σ |x|`, `√(Σ x²)` or `max |x|`.
    ///
    /// ```
    /// use lexigrad_tensor::{Norm, Tensor};
    /// let x: Tensor = Tensor::new([[3.0, -4.0], [0.0, 0.0]]);
    /// assert_eq!(x.norm(Norm::L1, &[-1])?.to_vec(), [7.0, 0.0]);
    /// assert_eq!(x.norm(Norm::L2, &[-1])?.to_vec(), [5.0, 0.0]);
    /// assert_eq!(x.norm(Norm::Infinity, &[-1])?.to_vec(), [4.0, 0.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// The gradient of the norm of zeros is 0, at every order; equal largest ones share the gradient evenly.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice; for the largest, if there is no element.
    ///
    /// PyTorch: `linalg.vector_norm`.
    pub fn norm(&self, norm: Norm, axes: &[isize]) -> Result<Self> {
        let set = self.shape().axis_set("norm", axes)?;
        let sizes = self.shape().iter().zip(set);
        let rest = sizes.filter(|(_, reduced)| !reduced).map(|(&size, _)| size);
        let rest = rest.collect::<crate::Shape>();
        self.norm_keep(norm, axes)?.reshape(rest)
    }

    /// [`norm`](Self::norm) with the axes kept at size 1.
    ///
    /// # Errors
    /// As for [`norm`](Self::norm).
    pub fn norm_keep(&self, norm: Norm, axes: &[isize]) -> Result<Self> {
        match norm {
            Norm::L1 => self.abs().sum_keep(axes),
            Norm::L2 => apply(
                L2 {
                    axes: axes.to_vec(),
                },
                &[self],
            ),
            Norm::Infinity => self.abs().max_keep(axes),
        }
    }
}

/// `y = Σ a b / (max(‖a‖, eps) max(‖b‖, eps))` along `axis`, which is taken away; a and b are broadcast.
///
/// ```
/// use lexigrad_tensor::{Tensor, cosine_similarity};
/// let huge: Tensor = Tensor::new([2.0, 1.0]);
/// let enormous: Tensor = Tensor::new([4.0, 2.0]);
/// assert!((cosine_similarity(&huge, &enormous, -1, 1e-8)?.item()? - 1.0).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not broadcast or there is no such axis.
///
/// PyTorch: `cosine_similarity`, whose eps is 1e-8 by default. Difference: where a norm is below eps the gradient is the derivative of
/// this formula, eps being a constant; PyTorch's is that of the norm.
#[compiled]
pub fn cosine_similarity<T: Element>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    axis: isize,
    eps: T,
) -> Result<Tensor<T>> {
    let shape = a.shape().broadcast("cosine_similarity", b.shape())?;
    let axis = shape.axis("cosine_similarity", axis)? as isize;
    let (a, b) = (a.expand(&shape)?, b.expand(&shape)?);
    let floor = Tensor::full([], eps);
    let length = |x: &Tensor<T>| x.norm(Norm::L2, &[axis])?.maximum(&floor);
    let product = a.mul(&b)?.sum_axes(&[axis])?;
    product.div(&length(&a)?.mul(&length(&b)?)?)
}
