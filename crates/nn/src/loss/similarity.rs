//! Losses that bring vectors together or apart.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Norm, Reduction, Result, Tensor};

use super::margin::check_signs;
use super::{check_shape_of, reduce};

/// `mean of 1 - cos(a, b) where y = 1, max(0, cos(a, b) - margin) where y = -1`, `a` and `b: [.., D]`, `y: [..]`.
///
/// ```
/// use lexigrad_nn::{Reduction, cosine_embedding};
/// use lexigrad_tensor::Tensor;
/// let (a, b) = (Tensor::new([[1.0, 0.0], [1.0, 0.0]]), Tensor::new([[0.0, 2.0], [3.0, 0.0]]));
/// let losses = cosine_embedding(&a, &b, &Tensor::new([1.0, -1.0]), 0.0, Reduction::None)?;
/// assert_eq!(losses.to_vec(), [1.0_f32, 1.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, or a target is neither 1 nor -1.
///
/// PyTorch: `nn.functional.cosine_embedding_loss`, `cos = a b / √((‖a‖² + 1e-12) (‖b‖² + 1e-12))` as there.
#[compiled]
pub fn cosine_embedding<T: Element>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    y: &Tensor<T>,
    margin: T,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    const NAME: &str = "cosine_embedding";
    check_shape_of(NAME, ("the second input", b), ("the first input", a))?;
    if a.rank() == 0 || a.shape()[..a.rank() - 1] != y.shape()[..] {
        let rule = format!(
            "it must be that of the vectors {} without their last axis",
            a.shape()
        );
        return Err(Error::shape(NAME, "the target", y.shape(), rule));
    }
    check_signs(NAME, y)?;
    let eps = T::from_f64(1e-12);
    let squares =
        |x: &Tensor<T>| -> Result<Tensor<T>> { Ok(x.square().sum_axes(&[-1])?.add_scalar(eps)) };
    let cosine = a
        .mul(b)?
        .sum_axes(&[-1])?
        .div(&squares(a)?.mul(&squares(b)?)?.sqrt())?;
    let alike = y.constant().mask(|y| y > T::zero());
    let together = cosine.neg().add_scalar(T::one());
    let apart = cosine.add_scalar(-margin).relu();
    Ok(reduce(together.where_mask(&alike, &apart)?, reduction))
}

/// `mean of max(0, d(a, p) - d(a, n) + margin)` for an anchor a, a positive p and a negative n, all `[.., D]`,
/// `d(x, y) = (Σ |x - y + eps|^p)^(1/p)`; with `swap` n is compared with the nearer one of a and p. A distance of 0, which needs an
/// eps of 0, has zero gradients.
///
/// ```
/// use lexigrad_nn::{TripletMarginLoss, triplet_margin};
/// use lexigrad_tensor::Tensor;
/// let (a, p, n) = (Tensor::new([[0.0, 0.0]]), Tensor::new([[1.0, 0.0]]), Tensor::new([[0.0, 1.5]]));
/// let loss = triplet_margin(&a, &p, &n, &TripletMarginLoss::default())?;
/// assert!((loss.item()? - 0.5_f32).abs() < 1e-5);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ or have no axis, or the power is not positive.
///
/// PyTorch: `nn.functional.triplet_margin_loss`.
#[compiled]
pub fn triplet_margin<T: Element>(
    anchor: &Tensor<T>,
    positive: &Tensor<T>,
    negative: &Tensor<T>,
    options: &TripletMarginLoss,
) -> Result<Tensor<T>> {
    const NAME: &str = "triplet_margin";
    for other in [("the positive", positive), ("the negative", negative)] {
        check_shape_of(NAME, other, ("the anchor", anchor))?;
    }
    if options.p.is_nan() || options.p <= 0.0 {
        return Err(Error::value(NAME, "p", options.p, "positive"));
    }
    let distance = |x: &Tensor<T>, y: &Tensor<T>| -> Result<Tensor<T>> {
        norm(&x.sub(y)?.add_scalar(T::from_f64(options.eps)), options.p)
    };
    let mut far = distance(anchor, negative)?;
    if options.swap {
        far = far.minimum(&distance(positive, negative)?)?;
    }
    let margin = T::from_f64(options.margin);
    let losses = distance(anchor, positive)?
        .sub(&far)?
        .add_scalar(margin)
        .relu();
    Ok(reduce(losses, options.reduction))
}

/// `(Σ |x|^p)^(1/p)` over the last axis, the largest |x| for an infinite p; an x of 0 and a norm of 0 have no gradient.
fn norm<T: Element>(x: &Tensor<T>, p: f64) -> Result<Tensor<T>> {
    if p == 1.0 {
        return x.norm(Norm::L1, &[-1]);
    }
    if p == 2.0 {
        return x.norm(Norm::L2, &[-1]);
    }
    if p == f64::INFINITY {
        return x.norm(Norm::Infinity, &[-1]);
    }
    let powers = power_from_zero(&x.abs(), p)?;
    power_from_zero(&powers.sum_axes(&[-1])?, 1.0 / p)
}

/// `x^p` for x from 0 on; the gradient at 0 is 0, at every order.
fn power_from_zero<T: Element>(x: &Tensor<T>, p: f64) -> Result<Tensor<T>> {
    let zero = x.constant().mask(|x| x == T::zero());
    let elsewhere = x.masked_fill(&zero, T::one())?.powf(T::from_f64(p));
    elsewhere.masked_fill(&zero, T::zero())
}

/// [`cosine_embedding`] as a module. PyTorch: `nn.CosineEmbeddingLoss`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineEmbeddingLoss<T: Element = f32> {
    /// The cosine from which on vectors are too near, 0 by default.
    pub margin: T,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl<T: Element> Default for CosineEmbeddingLoss<T> {
    fn default() -> Self {
        let reduction = Reduction::default();
        Self {
            margin: T::zero(),
            reduction,
        }
    }
}

#[compiled]
impl<T: Element> CosineEmbeddingLoss<T> {
    /// The loss of a beside b against y.
    ///
    /// # Errors
    /// If the shapes do not fit, or a target is neither 1 nor -1.
    pub fn forward(&self, a: &Tensor<T>, b: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        cosine_embedding(a, b, y, self.margin, self.reduction)
    }
}

/// [`triplet_margin`] as a module, and its options with PyTorch's names and defaults. PyTorch: `nn.TripletMarginLoss`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginLoss {
    /// By how much farther the negative should be, 1 by default.
    pub margin: f64,
    /// The power of the distance, 2 by default.
    pub p: f64,
    /// What is added to a difference, 1e-6 by default.
    pub eps: f64,
    /// Whether the negative is compared with the nearer one of anchor and positive.
    pub swap: bool,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl Default for TripletMarginLoss {
    fn default() -> Self {
        let reduction = Reduction::default();
        Self {
            margin: 1.0,
            p: 2.0,
            eps: 1e-6,
            swap: false,
            reduction,
        }
    }
}

impl TripletMarginLoss {
    /// The loss of an anchor, a positive and a negative.
    ///
    /// # Errors
    /// As for [`triplet_margin`].
    pub fn forward<T: Element>(
        &self,
        anchor: &Tensor<T>,
        positive: &Tensor<T>,
        negative: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        triplet_margin(anchor, positive, negative, self)
    }
}
