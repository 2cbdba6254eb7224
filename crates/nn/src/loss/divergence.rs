//! Losses of probabilities: binary cross-entropy and the Kullback-Leibler divergence.

use lexigrad_tensor::{Element, Error, Reduction, Result, Tensor};

use super::{check_same_shape, reduce};

/// `mean of -w (y ln p + (1 - y) ln(1 - p))`, p, y and w of one shape; logarithms are at least -100.
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
/// If the shapes differ, or a probability does not lie between 0 and 1.
///
/// PyTorch: `nn.functional.binary_cross_entropy`. Difference: where a logarithm is cut off, at p = 0 or 1, its gradient is 0 and not
/// 1e12. From logits use [`bce_with_logits`](crate::bce_with_logits).
pub fn bce<T: Element>(
    p: &Tensor<T>,
    y: &Tensor<T>,
    weight: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    const NAME: &str = "bce";
    check_same_shape(NAME, p, y)?;
    let outside = |x: &T| !(*x >= T::zero() && *x <= T::one());
    if let Some(&value) = p.values().iter().find(|x| outside(x)) {
        return Err(Error::value(
            NAME,
            "a probability",
            value.as_f64(),
            "between 0 and 1",
        ));
    }
    let one = T::one();
    let ln = |x: &Tensor<T>| -> Result<Tensor<T>> {
        let zero = x.constant().mask(|x| x == T::zero());
        x.masked_fill(&zero, one)?
            .ln()
            .masked_fill(&zero, T::from_f64(-100.0))
    };
    let likely = y.mul(&ln(p)?)?;
    let unlikely = y
        .neg()
        .add_scalar(one)
        .mul(&ln(&p.neg().add_scalar(one))?)?;
    let mut losses = likely.add(&unlikely)?.neg();
    if let Some(weight) = weight {
        check_same_shape(NAME, weight, y)?;
        losses = losses.mul(weight)?;
    }
    Ok(reduce(losses, reduction))
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
/// PyTorch: `nn.functional.kl_div`.
pub fn kl_div<T: Element>(
    x: &Tensor<T>,
    p: &Tensor<T>,
    log_target: bool,
    reduction: Reduction,
) -> Result<Tensor<T>> {
    check_same_shape("kl_div", x, p)?;
    let losses = if log_target {
        p.exp().mul(&p.sub(x)?)?
    } else {
        let zero = p.constant().mask(|p| p == T::zero());
        let surprise = p.masked_fill(&zero, T::one())?.ln().sub(x)?;
        p.mul(&surprise)?.masked_fill(&zero, T::zero())?
    };
    Ok(reduce(losses, reduction))
}

/// [`bce`] as a module. PyTorch: `nn.BCELoss`.
#[derive(Clone, Debug, Default)]
pub struct BceLoss<T: Element = f32> {
    /// A factor for each loss.
    pub weight: Option<Tensor<T>>,
    /// How the losses become one.
    pub reduction: Reduction,
}

impl<T: Element> BceLoss<T> {
    /// The loss of the probabilities p against y.
    ///
    /// # Errors
    /// If the shapes differ, or a probability does not lie between 0 and 1.
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
