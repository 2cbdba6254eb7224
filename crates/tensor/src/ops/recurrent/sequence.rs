//! The operation that a recurrence over whole sequences is.

use std::ops::Range;
use std::sync::Arc;

use lexigrad_kernels::product::{Packed, Right, Start, product};
use lexigrad_kernels::recurrent::{self as kernels, Sequences};
use lexigrad_kernels::reduce::sum_axis;
use lexigrad_kernels::view::Matrix;

use super::composed::{Steps, compose};
use super::{RecurrentWeights, Walk};
use crate::apply::apply;
use crate::element::Element;
use crate::error::Result;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::tensor::Tensor;
use crate::transforms::vjp;

/// A recurrence; inputs x, W_ih, W_hh, b_ih and b_hh if `has_biases`, and the first state; output `[L + N, B, H]`: the hidden
/// states and the last state.
struct Sequence<T: Element, C> {
    cell: C,
    walk: Walk,
    has_biases: bool,
    packed: PackedWeights<T>,
    /// From the forward pass: the gates of each step `[L, B, W H]`, and the states before it `[N, L, B, H]`.
    kept: Option<[Tensor<T>; 2]>,
}

/// W_ihᵀ, and W_hhᵀ by runs, where parameters keep them packed.
type PackedWeights<T> = [Option<Arc<[Packed<T>]>>; 2];

/// The output of a recurrence on what was checked to fit.
pub(super) fn apply_to<T: Element, C: Steps<T>>(
    cell: C,
    x: &Tensor<T>,
    state: &[&Tensor<T>],
    weights: &RecurrentWeights<T>,
    walk: &Walk,
) -> Result<Tensor<T>> {
    let op = Sequence {
        cell,
        walk: walk.clone(),
        has_biases: weights.biases.is_some(),
        packed: packed::<T, C>(weights),
        kept: None,
    };
    let mut inputs = vec![x, &weights.weight_ih.value, &weights.weight_hh.value];
    inputs.extend(weights.biases.iter().flatten());
    inputs.extend(state);
    apply(op, &inputs)
}

fn packed<T: Element, C: Steps<T>>(weights: &RecurrentWeights<T>) -> PackedWeights<T> {
    let hidden = weights.weight_hh.value.shape()[1];
    let rows = C::GATES * hidden;
    let runs = kernels::recurrent_runs::<T, C>(hidden).map(|(_, rows)| rows.len());
    let runs: Vec<usize> = runs.collect();
    [
        weights.weight_ih.packed(&[rows]),
        weights.weight_hh.packed(&runs),
    ]
}

impl<T: Element, C: Steps<T>> Op<T> for Sequence<T, C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn saves(&self, _needs: Needs) -> Saves {
        (0..self.first_state() + C::STATES)
            .map(Saves::input)
            .fold(Saves::NOTHING, Saves::and)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>> {
        let sizes = Sizes::of(inputs[0], inputs[2]);
        let &Sizes {
            steps,
            batch,
            hidden,
            ..
        } = &sizes;
        let bias = self.bias(&sizes, inputs)?;
        let (of_input, alone) = bias.split_at(sizes.rows.min(bias.len()));
        let mut gates = self.input_gates(&sizes, inputs[0], inputs[1], of_input)?;
        let first = inputs[self.first_state()..].iter();
        let first: Vec<_> = first.map(|state| state.read()).collect::<Result<_>>()?;
        let weights = kernels::Weights {
            recurrent: &inputs[2].read()?,
            packed: self.packed[1].as_deref(),
            bias: alone,
        };
        let kept_steps = if needs.any() { steps } else { 0 };
        let mut states = Tensor::build([C::STATES, kept_steps, batch, hidden], |_| ())?;
        let output = Tensor::build([steps + C::STATES, batch, hidden], |output| {
            let last = output[steps * batch * hidden..].chunks_mut((batch * hidden).max(1));
            for (last, first) in last.zip(&first) {
                last.copy_from_slice(first);
            }
            let (gates, states) = (gates.values_mut(), states.values_mut());
            let sequences = self.sequences(&sizes);
            kernels::forward(self.cell, &sequences, weights, gates, states, output);
        })?;
        self.kept = needs.any().then_some([gates, states]);
        Ok(output)
    }

    /// The gradient of the same steps as tensor operations.
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let first_state = self.first_state();
        let inputs: Vec<Tensor<T>> = (0..first_state + C::STATES)
            .map(|index| saved.input(index).clone())
            .collect();
        let compose = |inputs: &Vec<Tensor<T>>| {
            let weights = RecurrentWeights {
                weight_ih: (&inputs[1]).into(),
                weight_hh: (&inputs[2]).into(),
                biases: self
                    .has_biases
                    .then(|| [inputs[3].clone(), inputs[4].clone()]),
            };
            compose(
                self.cell,
                &inputs[0],
                &weights,
                &inputs[first_state..],
                &self.walk,
            )
        };
        let (_, gradients) = vjp(compose, &inputs, &cotangent)?;
        Ok(gradients.into_iter().map(Some).collect())
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        match &self.kept {
            Some(kept) => self.kernel_vjp(saved, kept, &cotangent),
            None => self.vjp(saved, cotangent),
        }
    }
}

/// The sizes of a recurrence.
struct Sizes {
    steps: usize,
    batch: usize,
    inputs: usize,
    hidden: usize,
    /// G H
    rows: usize,
}

impl Sizes {
    fn of<T: Element>(x: &Tensor<T>, weight_hh: &Tensor<T>) -> Self {
        Self {
            steps: x.shape()[0],
            batch: x.shape()[1],
            inputs: x.shape()[2],
            hidden: weight_hh.shape()[1],
            rows: weight_hh.shape()[0],
        }
    }
}

impl<T: Element, C: Steps<T>> Sequence<T, C> {
    /// Which input is the first of the state.
    fn first_state(&self) -> usize {
        if self.has_biases { 5 } else { 3 }
    }

    fn sequences(&self, sizes: &Sizes) -> Sequences<'_> {
        Sequences {
            steps: sizes.steps,
            batch: sizes.batch,
            hidden: sizes.hidden,
            lengths: self.walk.lengths.as_deref(),
            reverse: self.walk.reverse,
        }
    }

    /// `W_ih x + b` in the first G H of W H columns.
    fn input_gates(
        &self,
        sizes: &Sizes,
        x: &Tensor<T>,
        weight: &Tensor<T>,
        bias: &[T],
    ) -> Result<Tensor<T>> {
        let (width, inputs) = (C::WIDTH * sizes.hidden, sizes.inputs);
        let (x, weight) = (x.read()?, weight.read()?);
        let right = match self.packed[0].as_deref() {
            Some([packed]) => Right::Packed(packed),
            _ => Right::View(Matrix::rows(&weight, inputs).transposed()),
        };
        let start = match bias {
            [] => Start::Zero,
            bias => Start::Row(bias),
        };
        Tensor::build([sizes.steps, sizes.batch, width], |gates| {
            product(
                [sizes.steps * sizes.batch, inputs, sizes.rows],
                Matrix::rows(&x, inputs),
                right,
                (gates, width),
                start,
            );
        })
    }

    /// What the biases add to the W H columns of the gates; nothing if there are none.
    fn bias(&self, sizes: &Sizes, inputs: &[&Tensor<T>]) -> Result<Vec<T>> {
        if !self.has_biases {
            return Ok(Vec::new());
        }
        let mut sum = inputs[3].values().to_vec();
        sum.resize(C::WIDTH * sizes.hidden, T::zero());
        let of_hidden = inputs[4].read()?;
        for (columns, rows) in kernels::recurrent_runs::<T, C>(sizes.hidden) {
            for (sum, &bias) in sum[columns].iter_mut().zip(&of_hidden[rows]) {
                *sum += bias;
            }
        }
        Ok(sum)
    }

    fn kernel_vjp(
        &self,
        saved: &Saved<'_, T>,
        [gates, states]: &[Tensor<T>; 2],
        cotangent: &Tensor<T>,
    ) -> Result<Cotangents<T>> {
        let (x, weight_ih, weight_hh) = (saved.input(0), saved.input(1), saved.input(2));
        let sizes = Sizes::of(x, weight_hh);
        let cotangent = cotangent.read()?;
        let per_state = sizes.batch * sizes.hidden;
        let trace = kernels::Trace {
            gates: &gates.read()?,
            states: &states.read()?,
            cotangent: &cotangent,
        };
        let mut dstate = Tensor::build([C::STATES, sizes.batch, sizes.hidden], |dstate| {
            dstate.copy_from_slice(&cotangent[sizes.steps * per_state..]);
        })?;
        let (weight, sequences) = (weight_hh.read()?, self.sequences(&sizes));
        let dgates = Tensor::build(gates.shape(), |dgates| {
            let dstate = dstate.values_mut();
            kernels::backward(self.cell, &sequences, &weight, &trace, dgates, dstate);
        })?;
        let gates = GateGradients {
            sizes,
            width: dgates.shape()[2],
            values: &dgates.read()?,
        };
        let wanted = |index: usize| saved.needs(index).then_some(());
        let of_recurrent = || gates.of_recurrent_weight::<C>(trace.states);
        let mut gradients = vec![
            wanted(0).map(|()| gates.of_input(weight_ih)).transpose()?,
            wanted(1).map(|()| gates.of_input_weight(x)).transpose()?,
            wanted(2).map(|()| of_recurrent()).transpose()?,
        ];
        if self.has_biases {
            gradients.extend(gates.of_biases::<C>()?.map(Some));
        }
        for index in 0..C::STATES {
            gradients.push(Some(dstate.narrow(0, index, 1)?.squeeze(0)?));
        }
        Ok(gradients.into_iter().collect())
    }
}

/// The gradients of the gates before any function is applied to them, and what follows from them: one product each.
struct GateGradients<'a, T> {
    sizes: Sizes,
    /// W H
    width: usize,
    /// `[L B, W H]`
    values: &'a [T],
}

impl<T: Element> GateGradients<'_, T> {
    /// `dx = dG W_ih: [L, B, I]`
    fn of_input(&self, weight: &Tensor<T>) -> Result<Tensor<T>> {
        let &Sizes {
            steps,
            batch,
            inputs,
            rows,
            ..
        } = &self.sizes;
        let weight = weight.read()?;
        Tensor::build([steps, batch, inputs], |dx| {
            let dgates = Matrix::rows(self.values, self.width);
            let weight = Matrix::rows(&weight, inputs);
            product(
                [steps * batch, rows, inputs],
                dgates,
                weight,
                (dx, inputs),
                Start::Zero,
            );
        })
    }

    /// `dW_ih = dGᵀ x: [G H, I]`
    fn of_input_weight(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let (rows, inputs) = (self.sizes.rows, self.sizes.inputs);
        let x = x.read()?;
        Tensor::build([rows, inputs], |out| {
            self.transposed_product(0..rows, &x, inputs, out);
        })
    }

    /// `dW_hh = dGᵀ h: [G H, H]`, h the hidden states before the steps.
    fn of_recurrent_weight<C: Steps<T>>(&self, states: &[T]) -> Result<Tensor<T>> {
        let hidden = self.sizes.hidden;
        Tensor::build([self.sizes.rows, hidden], |out| {
            for (columns, rows) in kernels::recurrent_runs::<T, C>(hidden) {
                let out = &mut out[rows.start * hidden..rows.end * hidden];
                self.transposed_product(columns, states, hidden, out);
            }
        })
    }

    /// `out = dG[:, columns]ᵀ y`, `y: [L B, n]`
    fn transposed_product(&self, columns: Range<usize>, y: &[T], n: usize, out: &mut [T]) {
        let steps = self.sizes.steps * self.sizes.batch;
        let dgates = self.values.get(columns.start..).unwrap_or_default();
        let dgates = Matrix::rows(dgates, self.width).transposed();
        product(
            [columns.len(), steps, n],
            dgates,
            Matrix::rows(y, n),
            (out, n),
            Start::Zero,
        );
    }

    /// `Σ dG` over all steps of all sequences, as b_ih and b_hh get it: `[G H]` each.
    fn of_biases<C: Steps<T>>(&self) -> Result<[Tensor<T>; 2]> {
        let sums = Tensor::build([self.width], |sums| {
            sum_axis(
                self.values,
                1,
                self.sizes.steps * self.sizes.batch,
                self.width,
                sums,
            );
        })?;
        let sums = sums.read()?;
        let of_hidden = Tensor::build([self.sizes.rows], |out| {
            for (columns, rows) in kernels::recurrent_runs::<T, C>(self.sizes.hidden) {
                out[rows].copy_from_slice(&sums[columns]);
            }
        })?;
        let of_input = Tensor::build([self.sizes.rows], |out| {
            out.copy_from_slice(&sums[..self.sizes.rows]);
        })?;
        Ok([of_input, of_hidden])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Gradients, Shape, Tape};
    use lexigrad_kernels::recurrent::{Cell, Gru, Lstm, Nonlinearity};
    use rand::{SeedableRng, rngs::StdRng};

    /// x, W_ih, W_hh, b_ih, b_hh and two states, and the gradient of the output.
    fn draw<C: Cell<f64>>(seed: u64) -> (Vec<Tensor<f64>>, Tensor<f64>) {
        let (steps, batch, inputs, hidden) = (7, 19, 3, 5);
        let rows = C::GATES * hidden;
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draw = |shape: &[usize]| Tensor::uniform(Shape::from(shape), -1.0, 1.0, &mut rng);
        let inputs = [
            draw(&[steps, batch, inputs]),
            draw(&[rows, inputs]),
            draw(&[rows, hidden]),
            draw(&[rows]),
            draw(&[rows]),
            draw(&[batch, hidden]),
            draw(&[batch, hidden]),
        ];
        (inputs.to_vec(), draw(&[steps + C::STATES, batch, hidden]))
    }

    /// The output and the gradients of all inputs.
    fn run<C: Steps<f64>>(
        cell: C,
        (inputs, cotangent): &(Vec<Tensor<f64>>, Tensor<f64>),
        walk: &Walk,
        fused: bool,
    ) -> Vec<Tensor<f64>> {
        let tape = Tape::new();
        let inputs: Vec<Tensor<f64>> = inputs.iter().map(|x| tape.watch(x)).collect();
        let weights = RecurrentWeights {
            weight_ih: (&inputs[1]).into(),
            weight_hh: (&inputs[2]).into(),
            biases: Some([inputs[3].clone(), inputs[4].clone()]),
        };
        let state = &inputs[5..5 + C::STATES];
        let output = if fused {
            let state: Vec<&Tensor<f64>> = state.iter().collect();
            apply_to(cell, &inputs[0], &state, &weights, walk)
        } else {
            compose(cell, &inputs[0], &weights, state, walk)
        };
        let output = output.unwrap();
        let gradients: Gradients<f64> = tape.backward_with(&output, cotangent).unwrap();
        let of_input = |x| gradients.of(x).unwrap().to_dense().unwrap();
        let inputs = inputs[..5 + C::STATES].iter().map(of_input);
        std::iter::once(output.constant()).chain(inputs).collect()
    }

    fn check<C: Steps<f64>>(cell: C) {
        let drawn = draw::<C>(1);
        let lengths: Vec<usize> = (0..19).map(|row| (row * 5) % 8).collect();
        for lengths in [None, Some(lengths)] {
            for reverse in [false, true] {
                let walk = Walk {
                    lengths: lengths.clone(),
                    reverse,
                };
                let (fused, composed) = (
                    run(cell, &drawn, &walk, true),
                    run(cell, &drawn, &walk, false),
                );
                for (index, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
                    let difference = fused.sub(composed).unwrap().abs().sum().item().unwrap();
                    assert!(difference < 1e-10, "{} {index} {walk:?}", C::NAME);
                }
            }
        }
    }

    #[test]
    fn the_fused_form_is_the_composed_one() {
        check(Lstm);
        check(Gru);
        check(Nonlinearity::Tanh);
        check(Nonlinearity::Relu);
    }
}
