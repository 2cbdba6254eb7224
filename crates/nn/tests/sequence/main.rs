//! What holds for every module over sequences, whatever the sizes, lengths and numbers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attention;
mod dropout;
mod errors;
mod gradients;
mod padding;
mod recurrent;

use lexigrad_nn::Module;
use lexigrad_tensor::{Param, Tensor};
use rand::{SeedableRng, rngs::StdRng};

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn uniform(shape: &[usize], rng: &mut StdRng) -> Tensor<f64> {
    Tensor::uniform(shape, -1.0, 1.0, rng)
}

/// Draws every parameter anew, those too that a module starts at 0 or 1.
fn redraw(model: &impl Module<f64>, rng: &mut StdRng) {
    for parameter in model.parameters() {
        parameter.set(&uniform(&parameter.shape(), rng)).unwrap();
    }
}

/// Gives the parameters of one module those of another, in order.
fn copy(from: &[Param<f64>], to: &impl Module<f64>) {
    let to = to.parameters();
    assert_eq!(from.len(), to.len());
    for (from, to) in from.iter().zip(&to) {
        to.set(&from.value()).unwrap();
    }
}

#[track_caller]
fn assert_close(found: &Tensor<f64>, expected: &Tensor<f64>, what: &str) {
    assert_eq!(found.shape(), expected.shape(), "{what}");
    let (found, expected) = (found.values(), expected.values());
    for (index, (x, y)) in found.iter().zip(expected.iter()).enumerate() {
        let close = (x - y).abs() <= 1e-10 * y.abs().max(1.0);
        assert!(close, "{what}[{index}] is {x}, expected {y}");
    }
}
