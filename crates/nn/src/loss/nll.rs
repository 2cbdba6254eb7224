//! The negative log-likelihood of labels.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Ids, Mask, Reduction, Result, Tensor};

use super::{check_class_weight, class_count, reduce};

const NAME: &str = "nll";

/// Options of [`nll`], with PyTorch's names and defaults.
#[derive(Clone, Debug, Default)]
pub struct NllOptions<T: Element = f32> {
    /// A factor for each class: `[C]`.
    pub weight: Option<Tensor<T>>,
    /// The label that does not count.
    pub ignore_index: Option<u32>,
    /// How the losses become one; the mean divides by the sum of the targets' weights.
    pub reduction: Reduction,
}

/// `mean of -x[target]`, x the logarithms of probabilities: `x: [.., C]`, `targets: [..]`.
///
/// ```
/// use lexigrad_nn::{NllOptions, nll};
/// use lexigrad_tensor::{Ids, Tensor};
/// let log_p = Tensor::new([[-0.5, -1.0], [-2.0, -0.25]]);
/// let loss = nll(&log_p, &Ids::new([0, 1])?, &NllOptions::default())?;
/// assert_eq!(loss.item()?, 0.375_f32);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit or a target is no class.
///
/// PyTorch: `nn.functional.nll_loss`. Differences: the classes are the last axis; `ignore_index` is a label of your own choice, none
/// by default; if no target counts the mean is 0 with zero gradients, not NaN.
#[compiled]
pub fn nll<T: Element>(x: &Tensor<T>, targets: &Ids, options: &NllOptions<T>) -> Result<Tensor<T>> {
    let classes = class_count(NAME, x)?;
    if targets.shape()[..] != x.shape()[..x.rank() - 1] {
        let rule = format!(
            "they must have that of the input {} without its classes",
            x.shape()
        );
        return Err(Error::shape(NAME, "the targets", targets.shape(), rule));
    }
    let ignored: Vec<bool> = targets
        .as_slice()
        .iter()
        .map(|&t| Some(t) == options.ignore_index)
        .collect();
    let counted = targets
        .as_slice()
        .iter()
        .zip(&ignored)
        .map(|(&t, &skip)| if skip { 0 } else { t });
    let counted = Ids::from_vec(counted.collect(), targets.shape())?;
    counted.check_targets(NAME, classes)?;
    let ignored = Mask::new(ignored, targets.shape())?;
    check_class_weight(NAME, options.weight.as_ref(), classes)?;
    let mut weights = match &options.weight {
        Some(weight) => {
            let flat = counted.reshape([counted.len()])?;
            weight.index_select(0, &flat)?.reshape(targets.shape())?
        }
        None => Tensor::try_full(targets.shape(), T::one())?,
    };
    weights = weights.masked_fill(&ignored, T::zero())?;
    let mut places = targets.shape().to_vec();
    places.push(1);
    let picked = x.gather(-1, &counted.reshape(places)?)?.squeeze(-1)?;
    let losses = picked
        .masked_fill(&ignored, T::zero())?
        .mul(&weights)?
        .neg();
    if options.reduction != Reduction::Mean {
        return Ok(reduce(losses, options.reduction));
    }
    let total = weights.sum();
    let nothing = total.constant().mask(|total| total == T::zero());
    losses.sum().div(&total.masked_fill(&nothing, T::one())?)
}

/// [`nll`] as a module. PyTorch: `nn.NLLLoss`.
#[derive(Clone, Debug, Default)]
pub struct NllLoss<T: Element = f32> {
    /// The options.
    pub options: NllOptions<T>,
}

#[compiled]
impl<T: Element> NllLoss<T> {
    /// The loss of `x: [.., C]` against `targets: [..]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is no class.
    pub fn forward(&self, x: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        nll(x, targets, &self.options)
    }
}
