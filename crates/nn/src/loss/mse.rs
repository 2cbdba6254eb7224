//! The mean squared error.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Reduction, Result, Tensor};

use super::{check_same_shape, reduce};

/// `mean of (x - y)²`, x and y of one shape.
///
/// ```
/// use lexigrad_nn::{Reduction, mse};
/// use lexigrad_tensor::Tensor;
/// let (x, y) = (Tensor::new([1.0, 2.0]), Tensor::new([3.0, 2.0]));
/// assert_eq!(mse(&x, &y, Reduction::Mean)?.item()?, 2.0_f32);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, where PyTorch warns and broadcasts.
///
/// PyTorch: `nn.functional.mse_loss`.
#[compiled]
pub fn mse<T: Element>(x: &Tensor<T>, y: &Tensor<T>, reduction: Reduction) -> Result<Tensor<T>> {
    check_same_shape("mse", x, y)?;
    Ok(reduce(x.sub(y)?.square(), reduction))
}

/// `mean of (x - y)²` as a module. PyTorch: `nn.MSELoss`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MseLoss {
    reduction: Reduction,
}

impl MseLoss {
    /// The loss with this reduction.
    pub fn new(reduction: Reduction) -> Self {
        Self { reduction }
    }

    /// The loss of x against y.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        mse(x, y, self.reduction)
    }
}
