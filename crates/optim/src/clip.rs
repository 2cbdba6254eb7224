//! Clipping gradients by their norm or value, sparse ones included.

use lexigrad_tensor::{Element, Error, Gradients, Result};

/// Scales the gradients so that their norm together, `(Σ |g|²)^½`, is at most `max_norm`; returns the norm before.
///
/// A row-sparse gradient is coalesced first, so that its norm is that of the dense gradient.
///
/// ```
/// use lexigrad_optim::clip_grad_norm;
/// use lexigrad_tensor::{Param, Tape, Tensor};
/// let weight: Param = Param::new(Tensor::new([3.0, 4.0]));
/// let tape = Tape::new();
/// let mut grads = tape.backward(&weight.value().square().sum())?;
/// assert_eq!(clip_grad_norm(&mut grads, 5.0)?, 10.0);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If `max_norm` is negative or NaN, or the norm is not finite; then the gradients are as they were.
///
/// PyTorch: `clip_grad_norm_(error_if_nonfinite=True)`.
pub fn clip_grad_norm<T: Element>(gradients: &mut Gradients<T>, max_norm: f64) -> Result<f64> {
    clip_grad_norm_with(gradients, max_norm, 2.0)
}

/// [`clip_grad_norm`] for the norm `(Σ |g|^p)^(1/p)`, or the largest `|g|` for p = infinity.
///
/// # Errors
/// As for [`clip_grad_norm`]; and if `p` is not positive.
pub fn clip_grad_norm_with<T: Element>(
    gradients: &mut Gradients<T>,
    max_norm: f64,
    p: f64,
) -> Result<f64> {
    if max_norm.is_nan() || max_norm < 0.0 {
        return Err(Error::value(
            "clip_grad_norm",
            "max_norm",
            max_norm,
            "0 or more",
        ));
    }
    if p.is_nan() || p <= 0.0 {
        return Err(Error::value(
            "clip_grad_norm",
            "p",
            p,
            "positive or infinity",
        ));
    }
    gradients.coalesce();
    let norm = norm(gradients, p);
    if !norm.is_finite() {
        return Err(Error::value(
            "clip_grad_norm",
            "the norm of the gradients",
            norm,
            "finite",
        ));
    }
    // The same guard against a division by zero as PyTorch's.
    let factor = max_norm / (norm + 1e-6);
    if factor < 1.0 {
        gradients.scale(T::from_f64(factor));
    }
    Ok(norm)
}

/// Moves every number of the gradients that is outside into `[-limit, limit]`; returns the largest `|g|` before.
///
/// A row-sparse gradient is coalesced first, so that a row's sum is clipped and not its parts.
///
/// ```
/// use lexigrad_optim::clip_grad_value;
/// use lexigrad_tensor::{Param, Tape, Tensor};
/// let weight: Param = Param::new(Tensor::new([3.0, 0.25]));
/// let tape = Tape::new();
/// let mut grads = tape.backward(&weight.value().square().sum())?;
/// assert_eq!(clip_grad_value(&mut grads, 1.0)?, 6.0);
/// assert_eq!(grads.dense(&weight)?.unwrap().to_vec(), [1.0, 0.5]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If `limit` is negative or NaN, or a gradient is not finite; then the gradients are as they were.
///
/// PyTorch: `clip_grad_value_`, which refuses sparse gradients, passes NaN on and returns nothing.
pub fn clip_grad_value<T: Element>(gradients: &mut Gradients<T>, limit: f64) -> Result<f64> {
    let name = "clip_grad_value";
    if limit.is_nan() || limit < 0.0 {
        return Err(Error::value(name, "limit", limit, "0 or more"));
    }
    gradients.coalesce();
    let largest = norm(gradients, f64::INFINITY);
    if !largest.is_finite() {
        return Err(Error::value(
            name,
            "the largest gradient",
            largest,
            "finite",
        ));
    }
    let limit = T::from_f64(limit);
    gradients.map_in_place(|g| g.max(-limit).min(limit));
    Ok(largest)
}

fn norm<T: Element>(gradients: &Gradients<T>, p: f64) -> f64 {
    let mut total = 0.0_f64;
    for gradient in gradients.iter() {
        for value in gradient.stored().values().iter() {
            let size = value.as_f64().abs();
            if size.is_nan() {
                return f64::NAN;
            }
            if p.is_infinite() {
                total = total.max(size);
            } else {
                total += if p == 2.0 { size * size } else { size.powf(p) };
            }
        }
    }
    if p.is_infinite() {
        total
    } else {
        total.powf(1.0 / p)
    }
}
