//! Connectionist temporal classification (Graves et al. 2006).

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Element, Error, Ids, Mask, Reduction, Result, Shape, Tensor, check_lengths, stack,
};

use super::reduce;
use crate::sequence::check_input_lengths;

const NAME: &str = "ctc";

/// Options of [`ctc`], with PyTorch's names and defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CtcLoss {
    /// The label that stands for nothing.
    pub blank: u32,
    /// How the losses become one; the mean divides each by its target's length first.
    pub reduction: Reduction,
    /// Whether the loss of a target that does not fit into its input is 0 and not infinity.
    pub zero_infinity: bool,
}

impl CtcLoss {
    /// [`ctc`] with these options.
    ///
    /// # Errors
    /// As for [`ctc`].
    pub fn forward<T: Element>(
        &self,
        log_p: &Tensor<T>,
        targets: &Ids,
        input_lengths: &[usize],
        target_lengths: &[usize],
    ) -> Result<Tensor<T>> {
        ctc(log_p, targets, input_lengths, target_lengths, self)
    }
}

/// `mean of -ln Σ Π_t p[t, b, path_t] / length` over all paths that become the target when repeats are merged and blanks left out,
/// `log_p: [L, B, C]`, `targets: [B, U]`, a length of each input and of each target.
///
/// ```
/// use lexigrad_nn::{CtcLoss, ctc};
/// use lexigrad_tensor::{Ids, Tensor};
/// // Two steps, each label as likely: "a" is a-, -a or aa, 3 of 4 paths.
/// let log_p = Tensor::full([2, 1, 2], 0.5_f32.ln());
/// let loss = ctc(&log_p, &Ids::new([[1]])?, &[2], &[1], &CtcLoss::default())?;
/// assert!((loss.item()? + 0.75_f32.ln()).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// A target that needs more steps than there are has the loss infinity (0 with `zero_infinity`) and zero gradients.
///
/// # Errors
/// If the shapes do not fit, a length is too long, or a label is not below C or is the blank.
///
/// PyTorch: `nn.functional.ctc_loss`. Differences: targets are padded rows, not one after another; the gradient is that by `log_p`
/// itself, where PyTorch gives the one by the logits of a `log_softmax` before it: behind a `log_softmax` both are the same.
#[compiled]
pub fn ctc<T: Element>(
    log_p: &Tensor<T>,
    targets: &Ids,
    input_lengths: &[usize],
    target_lengths: &[usize],
    options: &CtcLoss,
) -> Result<Tensor<T>> {
    let labels = Labels::new(log_p, targets, input_lengths, target_lengths, options.blank)?;
    let steps = log_p.shape()[0];
    // For each place of the extended target the paths that have come so far.
    let mut sums = labels.start()?;
    let steps = if steps > 0 {
        log_p.split(&vec![1; steps], 0)?
    } else {
        Vec::new()
    };
    for (time, step) in steps.iter().enumerate() {
        let emitted = step.squeeze(0)?.gather(1, &labels.extended)?;
        let next = labels.advance(&sums, time)?.add(&emitted)?;
        let there: Vec<bool> = input_lengths.iter().map(|&length| time < length).collect();
        sums = next.where_mask(&Mask::new(there, [labels.batch, 1])?, &sums)?;
    }
    let ends = sums.masked_fill(&labels.is_end.not(), T::neg_infinity())?;
    let mut losses = ends.logsumexp(1)?.neg();
    if options.zero_infinity {
        let infinite = losses.constant().mask(|loss| loss.is_infinite());
        losses = losses.masked_fill(&infinite, T::zero())?;
    }
    if options.reduction == Reduction::Mean {
        let inverse = target_lengths
            .iter()
            .map(|&length| T::from_f64(1.0 / length.max(1) as f64));
        losses = losses.mul(&Tensor::from(inverse.collect::<Vec<T>>()))?;
    }
    Ok(reduce(losses, options.reduction))
}

/// The targets with blanks between and around their labels: `[B, 2 U + 1]`.
struct Labels {
    batch: usize,
    width: usize,
    extended: Ids,
    /// Where a path may come from two places before: at a label that is not the one before it.
    may_skip: Mask,
    /// The places where a path may end: the last label and the blank behind it.
    is_end: Mask,
}

impl Labels {
    fn new<T: Element>(
        log_p: &Tensor<T>,
        targets: &Ids,
        input_lengths: &[usize],
        target_lengths: &[usize],
        blank: u32,
    ) -> Result<Self> {
        let [steps, batch, classes] = log_p.shape()[..] else {
            let rule = "it must be [length, batch, classes]";
            return Err(Error::shape(NAME, "the input", log_p.shape(), rule));
        };
        let longest = match targets.shape()[..] {
            [rows, longest] if rows == batch => longest,
            _ => {
                let rule = format!("they must be [{batch}, length]");
                return Err(Error::shape(NAME, "the targets", targets.shape(), rule));
            }
        };
        check_input_lengths(NAME, input_lengths, batch, steps)?;
        check_lengths(NAME, ["target", "labels"], target_lengths, batch, longest)?;
        if blank as usize >= classes {
            let rule = format!("below the {classes} classes");
            return Err(Error::value(NAME, "the blank", f64::from(blank), rule));
        }
        let width = 2 * longest + 1;
        let mut extended = vec![blank; batch * width];
        let (mut may_skip, mut is_end) = (vec![false; batch * width], vec![false; batch * width]);
        for (row, &length) in target_lengths.iter().enumerate() {
            let labels = &targets.as_slice()[row * longest..][..length];
            for (place, &label) in labels.iter().enumerate() {
                if label as usize >= classes || label == blank {
                    let message = format!(
                        "label {label} at [{row}, {place}] must be below the {classes} classes and not the blank {blank}"
                    );
                    return Err(Error::other(NAME, message));
                }
                let at = row * width + 2 * place + 1;
                extended[at] = label;
                may_skip[at] = place > 0 && labels[place - 1] != label;
            }
            is_end[row * width + 2 * length] = true;
            if length > 0 {
                is_end[row * width + 2 * length - 1] = true;
            }
        }
        let shape = Shape::from([batch, width]);
        Ok(Self {
            batch,
            width,
            extended: Ids::from_vec(extended, &shape)?,
            may_skip: Mask::new(may_skip, &shape)?,
            is_end: Mask::new(is_end, &shape)?,
        })
    }

    /// The path of no step, which is at the first place: it is the whole of an input without steps.
    fn start<T: Element>(&self) -> Result<Tensor<T>> {
        let later = (0..self.batch * self.width).map(|place| !place.is_multiple_of(self.width));
        let later = Mask::new(later.collect(), [self.batch, self.width])?;
        Tensor::try_zeros([self.batch, self.width])?.masked_fill(&later, T::neg_infinity())
    }

    /// The paths that come to each place with one more step, before its label is emitted.
    fn advance<T: Element>(&self, sums: &Tensor<T>, time: usize) -> Result<Tensor<T>> {
        if time == 0 {
            // A path begins with the first blank or the first label.
            let begins = |place: usize| place % self.width < 2;
            let begins = (0..self.batch * self.width).map(begins).collect();
            let begins = Mask::new(begins, [self.batch, self.width])?;
            return sums.masked_fill(&begins, T::zero());
        }
        let never = T::neg_infinity();
        let shifted = |places: usize| sums.pad(1, places, 0, never)?.narrow(1, 0, self.width);
        let skipped = shifted(2)?.masked_fill(&self.may_skip.not(), never)?;
        stack(&[sums, &shifted(1)?, &skipped], 0)?.logsumexp(0)
    }
}
