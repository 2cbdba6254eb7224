//! An operation of one's own with a wrong gradient: the check finds it, and passes when it is mended.
//!
//! `cargo run --example gradcheck`

use lexigrad::tensor::{Cotangents, Needs, Op, Result, Saved, Saves, Tensor, apply};
use lexigrad_check::strategies::{Domain, shape, tensor};
use lexigrad_check::{Case, Options, Row, gradcheck, gradgradcheck};
use proptest::prelude::*;

/// `y = x / (1 + |x|)`, softsign, with the derivative that a user writes.
#[derive(Clone, Copy)]
struct Softsign {
    derivative: fn(&Tensor<f64>) -> Result<Tensor<f64>>,
}

impl Op<f64> for Softsign {
    fn name(&self) -> &'static str {
        "softsign"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0)
    }

    fn forward(&mut self, inputs: &[&Tensor<f64>], _needs: Needs) -> Result<Tensor<f64>> {
        let x = inputs[0].detach();
        x.div(&x.abs().add_scalar(1.0))
    }

    fn vjp(&self, saved: &Saved<'_, f64>, cotangent: Tensor<f64>) -> Result<Cotangents<f64>> {
        let slope = (self.derivative)(saved.input(0))?;
        Ok(Cotangents::one(cotangent.mul(&slope)?))
    }
}

/// A square is missing: `1 / (1 + |x|)`.
fn wrong(x: &Tensor<f64>) -> Result<Tensor<f64>> {
    Ok(x.abs().add_scalar(1.0).recip())
}

/// `1 / (1 + |x|)²`
fn mended(x: &Tensor<f64>) -> Result<Tensor<f64>> {
    Ok(x.abs().add_scalar(1.0).recip().square())
}

/// The operation on tensors that proptest draws, away from its kink at 0.
fn row(op: Softsign) -> Row {
    let shapes = shape(1..=3, 1..=4);
    let inputs = shapes.prop_flat_map(|shape| tensor(shape, Domain::AwayFromKinks));
    Row::new(
        "softsign",
        inputs.prop_map(|x| Case::of(vec![x])),
        move |x, _ids| apply(op, &[&x[0]]),
        |x, _ids| x[0].div(&x[0].abs().add_scalar(1.0)),
    )
}

fn main() {
    let x = [Tensor::new([[0.5, -1.5], [2.0, -0.25]])];

    let op = Softsign { derivative: wrong };
    let softsign = |x: &[Tensor<f64>]| apply(op, &[&x[0]]);
    println!("With a square missing:");
    match gradcheck("softsign", softsign, &x, &Options::default()) {
        Ok(report) => println!("  {report}"),
        Err(failure) => println!("  {failure}"),
    }
    println!("\nOn inputs that proptest draws, and shrinks:");
    match row(op).try_run(64) {
        Ok(report) => println!("  {} cases pass", report.cases),
        Err(failure) => println!("{failure}"),
    }

    let op = Softsign { derivative: mended };
    let softsign = |x: &[Tensor<f64>]| apply(op, &[&x[0]]);
    println!("\nMended:");
    for checked in [
        gradcheck("softsign, first order", softsign, &x, &Options::default()),
        gradgradcheck("softsign, second order", softsign, &x, &Options::default()),
    ] {
        match checked {
            Ok(report) => println!("  {report}"),
            Err(failure) => println!("  {failure}"),
        }
    }
    match row(op).try_run(64) {
        Ok(report) => println!("  {} drawn cases pass", report.cases),
        Err(failure) => println!("{failure}"),
    }
}
