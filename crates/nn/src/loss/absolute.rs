//! Absolute errors, and those that are squared near 0.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Reduction, Result, Tensor};

use super::{check_same_shape, reduce};

/// `mean of |x - y|`, x and y of one shape.
///
/// ```
/// use lexigrad_nn::{Reduction, l1};
/// use lexigrad_tensor::Tensor;
/// let (x, y) = (Tensor::new([1.0, 2.0]), Tensor::new([4.0, 2.0]));
/// assert_eq!(l1(&x, &y, Reduction::Mean)?.item()?, 1.5_f32);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, where PyTorch warns and broadcasts.
///
/// PyTorch: `nn.functional.l1_loss`.
#[compiled]
pub fn l1<T: Element>(x: &Tensor<T>, y: &Tensor<T>, reduction: Reduction) -> Result<Tensor<T>> {
    check_same_shape("l1", x, y)?;
    Ok(reduce(x.sub(y)?.abs(), reduction))
}

/// `mean of d² / (2 beta) where |d| < beta, else |d| - beta / 2`, `d = x - y`, x and y of one shape; beta 0 gives [`l1`].
///
/// ```
/// use lexigrad_nn::{Reduction, smooth_l1};
/// use lexigrad_tensor::Tensor;
/// let (x, y) = (Tensor::new([0.5, 3.0]), Tensor::new([0.0, 0.0]));
/// assert_eq!(smooth_l1(&x, &y, 1.0, Reduction::None)?.to_vec(), [0.125_f32, 2.5]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, or beta is negative.
///
/// PyTorch: `nn.functional.smooth_l1_loss`.
#[compiled]
pub fn smooth_l1<T: Element>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    beta: f64,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    if !beta.is_finite() || beta < 0.0 {
        return Err(Error::value(
            "smooth_l1",
            "beta",
            beta,
            "finite and not negative",
        ));
    }
    if beta == 0.0 {
        return l1(x, y, reduction);
    }
    check_same_shape("smooth_l1", x, y)?;
    let losses = near_and_far(&x.sub(y)?, beta)?.mul_scalar(T::from_f64(1.0 / beta));
    Ok(reduce(losses, reduction))
}

/// `mean of d² / 2 where |d| < delta, else delta (|d| - delta / 2)`, `d = x - y`, x and y of one shape (Huber 1964).
///
/// ```
/// use lexigrad_nn::{Reduction, huber};
/// use lexigrad_tensor::Tensor;
/// let (x, y) = (Tensor::new([0.5, 3.0]), Tensor::new([0.0, 0.0]));
/// assert_eq!(huber(&x, &y, 2.0, Reduction::None)?.to_vec(), [0.125_f32, 4.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, or delta is not positive.
///
/// PyTorch: `nn.functional.huber_loss`.
#[compiled]
pub fn huber<T: Element>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    delta: f64,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    if !delta.is_finite() || delta <= 0.0 {
        return Err(Error::value("huber", "delta", delta, "finite and positive"));
    }
    check_same_shape("huber", x, y)?;
    Ok(reduce(near_and_far(&x.sub(y)?, delta)?, reduction))
}

/// `d² / 2` below the border, a line of its slope there beyond.
fn near_and_far<T: Element>(difference: &Tensor<T>, border: f64) -> Result<Tensor<T>> {
    let border = T::from_f64(border);
    let half = T::from_f64(0.5);
    let near = difference.constant().mask(|d| d.abs() < border);
    let far = difference
        .abs()
        .add_scalar(-half * border)
        .mul_scalar(border);
    difference.square().mul_scalar(half).where_mask(&near, &far)
}

/// [`l1`] as a module. PyTorch: `nn.L1Loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct L1Loss {
    /// How the losses become one.
    pub reduction: Reduction,
}

impl L1Loss {
    /// The loss of x against y.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        l1(x, y, self.reduction)
    }
}

/// [`smooth_l1`] as a module. PyTorch: `nn.SmoothL1Loss`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Loss {
    /// Where the square ends, 1 by default.
    pub beta: f64,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        let reduction = Reduction::default();
        Self {
            beta: 1.0,
            reduction,
        }
    }
}

impl SmoothL1Loss {
    /// The loss of x against y.
    ///
    /// # Errors
    /// If the shapes differ, or beta is negative.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        smooth_l1(x, y, self.beta, self.reduction)
    }
}

/// [`huber`] as a module. PyTorch: `nn.HuberLoss`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HuberLoss {
    /// Where the square ends, 1 by default.
    pub delta: f64,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl Default for HuberLoss {
    fn default() -> Self {
        let reduction = Reduction::default();
        Self {
            delta: 1.0,
            reduction,
        }
    }
}

impl HuberLoss {
    /// The loss of x against y.
    ///
    /// # Errors
    /// If the shapes differ, or delta is not positive.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        huber(x, y, self.delta, self.reduction)
    }
}
