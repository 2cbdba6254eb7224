//! Cross-entropy against probabilities, and as a module.

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    CrossEntropyOptions, Element, Error, Ids, Result, Tensor, cross_entropy_with,
};

use super::{check_class_weight, check_same_shape, class_count, reduce};

/// `mean of Σ -w[c] p[c] (x[c] - ln Σ e^x)` over the rows, `x` and `p: [.., C]`, `w: [C]`; smoothing s makes p `(1 - s) p + s / C`.
///
/// ```
/// use lexigrad_nn::{CrossEntropyOptions, cross_entropy_probabilities};
/// use lexigrad_tensor::Tensor;
/// let (x, p) = (Tensor::zeros([1, 2]), Tensor::new([[0.25, 0.75]]));
/// let loss = cross_entropy_probabilities(&x, &p, &CrossEntropyOptions::default())?;
/// assert!((loss.item()? - 2.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, the smoothing is not between 0 and 1, or a label to ignore is given: there are no labels.
///
/// PyTorch: `nn.functional.cross_entropy` with floating-point targets; the classes are the last axis here. Difference: a class of
/// probability 0 adds nothing where its logit is -inf, instead of NaN.
#[compiled]
pub fn cross_entropy_probabilities<T: Element>(
    x: &Tensor<T>,
    p: &Tensor<T>,
    options: &CrossEntropyOptions<T>,
) -> Result<Tensor<T>> {
    const NAME: &str = "cross_entropy";
    check_same_shape(NAME, x, p)?;
    let classes = class_count(NAME, x)?;
    let smoothing = options.label_smoothing;
    if !(0.0..=1.0).contains(&smoothing) {
        return Err(Error::value(
            NAME,
            "label_smoothing",
            smoothing,
            "between 0 and 1",
        ));
    }
    if let Some(label) = options.ignore_index {
        let message = format!("ignore_index {label} goes with labels, not with probabilities");
        return Err(Error::other(NAME, message));
    }
    let mut p = p.clone();
    if smoothing > 0.0 {
        let (kept, spread) = (1.0 - smoothing, smoothing / classes as f64);
        p = p
            .mul_scalar(T::from_f64(kept))
            .add_scalar(T::from_f64(spread));
    }
    check_class_weight(NAME, options.weight.as_ref(), classes)?;
    if let Some(weight) = &options.weight {
        p = p.mul(weight)?;
    }
    let logs = x.log_softmax(-1)?;
    let sums = |logs: &Tensor<T>| Ok(logs.mul(&p)?.sum_axes(&[-1])?.neg());
    let mut losses: Tensor<T> = sums(&logs)?;
    if losses.values().iter().any(|loss| loss.is_nan()) {
        // NaN may come from 0 times -inf, but a class without probability adds nothing.
        let without = p.constant().mask(|p| p == T::zero());
        losses = sums(&logs.masked_fill(&without, T::zero())?)?;
    }
    Ok(reduce(losses, options.reduction))
}

/// `mean of (ln Σ e^x - x[target])`, `x: [.., C]`, `targets: [..]`.
///
/// ```
/// use lexigrad_nn::{CrossEntropyLoss, CrossEntropyOptions};
/// use lexigrad_tensor::{Ids, Tensor};
/// let loss: CrossEntropyLoss = CrossEntropyLoss::new(CrossEntropyOptions { ignore_index: Some(0), ..Default::default() });
/// let value = loss.forward(&Tensor::zeros([2, 4]), &Ids::new([3, 0])?)?;
/// assert!((value.item()? - 4.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.CrossEntropyLoss`. Differences: the classes are the last axis, not axis 1; `ignore_index` is a label of your own
/// choice, none by default; if no target counts the mean is 0 with zero gradients, not NaN.
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyLoss<T: Element = f32> {
    options: CrossEntropyOptions<T>,
}

#[compiled]
impl<T: Element> CrossEntropyLoss<T> {
    /// The loss with these options.
    pub fn new(options: CrossEntropyOptions<T>) -> Self {
        Self { options }
    }

    /// The loss of `logits: [.., C]` against `targets: [..]`.
    ///
    /// # Errors
    /// If the shapes do not fit, or a target is no class.
    pub fn forward(&self, logits: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        cross_entropy_with(logits, targets, &self.options)
    }

    /// The loss of `logits: [.., C]` against `probabilities: [.., C]`.
    ///
    /// # Errors
    /// As for [`cross_entropy_probabilities`].
    pub fn forward_probabilities(
        &self,
        logits: &Tensor<T>,
        probabilities: &Tensor<T>,
    ) -> Result<Tensor<T>> {
        cross_entropy_probabilities(logits, probabilities, &self.options)
    }
}
