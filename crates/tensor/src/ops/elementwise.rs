//! The driver of unary elementwise operations: an operation states `f`, `df` and what `df` reads; the rest follows.

use crate::element::Element;
use crate::error::Result;
use crate::kernels::elementwise as kernels;
use crate::op::{Cotangents, Needs, Op, Saved, Saves, apply_total};
use crate::tape;
use crate::tensor::Tensor;

/// What the derivative of `y = f(x)` is computed from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reads {
    X,
    Y,
}

/// `y = f(x)` for each element.
pub(crate) trait Elementwise<T: Element>: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const READS: Reads;

    fn f(self, x: T) -> T;

    /// `dy/dx` from x or y, as `READS` says; inlined into the one fused loop of the backward pass.
    fn df(self, v: T) -> T;

    /// `dy/dx` of all elements in tensor operations, for when the backward pass is itself recorded.
    fn derivative(self, v: &Tensor<T>) -> Result<Tensor<T>>;
}

pub(super) struct Unary<E>(pub(super) E);

impl<T: Element, E: Elementwise<T>> Op<T> for Unary<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn saves(&self, _needs: Needs) -> Saves {
        match E::READS {
            Reads::X => Saves::input(0),
            Reads::Y => Saves::OUTPUT,
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        inputs[0].in_memory_order(|x, _, _| {
            let values = x.read()?;
            Tensor::build(x.shape(), |out| kernels::map(&values, out, Forward(self.0)))
        })
    }

    fn vjp(&self, saved: &Saved<'_, T>, mut cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = self.0;
        let read = match E::READS {
            Reads::X => saved.input(0),
            Reads::Y => saved.output(),
        };
        if tape::is_recording() {
            return Ok(Cotangents::one(cotangent.mul(&op.derivative(read)?)?));
        }
        if cotangent.is_writable() && read.layout().is_dense() {
            kernels::zip_in_place(cotangent.values_mut(), &read.read()?, Chain(op));
            return Ok(Cotangents::one(cotangent));
        }
        let gradient = read.in_memory_order(|read, alike, _| {
            let given = alike(&cotangent);
            let (given, read) = (given.read()?, read.read()?);
            Tensor::build(alike(&cotangent).shape(), |out| {
                kernels::zip(&given, &read, out, Chain(op));
            })
        })?;
        Ok(Cotangents::one(gradient))
    }
}

#[derive(Clone, Copy)]
struct Forward<E>(E);

impl<T: Element, E: Elementwise<T>> kernels::Unary<T> for Forward<E> {
    #[inline(always)]
    fn call(self, x: T) -> T {
        self.0.f(x)
    }
}

/// The chain rule: the cotangent of x from that of y.
#[derive(Clone, Copy)]
struct Chain<E>(E);

impl<T: Element, E: Elementwise<T>> kernels::Binary<T> for Chain<E> {
    #[inline(always)]
    fn call(self, g: T, v: T) -> T {
        g * self.0.df(v)
    }
}

/// `f` of every element, recorded.
pub(super) fn unary<T: Element, E: Elementwise<T>>(x: &Tensor<T>, op: E) -> Tensor<T> {
    apply_total(Unary(op), x)
}

/// `change` of every element, a constant; for derivatives that are constant between kinks.
pub(super) fn constant_map<T: Element>(
    x: &Tensor<T>,
    change: impl Fn(T) -> T + Sync + Copy,
) -> Result<Tensor<T>> {
    let values = x.read()?;
    Tensor::build(x.shape(), |out| kernels::map(&values, out, change))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::activation::{Elu, LeakyRelu, LogSigmoid};
    use super::super::activation::{Gelu, GeluTanh, Relu, Sigmoid, Silu, Softplus, Tanh};
    use super::super::transcendental::{Cos, Erf, Exp, ExpM1, Ln, Ln1p, Sin};
    use super::super::unary::{Abs, Clamp, Powf, Recip, Sqrt, Square};
    use super::*;
    use crate::Tape;

    /// The fused derivative (one loop) against the composed one (tensor operations), on the same input.
    fn fused_equals_composed(op: impl Elementwise<f64>, inputs: &[f64]) {
        let x = Tensor::from(inputs.to_vec());
        let tape = Tape::new();
        let leaf = tape.watch(&x);
        let composed = tape
            .grad(&unary(&leaf, op).sum(), &[&leaf])
            .unwrap()
            .remove(0);
        let tape = Tape::new();
        let leaf = tape.watch(&x);
        let loss = unary(&leaf, op).sum();
        let grads = tape.backward(&loss).unwrap();
        let fused = grads.of(&leaf).unwrap().to_dense().unwrap();
        for ((x, fused), composed) in inputs.iter().zip(fused.to_vec()).zip(composed.to_vec()) {
            assert!(
                (fused - composed).abs() <= 1e-12 * (1.0 + fused.abs()),
                "x = {x}: fused {fused}, composed {composed}"
            );
        }
    }

    proptest! {
        #[test]
        fn on_any_input(x in prop::collection::vec(-5.0..5.0f64, 1..40)) {
            fused_equals_composed(Exp, &x);
            fused_equals_composed(Square, &x);
            fused_equals_composed(Abs, &x);
            fused_equals_composed(Erf, &x);
            fused_equals_composed(Tanh, &x);
            fused_equals_composed(Sigmoid, &x);
            fused_equals_composed(Relu, &x);
            fused_equals_composed(Gelu, &x);
            fused_equals_composed(GeluTanh, &x);
            fused_equals_composed(Silu, &x);
            fused_equals_composed(Softplus, &x);
            fused_equals_composed(LogSigmoid, &x);
            fused_equals_composed(Elu { alpha: 0.7 }, &x);
            fused_equals_composed(LeakyRelu { slope: 0.1 }, &x);
            fused_equals_composed(ExpM1, &x);
            fused_equals_composed(Sin, &x);
            fused_equals_composed(Cos, &x);
            fused_equals_composed(Clamp { low: -1.0, high: 2.0 }, &x);
        }

        #[test]
        fn on_positive_input(x in prop::collection::vec(0.1..5.0f64, 1..40), power in -3.0..3.0f64) {
            fused_equals_composed(Ln, &x);
            fused_equals_composed(Ln1p, &x);
            fused_equals_composed(Sqrt, &x);
            fused_equals_composed(Recip, &x);
            fused_equals_composed(Powf { power }, &x);
        }
    }
}
