//! Binary cross-entropy of logits.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Reduction, Result, Tensor};

use super::{check_same_shape, check_weight, reduce};

/// Options of [`bce_with_logits`], with PyTorch's names and defaults.
#[derive(Clone, Debug, Default)]
pub struct BceWithLogitsOptions<T: Element = f32> {
    /// A factor for each loss, broadcast.
    pub weight: Option<Tensor<T>>,
    /// A factor for the positive part of the loss, broadcast: one for each class.
    pub pos_weight: Option<Tensor<T>>,
    /// How the losses become one.
    pub reduction: Reduction,
}

/// `mean of -(p y ln σ(x) + (1 - y) ln(1 - σ(x)))`, σ the sigmoid, p the positive weight; x and y of one shape.
///
/// It is computed as `(1 - y) x + (1 + (p - 1) y) ln(1 + e^-x)`, which neither overflows nor loses digits.
///
/// ```
/// use lexigrad_nn::{BceWithLogitsOptions, bce_with_logits};
/// use lexigrad_tensor::Tensor;
/// let (x, y) = (Tensor::new([1e4, -1e4]), Tensor::new([0.0, 0.0]));
/// let loss = bce_with_logits(&x, &y, &BceWithLogitsOptions::default())?;
/// assert_eq!(loss.item()?, 5e3_f32);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, or a weight does not broadcast to them.
///
/// PyTorch: `nn.functional.binary_cross_entropy_with_logits`.
#[compiled]
pub fn bce_with_logits<T: Element>(
    x: &Tensor<T>,
    y: &Tensor<T>,
    options: &BceWithLogitsOptions<T>,
) -> Result<Tensor<T>> {
    const NAME: &str = "bce_with_logits";
    check_same_shape(NAME, x, y)?;
    check_weight(NAME, "the weight", options.weight.as_ref(), x)?;
    check_weight(NAME, "the pos_weight", options.pos_weight.as_ref(), x)?;
    let one = T::one();
    let mut surprise = x.neg().softplus();
    if let Some(pos_weight) = &options.pos_weight {
        let factor = y.mul(&pos_weight.add_scalar(-one))?.add_scalar(one);
        surprise = surprise.mul(&factor)?;
    }
    let mut losses = y.neg().add_scalar(one).mul(x)?.add(&surprise)?;
    if let Some(weight) = &options.weight {
        losses = losses.mul(weight)?;
    }
    Ok(reduce(losses, options.reduction))
}

/// [`bce_with_logits`] as a module. PyTorch: `nn.BCEWithLogitsLoss`.
#[derive(Clone, Debug, Default)]
pub struct BceWithLogitsLoss<T: Element = f32> {
    options: BceWithLogitsOptions<T>,
}

#[compiled]
impl<T: Element> BceWithLogitsLoss<T> {
    /// The loss with these options.
    pub fn new(options: BceWithLogitsOptions<T>) -> Self {
        Self { options }
    }

    /// The loss of the logits x against y.
    ///
    /// # Errors
    /// If the shapes differ, or a weight does not broadcast to them.
    pub fn forward(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        bce_with_logits(x, y, &self.options)
    }
}
