//! A loss for examples with any number of labels.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Reduction, Result, Tensor};

use super::{check_class_weight, check_same_shape, class_count, mean_over_classes, reduce};

const NAME: &str = "multi_label_soft_margin";

/// `mean of -Σ w[c] (y[c] ln σ(x[c]) + (1 - y[c]) ln σ(-x[c])) / C`, `x` and `y: [B, C]`, `w: [C]`.
///
/// ```
/// use lexigrad_nn::{Reduction, multi_label_soft_margin};
/// use lexigrad_tensor::Tensor;
/// let loss = multi_label_soft_margin(&Tensor::<f32>::zeros([1, 4]), &Tensor::ones([1, 4]), None, Reduction::Mean)?;
/// assert!((loss.item()? - 2.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit.
///
/// PyTorch: `nn.functional.multilabel_soft_margin_loss`.
#[compiled]
pub fn multi_label_soft_margin<T: Element>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    weight: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    check_same_shape(NAME, x, y)?;
    let classes = class_count(NAME, x)?;
    let present = y.mul(&x.log_sigmoid())?;
    let absent = y.neg().add_scalar(T::one()).mul(&x.neg().log_sigmoid())?;
    let mut losses = present.add(&absent)?.neg();
    check_class_weight(NAME, weight, classes)?;
    if let Some(weight) = weight {
        losses = losses.mul(weight)?;
    }
    Ok(reduce(mean_over_classes(&losses, classes)?, reduction))
}

/// [`multi_label_soft_margin`] as a module. PyTorch: `nn.MultiLabelSoftMarginLoss`.
#[derive(Clone, Debug, Default)]
pub struct MultiLabelSoftMarginLoss<T: Element = f32> {
    /// A factor for each class: `[C]`.
    pub weight: Option<Tensor<T>>,
    /// How the losses become one.
    pub reduction: Reduction,
}

#[compiled]
impl<T: Element> MultiLabelSoftMarginLoss<T> {
    /// The loss of the logits `x: [B, C]` against `y: [B, C]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        multi_label_soft_margin(x, y, self.weight.as_ref(), self.reduction)
    }
}
