//! Losses of probabilities: binary cross-entropy and the Kullback-Leibler divergence.

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Cotangents, Element, Needs, Op, Reduction, Result, Saved, Saves, Tensor, apply,
};

use super::{check_numbers, check_same_shape, check_weight, reduce};

/// `mean of -w (y ln p + (1 - y) ln(1 - p))`, p and y of one shape, w broadcast to it; logarithms are at least -100.
///
/// The gradient by p is `w (p - y) / max(p (1 - p), 1e-12)`, which is finite at 0 and 1 too.
///
/// ```
/// use lexigrad_nn::{Reduction, bce};
/// use lexigrad_tensor::Tensor;
/// let (p, y) = (Tensor::new([0.5, 1.0]), Tensor::new([1.0, 0.0]));
/// let losses = bce(&p, &y, None, Reduction::None)?.to_vec();
/// assert!((losses[0] - 2.0_f32.ln()).abs() < 1e-6 && losses[1] == 100.0);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, the weight does not broadcast to them, or a probability does not lie between 0 and 1.
///
/// PyTorch: `nn.functional.binary_cross_entropy`. Difference: the gradient by y is finite where p is 0 or 1. From logits use
/// [`bce_with_logits`](crate::bce_with_logits).
#[compiled]
pub fn bce<T: Element>(
    p: &Tensor<T>,
    y: &Tensor<T>,
    weight: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    const NAME: &str = "bce";
    check_same_shape(NAME, p, y)?;
    check_weight(NAME, "the weight", weight, p)?;
    let probability = ("probability", "between 0 and 1");
    check_numbers(NAME, p, probability, |p| p >= T::zero() && p <= T::one())?;
    let mut losses = apply(BinaryCrossEntropy, &[p, y])?;
    if let Some(weight) = weight {
        losses = losses.mul(weight)?;
    }
    Ok(reduce(losses, reduction))
}

/// `ln p` and `ln(1 - p)`, each at least -100.
fn logarithms<T: Element>(p: T) -> (T, T) {
    let least = T::from_f64(-100.0);
    (p.ln().max(least), (-p).ln_1p().max(least))
}

/// `max(p (1 - p), 1e-12)`; PyTorch's constant is the f32 in both precisions.
fn variance<T: Element>(p: &Tensor<T>) -> Result<Tensor<T>> {
    let least = T::from_f64(f64::from(1e-12_f32));
    let variance = p.neg().add_scalar(T::one()).mul(p)?;
    variance.maximum(&Tensor::full([], least))
}

/// `-(y ln p + (1 - y) ln(1 - p))`, logarithms at least -100.
struct BinaryCrossEntropy;

impl<T: Element> Op<T> for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "bce"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::input(1))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (p, y) = (inputs[0].values(), inputs[1].values());
        let pairs = p.iter().zip(y.iter());
        let losses = pairs.map(|(&p, &y)| {
            let (likely, unlikely) = logarithms(p);
            (y - T::one()) * unlikely - y * likely
        });
        Tensor::from_slice(&losses.collect::<Vec<T>>(), inputs[0].shape())
    }

    /// `dp = g (p - y) / max(p (1 - p), 1e-12)`, `dy = g (ln(1 - p) - ln p)`
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let (p, y) = (saved.input(0), saved.input(1));
        let first = || cotangent.mul(&p.sub(y)?.div(&variance(p)?)?);
        let second = || Ok(cotangent.mul(&apply(LogOdds, &[p])?)?.neg());
        Ok(Cotangents::two(
            saved.needs(0).then(first).transpose()?,
            saved.needs(1).then(second).transpose()?,
        ))
    }
}

/// `ln p - ln(1 - p)`, logarithms at least -100.
struct LogOdds;

impl<T: Element> Op<T> for LogOdds {
    fn name(&self) -> &'static str {
        "log_odds"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let p = inputs[0].values();
        let odds = p.iter().map(|&p| {
            let (likely, unlikely) = logarithms(p);
            likely - unlikely
        });
        Tensor::from_slice(&odds.collect::<Vec<T>>(), inputs[0].shape())
    }

    /// `dp = g / max(p (1 - p), 1e-12)`
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent.div(&variance(saved.input(0))?)?))
    }
}

/// `mean of p (ln p - x)`, x the logarithms of probabilities and p probabilities (or, with `log_target`, their logarithms) of one
/// shape; 0 where p is 0.
///
/// The divergence of two distributions is a sum: take [`Reduction::Sum`] and divide by the batch, PyTorch's `batchmean`.
///
/// ```
/// use lexigrad_nn::{Reduction, kl_div};
/// use lexigrad_tensor::Tensor;
/// let (x, p) = (Tensor::new([0.5_f32, 0.5]).ln(), Tensor::new([1.0, 0.0]));
/// assert!((kl_div(&x, &p, false, Reduction::Sum)?.item()? - 2.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes differ, where PyTorch broadcasts.
///
/// PyTorch: `nn.functional.kl_div`. Difference: where p is 0 the gradients are 0 too, also if x is -inf there.
#[compiled]
pub fn kl_div<T: Element>(
    x: &Tensor<T>,
    p: &Tensor<T>,
    log_target: bool,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    check_same_shape("kl_div", x, p)?;
    let (zero, one) = (T::zero(), T::one());
    // The factor that may be infinite is filled, not the product: the gradient of 0 times infinity would be NaN.
    let losses = if log_target {
        let never = p.constant().mask(|p| p == T::neg_infinity());
        p.exp().mul(&p.sub(x)?.masked_fill(&never, zero)?)?
    } else {
        let never = p.constant().mask(|p| p == zero);
        let logarithm = p.masked_fill(&never, one)?.ln();
        p.mul(&logarithm.sub(x)?.masked_fill(&never, zero)?)?
    };
    Ok(reduce(losses, reduction))
}

/// [`bce`] as a module. PyTorch: `nn.BCELoss`.
#[derive(Clone, Debug, Default)]
pub struct BceLoss<T: Element = f32> {
    /// A factor for each loss, broadcast.
    pub weight: Option<Tensor<T>>,
    /// How the losses become one.
    pub reduction: Reduction,
}

#[compiled]
impl<T: Element> BceLoss<T> {
    /// The loss of the probabilities p against y.
    ///
    /// # Errors
    /// As for [`bce`].
    pub fn forward(&self, p: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        bce(p, y, self.weight.as_ref(), self.reduction)
    }
}

/// [`kl_div`] as a module. PyTorch: `nn.KLDivLoss`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlDivLoss {
    /// Whether targets are logarithms.
    pub log_target: bool,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl KlDivLoss {
    /// The loss of the logarithms x against the probabilities p.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, p: &Tensor<T>) -> Result<Tensor<T>> {
        kl_div(x, p, self.log_target, self.reduction)
    }
}
