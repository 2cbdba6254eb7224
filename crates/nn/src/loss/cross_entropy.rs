//! Cross-entropy as a module.

use lexigrad_tensor::{CrossEntropyOptions, Element, Ids, Result, Tensor, cross_entropy_with};

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
}
