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
fn angles(first: usize, length: usize, dim: usize, base: f64) -> Vec<f64> {
    let frequency = |i: usize| base.powf(-((2 * i) as f64) / dim as f64);
    let frequencies: Vec<f64> = (0..dim.div_ceil(2)).map(frequency).collect();
    let positions = (first..first + length).map(|position| position as f64);
    positions
        .flat_map(|position| {
            frequencies
                .iter()
                .map(move |frequency| position * frequency)
        })
        .collect()
}
