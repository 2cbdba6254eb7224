//! Cross-entropy of logits with class labels, fused: the probabilities are never stored.

use lexigrad_kernels::cross_entropy as kernels;
use lexigrad_kernels::reduce;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::ops::select::Mask;
use crate::room;
use crate::tensor::Tensor;

/// How the losses of a batch become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// They stay: one loss for each target.
    None,
    /// Their mean; with class weights the sum divided by the weights of the targets that count.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// Options of [`cross_entropy_with`], with PyTorch's names and defaults.
#[derive(Clone, Debug, Default)]
pub struct CrossEntropyOptions<T: Element = f32> {
    /// A factor for each class: `[C]`.
    pub weight: Option<Tensor<T>>,
    /// The label that does not count. PyTorch's default of -100 is no id here: mark such targets with an id of your own.
    pub ignore_index: Option<u32>,
    /// What part of the target is spread evenly over the classes, from 0 to 1.
    pub label_smoothing: f64,
    /// How the losses become one.
    pub reduction: Reduction,
}

/// `l = w ((1 - s) (L - x[t]) + s (L - mean x))`, `L = ln Σ e^x`, for each row; w is 0 for a target that does not count. Or, with
/// a factor f, `f Σ l`: one operation in place of three.
struct CrossEntropy<T: Element> {
    targets: Ids,
    /// Of each row; none where every target counts once.
    weights: Option<Tensor<T>>,
    smoothing: T,
    factor: Option<T>,
    /// For each row the terms of L, from the forward pass.
    normalisers: Vec<(T, T)>,
}

impl<T: Element> Op<T> for CrossEntropy<T> {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>> {
        let (rows, classes) = (inputs[0].shape()[0], inputs[0].shape()[1]);
        let (logits, weights) = (
            inputs[0].read()?,
            self.weights.as_ref().map(Tensor::read).transpose()?,
        );
        let mut normalisers = room::filled(rows, (T::zero(), T::zero()))?;
        let losses = Tensor::build([rows], |out| {
            let targets = self.targets.as_slice();
            kernels::cross_entropy(
                &logits,
                classes,
                targets,
                weights.as_deref(),
                self.smoothing,
                out,
                &mut normalisers,
            );
        })?;
        if needs.any() {
            self.normalisers = normalisers;
        }
        Ok(match self.factor {
            None => losses,
            Some(factor) => Tensor::full([], reduce::sum(&losses.read()?) * factor),
        })
    }

    /// `dx = g w (softmax x - (1 - s) onehot t - s / C)`; 0 for a row that does not count or is -inf throughout
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let logits = saved.input(0);
        let each = match self.factor {
            None => cotangent,
            Some(factor) => cotangent.mul_scalar(factor).expand([self.targets.len()])?,
        };
        let scale = self.weighted(each)?;
        let targets = self.smooth_targets(logits.shape()[1])?;
        let difference = logits.softmax(-1)?.sub(&targets)?;
        let gradient = difference.mul(&scale.unsqueeze(-1)?)?;
        Ok(Cotangents::one(match self.without_gradient()? {
            Some(rows) => gradient.masked_fill(&rows, T::zero())?,
            None => gradient,
        }))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let logits = saved.input(0);
        let each = match self.factor {
            None => cotangent,
            Some(factor) => Tensor::try_full([self.targets.len()], cotangent.read()?[0] * factor)?,
        };
        let scale = self.weighted(each)?;
        let (logits_values, weights) = (logits.read()?, scale.read()?);
        let forward = kernels::Forward {
            logits: &logits_values,
            classes: logits.shape()[1],
            targets: self.targets.as_slice(),
            weights: &weights,
            smoothing: self.smoothing,
            normalisers: &self.normalisers,
        };
        let gradient = Tensor::build(logits.shape(), |out| {
            kernels::cross_entropy_backward(&forward, out);
        })?;
        Ok(Cotangents::one(gradient))
    }
}

impl<T: Element> CrossEntropy<T> {
    /// What each row's gradient is multiplied by, `[rows]`, from the cotangent of its loss.
    fn weighted(&self, each: Tensor<T>) -> Result<Tensor<T>> {
        match &self.weights {
            None => Ok(each),
            Some(weights) => each.mul(weights),
        }
    }

    /// The rows that do not count or are -inf throughout: `[rows, 1]`; none if there are none.
    fn without_gradient(&self) -> Result<Option<Mask>> {
        let weights = self.weights.as_ref().map(Tensor::values);
        let counts = |row: usize| weights.as_ref().is_none_or(|all| all[row] != T::zero());
        let rows = self.normalisers.iter().enumerate();
        let without = rows.map(|(row, &(_, log_sum))| !counts(row) || log_sum == T::infinity());
        let without: Vec<bool> = without.collect();
        if !without.contains(&true) {
            return Ok(None);
        }
        let shape = [without.len(), 1];
        Mask::new(without, shape).map(Some)
    }

    /// `(1 - s) onehot t + s / C`: `[rows, C]`; a row that does not count is as good as any.
    fn smooth_targets(&self, classes: usize) -> Result<Tensor<T>> {
        let spread = self.smoothing / T::from_f64(classes as f64);
        Tensor::build([self.targets.len(), classes], |out| {
            out.fill(spread);
            let rows = out.chunks_exact_mut(classes.max(1));
            for (row, &target) in rows.zip(self.targets.as_slice()) {
                if let Some(probability) = row.get_mut(target as usize) {
                    *probability += T::one() - self.smoothing;
                }
            }
        })
    }
}

/// `mean over rows of (ln Σ e^x - x[target])`, `logits: [.., C]`, `targets: [..]`, result `[]`.
///
/// ```
/// use lexigrad_tensor::{Ids, Tensor, cross_entropy};
/// let logits: Tensor = Tensor::zeros([2, 4]);
/// let loss = cross_entropy(&logits, &Ids::new([3, 0])?)?;
/// assert!((loss.item()? - 4.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, or a target is no class.
///
/// PyTorch: `nn.functional.cross_entropy`, with the classes on axis 1 there and on the last axis here.
#[compiled]
pub fn cross_entropy<T: Element>(logits: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
    cross_entropy_with(logits, targets, &CrossEntropyOptions::default())
}

/// [`cross_entropy`] with class weights, an ignored label, label smoothing or another reduction.
///
/// If no target counts, the mean is 0 with zero gradients, where PyTorch's is NaN. The loss of a row of -inf is infinite with zero
/// gradients, as that of [`log_softmax`](Tensor::log_softmax), where PyTorch's is NaN.
///
/// # Errors
/// If the shapes do not fit, a target is no class, or the smoothing is not between 0 and 1.
#[compiled]
pub fn cross_entropy_with<T: Element>(
    logits: &Tensor<T>,
    targets: &Ids,
    options: &CrossEntropyOptions<T>,
) -> Result<Tensor<T>> {
    let classes = check(logits, targets, options)?;
    let flat = logits.reshape([targets.len(), classes])?;
    let weights = row_weights(targets, options);
    let factor = match options.reduction {
        Reduction::None => None,
        Reduction::Sum => Some(T::one()),
        Reduction::Mean => Some(mean_factor(targets.len(), weights.as_ref())?),
    };
    let losses = match &options.weight {
        Some(weight) if options.label_smoothing > 0.0 => {
            let losses = weighted_and_smoothed(&flat, targets, weight, options)?;
            match factor {
                None => losses,
                Some(factor) => losses.sum().mul_scalar(factor),
            }
        }
        _ => {
            let op = CrossEntropy {
                targets: targets.clone(),
                weights,
                smoothing: T::from_f64(options.label_smoothing),
                factor,
                normalisers: Vec::new(),
            };
            apply(op, &[&flat])?
        }
    };
    match factor {
        None => losses.reshape(targets.shape()),
        Some(_) => Ok(losses),
    }
}

/// 1 / (the weights of all rows), or 0 if none counts.
fn mean_factor<T: Element>(rows: usize, weights: Option<&Tensor<T>>) -> Result<T> {
    let total = match weights {
        None => T::from_f64(rows as f64),
        Some(weights) => weights.sum().item()?,
    };
    Ok(if total == T::zero() {
        T::zero()
    } else {
        total.recip()
    })
}

/// The loss where class weights meet smoothing: each class's share of the target counts with the weight of that class, so that
/// a target of weight 0 counts too, by what is spread over the other classes.
fn weighted_and_smoothed<T: Element>(
    logits: &Tensor<T>,
    targets: &Ids,
    class_weights: &Tensor<T>,
    options: &CrossEntropyOptions<T>,
) -> Result<Tensor<T>> {
    let classes = logits.shape()[1];
    let own = T::from_f64(1.0 - options.label_smoothing);
    let spread = T::from_f64(options.label_smoothing / classes as f64);
    let weights = class_weights.read()?;
    let mut ignored = Vec::with_capacity(targets.len());
    let shares = Tensor::build(logits.shape(), |out| {
        let rows = out.chunks_exact_mut(classes.max(1));
        for (row, &target) in rows.zip(targets.as_slice()) {
            let counts = Some(target) != options.ignore_index;
            ignored.push(!counts);
            for (class, (share, &weight)) in row.iter_mut().zip(weights.iter()).enumerate() {
                let part = if class == target as usize {
                    own + spread
                } else {
                    spread
                };
                *share = if counts { part * weight } else { T::zero() };
            }
        }
    })?;
    let ignored = Mask::new(ignored, [targets.len(), 1])?;
    let logs = logits.masked_fill(&ignored, T::zero())?.log_softmax(-1)?;
    let sums = |logs: &Tensor<T>| Ok(logs.mul(&shares)?.sum_axes(&[-1])?.neg());
    let losses: Tensor<T> = sums(&logs)?;
    if !losses.values().iter().any(|loss| loss.is_nan()) {
        return Ok(losses);
    }
    // NaN may come from 0 times -inf, but a class of weight 0 adds nothing.
    let without = shares.mask(|share| share == T::zero());
    sums(&logs.masked_fill(&without, T::zero())?)
}

/// The weight of each row's target, 0 where it is the ignored one: `[rows]`; none if all are 1.
fn row_weights<T: Element>(targets: &Ids, options: &CrossEntropyOptions<T>) -> Option<Tensor<T>> {
    if options.weight.is_none() && options.ignore_index.is_none() {
        return None;
    }
    let class_weights = options.weight.as_ref().map(Tensor::values);
    let weight_of = |&target: &u32| match &class_weights {
        _ if Some(target) == options.ignore_index => T::zero(),
        Some(weights) => weights[target as usize],
        None => T::one(),
    };
    let weights: Vec<T> = targets.as_slice().iter().map(weight_of).collect();
    Some(Tensor::from(weights))
}

/// The number of classes, if everything fits.
fn check<T: Element>(
    logits: &Tensor<T>,
    targets: &Ids,
    options: &CrossEntropyOptions<T>,
) -> Result<usize> {
    const NAME: &str = "cross_entropy";
    let fits =
        logits.rank() == targets.shape().rank() + 1 && logits.shape().starts_with(targets.shape());
    if !fits {
        let rule = format!(
            "it must be the shape of the targets, {}, and a last axis of classes",
            targets.shape()
        );
        return Err(Error::shape(NAME, "the input", logits.shape(), rule));
    }
    let classes = logits.shape()[logits.rank() - 1];
    if let Some(weight) = options
        .weight
        .as_ref()
        .filter(|weight| *weight.shape() != [classes])
    {
        let rule = format!("it must be [{classes}], one for each class");
        return Err(Error::shape(NAME, "the class weight", weight.shape(), rule));
    }
    if !(0.0..=1.0).contains(&options.label_smoothing) {
        let smoothing = options.label_smoothing;
        return Err(Error::value(
            NAME,
            "label_smoothing",
            smoothing,
            "between 0 and 1",
        ));
    }
    if targets.max().is_none_or(|max| (max as usize) < classes) {
        return Ok(classes);
    }
    let is_bad = |&target: &u32| target as usize >= classes && Some(target) != options.ignore_index;
    match targets.as_slice().iter().position(is_bad) {
        None => Ok(classes),
        Some(position) => {
            let kind = ErrorKind::TargetOutOfRange {
                target: targets.as_slice()[position],
                position: targets.shape().index_of(position),
                classes,
            };
            Err(Error::new(NAME, kind))
        }
    }
}
