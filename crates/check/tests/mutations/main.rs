//! Wrong gradients planted on purpose: the checks must find each, and must let the right one beside it pass.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod conventions;
mod formulas;
mod kernels;
mod lookups;
mod messages;

use lexigrad_check::{Options, gradcheck, gradgradcheck};
use lexigrad_tensor::{Cotangents, Needs, Op, Result, Saved, Saves, Tensor, apply};

type Forward = fn(&[&Tensor<f64>]) -> Result<Tensor<f64>>;
/// The gradients from inputs, output and cotangent.
type Vjp = fn(&[&Tensor<f64>], &Tensor<f64>, &Tensor<f64>) -> Result<Cotangents<f64>>;

/// An operation with a gradient that may be wrong.
#[derive(Clone, Copy)]
struct Planted {
    inputs: usize,
    forward: Forward,
    vjp: Vjp,
}

impl Op<f64> for Planted {
    fn name(&self) -> &'static str {
        "planted"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        (0..self.inputs).fold(Saves::OUTPUT, |saves, index| saves.and(Saves::input(index)))
    }

    fn forward(&mut self, inputs: &[&Tensor<f64>], _needs: Needs) -> Result<Tensor<f64>> {
        let constants: Vec<Tensor<f64>> = inputs.iter().map(|x| x.detach()).collect();
        (self.forward)(&constants.iter().collect::<Vec<_>>())
    }

    fn vjp(&self, saved: &Saved<'_, f64>, cotangent: Tensor<f64>) -> Result<Cotangents<f64>> {
        let inputs: Vec<&Tensor<f64>> = (0..self.inputs).map(|index| saved.input(index)).collect();
        (self.vjp)(&inputs, saved.output(), &cotangent)
    }
}

fn one(gradient: Tensor<f64>) -> Result<Cotangents<f64>> {
    Ok(Cotangents::one(gradient))
}

/// A matrix without zeros or equal elements.
fn matrix() -> Tensor<f64> {
    Tensor::new([[0.5, -1.5], [2.0, 0.25]])
}

/// The right gradient passes at both orders.
fn passes(inputs: &[Tensor<f64>], forward: Forward, vjp: Vjp) {
    let op = Planted {
        inputs: inputs.len(),
        forward,
        vjp,
    };
    let f = |x: &[Tensor<f64>]| apply(op, &x.iter().collect::<Vec<_>>());
    gradcheck("right", f, inputs, &Options::default()).unwrap();
    gradgradcheck("right", f, inputs, &Options::default()).unwrap();
}

/// The wrong gradient is found by the first order.
fn is_caught(bug: &str, inputs: &[Tensor<f64>], forward: Forward, vjp: Vjp) {
    let op = Planted {
        inputs: inputs.len(),
        forward,
        vjp,
    };
    let f = |x: &[Tensor<f64>]| apply(op, &x.iter().collect::<Vec<_>>());
    let found = gradcheck("planted", f, inputs, &Options::default());
    assert!(found.is_err(), "{bug} was not found");
}

/// The first order passes, and the second finds the bug.
fn is_caught_by_the_second_order(bug: &str, inputs: &[Tensor<f64>], forward: Forward, vjp: Vjp) {
    let op = Planted {
        inputs: inputs.len(),
        forward,
        vjp,
    };
    let f = |x: &[Tensor<f64>]| apply(op, &x.iter().collect::<Vec<_>>());
    gradcheck("planted", f, inputs, &Options::default()).unwrap();
    let found = gradgradcheck("planted", f, inputs, &Options::default());
    assert!(found.is_err(), "{bug} was not found");
}
