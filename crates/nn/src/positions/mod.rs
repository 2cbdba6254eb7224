//! What tells an attention layer where an element stands.

mod learned;
mod rotary;
mod sinusoidal;

pub use learned::{LearnedPositions, LearnedPositionsConfig};
pub use rotary::{RotaryConfig, RotaryPairs, RotaryPositions};
pub use sinusoidal::SinusoidalPositions;

use lexigrad_tensor::{Element, Error, Result, Tensor};

/// The length of `x: [.., L, dim]`.
fn length_of<T: Element>(name: &'static str, x: &Tensor<T>, dim: usize) -> Result<usize> {
    match x.shape()[..] {
        [.., length, size] if size == dim => Ok(length),
        _ => {
            let rule = format!("it must be [.., length, {dim}]");
            Err(Error::shape(name, "the input", x.shape(), rule))
        }
    }
}

/// `p ω_i` for `length` positions p from `first`: `[length, frequencies]`, with `ω_i = base^(-2 i / dim)`.
fn angles(
    name: &'static str,
    first: usize,
    length: usize,
    dim: usize,
    base: f64,
) -> Result<Vec<f64>> {
    let frequencies = dim.div_ceil(2);
    let mut angles = Vec::new();
    let room = angles.try_reserve_exact(length.max(1).saturating_mul(frequencies));
    let Some(end) = first.checked_add(length).filter(|_| room.is_ok()) else {
        let message = format!(
            "{length} positions from {first} on with {dim} numbers each; the memory does not hold them"
        );
        return Err(Error::other(name, message));
    };
    if frequencies == 0 {
        return Ok(angles);
    }
    let frequency = |i: usize| base.powf(-((2 * i) as f64) / dim as f64);
    let frequencies: Vec<f64> = (0..frequencies).map(frequency).collect();
    for position in first..end {
        angles.extend(
            frequencies
                .iter()
                .map(|frequency| position as f64 * frequency),
        );
    }
    Ok(angles)
}
