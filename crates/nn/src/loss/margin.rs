//! Hinges: losses that are 0 beyond a margin.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Ids, Reduction, Result, Tensor};

use super::{
    check_class_weight, check_numbers, check_same_shape, check_shape_of, mean_over_classes, reduce,
};

/// `mean of x where y = 1, max(0, margin - x) where y = -1`, x a distance, x and y of one shape.
///
/// ```
/// use lexigrad_nn::{Reduction, hinge_embedding};
/// use lexigrad_tensor::Tensor;
/// let (x, y) = (Tensor::new([0.5, 0.25, 3.0]), Tensor::new([1.0, -1.0, -1.0]));
/// assert_eq!(hinge_embedding(&x, &y, 1.0, Reduction::None)?.to_vec(), [0.5_f32, 0.75, 0.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, or a target is neither 1 nor -1.
///
/// PyTorch: `nn.functional.hinge_embedding_loss`.
#[compiled]
pub fn hinge_embedding<T: Element>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    margin: T,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    check_same_shape("hinge_embedding", x, y)?;
    check_signs("hinge_embedding", y)?;
    let alike = y.constant().mask(|y| y > T::zero());
    let apart = x.neg().add_scalar(margin).relu();
    Ok(reduce(x.where_mask(&alike, &apart)?, reduction))
}

/// `mean of Σ max(0, margin - x[t] + x[c])^p / C` over the classes c other than t, `x: [B, C]`, `targets: [B]`, p 1 or 2; a weight for
/// each class `[C]` multiplies the parts of its targets.
///
/// ```
/// use lexigrad_nn::{MultiMarginLoss, multi_margin};
/// use lexigrad_tensor::{Ids, Tensor};
/// let loss = multi_margin(&Tensor::new([[0.0, 0.5]]), &Ids::new([1])?, &MultiMarginLoss::default())?;
/// assert_eq!(loss.item()?, 0.25_f32);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, a target is no class, or the power is neither 1 nor 2.
///
/// PyTorch: `nn.functional.multi_margin_loss`.
#[compiled]
pub fn multi_margin<T: Element>(
    x: &Tensor<T>,
    targets: &Ids,
    options: &MultiMarginLoss<T>,
) -> Result<Tensor<T>> {
    const NAME: &str = "multi_margin";
    let [batch, classes] = x.shape()[..] else {
        return Err(Error::shape(
            NAME,
            "the input",
            x.shape(),
            "it must be [batch, classes]",
        ));
    };
    if *targets.shape() != [batch] {
        let rule = format!("they must be [{batch}], one for each row");
        return Err(Error::shape(NAME, "the targets", targets.shape(), rule));
    }
    targets.check_targets(NAME, classes)?;
    if !matches!(options.p, 1 | 2) {
        return Err(Error::value(NAME, "p", f64::from(options.p), "1 or 2"));
    }
    let own = x.gather(1, &targets.reshape([batch, 1])?)?;
    let mut parts = x.sub(&own)?.add_scalar(options.margin).relu();
    if options.p == 2 {
        parts = parts.square();
    }
    check_class_weight(NAME, options.weight.as_ref(), classes)?;
    if let Some(weight) = &options.weight {
        parts = parts.mul(&weight.index_select(0, targets)?.unsqueeze(-1)?)?;
    }
    let itself = targets.one_hot::<T>(classes)?.mask(|hot| hot > T::zero());
    let parts = parts.masked_fill(&itself, T::zero())?;
    Ok(reduce(
        mean_over_classes(&parts, classes)?,
        options.reduction,
    ))
}

/// `mean of max(0, margin - y (a - b))`, a, b and y of one shape, y = 1 where a should be the larger, -1 where b.
///
/// ```
/// use lexigrad_nn::{Reduction, margin_ranking};
/// use lexigrad_tensor::Tensor;
/// let (a, b) = (Tensor::new([1.0, 1.0]), Tensor::new([0.0, 0.0]));
/// let losses = margin_ranking(&a, &b, &Tensor::new([1.0, -1.0]), 0.5, Reduction::None)?;
/// assert_eq!(losses.to_vec(), [0.0_f32, 1.5]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, or a target is neither 1 nor -1.
///
/// PyTorch: `nn.functional.margin_ranking_loss`.
#[compiled]
pub fn margin_ranking<T: Element>(
    a: &Tensor<T>,
    b: &Tensor<T>,
    y: &Tensor<T>,
    margin: T,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    const NAME: &str = "margin_ranking";
    for input in [("the first input", a), ("the second input", b)] {
        check_shape_of(NAME, input, ("the target", y))?;
    }
    check_signs(NAME, y)?;
    let losses = a.sub(b)?.mul(y)?.neg().add_scalar(margin).relu();
    Ok(reduce(losses, reduction))
}

/// Checks that every target is 1 or -1.
pub(super) fn check_signs<T: Element>(name: &'static str, y: &Tensor<T>) -> Result<()> {
    check_numbers(name, y, ("target", "1 or -1"), |y| y.abs() == T::one())
}

/// [`hinge_embedding`] as a module. PyTorch: `nn.HingeEmbeddingLoss`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbeddingLoss<T: Element = f32> {
    /// How far apart is far enough, 1 by default.
    pub margin: T,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl<T: Element> Default for HingeEmbeddingLoss<T> {
    fn default() -> Self {
        let reduction = Reduction::default();
        Self {
            margin: T::one(),
            reduction,
        }
    }
}

#[compiled]
impl<T: Element> HingeEmbeddingLoss<T> {
    /// The loss of the distances x against y.
    ///
    /// # Errors
    /// If the shapes differ, or a target is neither 1 nor -1.
    pub fn forward(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        hinge_embedding(x, y, self.margin, self.reduction)
    }
}

/// [`multi_margin`] as a module, and its options with PyTorch's names and defaults. PyTorch: `nn.MultiMarginLoss`.
#[derive(Clone, Debug)]
pub struct MultiMarginLoss<T: Element = f32> {
    /// The power, 1 (the default) or 2.
    pub p: u32,
    /// By how much the target should be ahead, 1 by default.
    pub margin: T,
    /// A factor for each class: `[C]`.
    pub weight: Option<Tensor<T>>,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl<T: Element> Default for MultiMarginLoss<T> {
    fn default() -> Self {
        let (weight, reduction) = (None, Reduction::default());
        Self {
            p: 1,
            margin: T::one(),
            weight,
            reduction,
        }
    }
}

#[compiled]
impl<T: Element> MultiMarginLoss<T> {
    /// The loss of `x: [B, C]` against `targets: [B]`.
    ///
    /// # Errors
    /// As for [`multi_margin`].
    pub fn forward(&self, x: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        multi_margin(x, targets, self)
    }
}

/// [`margin_ranking`] as a module. PyTorch: `nn.MarginRankingLoss`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginRankingLoss<T: Element = f32> {
    /// By how much the right one should be larger, 0 by default.
    pub margin: T,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl<T: Element> Default for MarginRankingLoss<T> {
    fn default() -> Self {
        let reduction = Reduction::default();
        Self {
            margin: T::zero(),
            reduction,
        }
    }
}

#[compiled]
impl<T: Element> MarginRankingLoss<T> {
    /// The loss of a beside b against y.
    ///
    /// # Errors
    /// If the shapes differ, or a target is neither 1 nor -1.
    pub fn forward(&self, a: &Tensor<T>, b: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        margin_ranking(a, b, y, self.margin, self.reduction)
    }
}
