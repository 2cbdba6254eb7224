//! Recurrences as tensor operations, step by step: what is differentiated where a gradient is differentiated again.

use lexigrad_kernels::recurrent::{Cell, Gru, Lstm, Nonlinearity};

use super::{RecurrentWeights, Walk};
use crate::element::Element;
use crate::error::Result;
use crate::ops::join::stack;
use crate::ops::matmul::linear;
use crate::ops::select::Mask;
use crate::tensor::Tensor;

/// A step of a recurrence in tensor operations.
pub(super) trait Steps<T: Element>: Cell<T> {
    /// What errors call it.
    const NAME: &'static str;

    /// The state after a step, `[B, H]` each, h first, from what the input and what h give, `[B, G H]` each.
    fn step(
        self,
        input: &Tensor<T>,
        recurrent: &Tensor<T>,
        state: &[Tensor<T>],
    ) -> Result<Vec<Tensor<T>>>;
}

impl<T: Element> Steps<T> for Nonlinearity {
    const NAME: &'static str = "rnn_sequence";

    fn step(
        self,
        input: &Tensor<T>,
        recurrent: &Tensor<T>,
        _state: &[Tensor<T>],
    ) -> Result<Vec<Tensor<T>>> {
        let sum = input.add(recurrent)?;
        Ok(vec![match self {
            Self::Tanh => sum.tanh(),
            Self::Relu => sum.relu(),
        }])
    }
}

impl<T: Element> Steps<T> for Lstm {
    const NAME: &'static str = "lstm_sequence";

    fn step(
        self,
        input: &Tensor<T>,
        recurrent: &Tensor<T>,
        state: &[Tensor<T>],
    ) -> Result<Vec<Tensor<T>>> {
        let gates = input.add(recurrent)?.chunk(4, 1)?;
        let (input, forget, output) = (gates[0].sigmoid(), gates[1].sigmoid(), gates[3].sigmoid());
        let cell = forget.mul(&state[1])?.add(&input.mul(&gates[2].tanh())?)?;
        Ok(vec![output.mul(&cell.tanh())?, cell])
    }
}

impl<T: Element> Steps<T> for Gru {
    const NAME: &'static str = "gru_sequence";

    fn step(
        self,
        input: &Tensor<T>,
        recurrent: &Tensor<T>,
        state: &[Tensor<T>],
    ) -> Result<Vec<Tensor<T>>> {
        let (input, recurrent) = (input.chunk(3, 1)?, recurrent.chunk(3, 1)?);
        let reset = input[0].add(&recurrent[0])?.sigmoid();
        let update = input[1].add(&recurrent[1])?.sigmoid();
        let content = input[2].add(&reset.mul(&recurrent[2])?)?.tanh();
        let kept = update.mul(&state[0].sub(&content)?)?;
        Ok(vec![content.add(&kept)?])
    }
}

/// The hidden states `[L, B, H]`, zeros in the padding, then the last state: `[L + N, B, H]`.
///
/// A sequence keeps its state in padding. So in reverse, where padding comes first, it starts at its own last element.
pub(super) fn compose<T: Element>(
    cell: impl Steps<T>,
    x: &Tensor<T>,
    weights: &RecurrentWeights<T>,
    state: &[Tensor<T>],
    walk: &Walk,
) -> Result<Tensor<T>> {
    let bias = |index: usize| weights.biases.as_ref().map(|biases| &biases[index]);
    let inputs = unbind(&linear(x, weights.weight_ih.clone(), bias(0))?)?;
    let mut times: Vec<usize> = (0..inputs.len()).collect();
    if walk.reverse {
        times.reverse();
    }
    let mut outputs = vec![None; inputs.len()];
    let mut state = state.to_vec();
    for time in times {
        let recurrent = linear(&state[0], weights.weight_hh.clone(), bias(1))?;
        let mut next = cell.step(&inputs[time], &recurrent, &state)?;
        outputs[time] = Some(match walk.present(time)? {
            None => next[0].clone(),
            Some(present) => {
                let output = next[0].masked_fill(&present.not(), T::zero())?;
                for (next, before) in next.iter_mut().zip(&state) {
                    *next = next.where_mask(&present, before)?;
                }
                output
            }
        });
        state = next;
    }
    let parts: Vec<&Tensor<T>> = outputs.iter().flatten().chain(&state).collect();
    stack(&parts, 0)
}

impl Walk {
    /// Which sequences have an element at `time`, `[B, 1]`; `None` if all do.
    fn present(&self, time: usize) -> Result<Option<Mask>> {
        let lengths = self.lengths.as_deref().unwrap_or_default();
        if lengths.iter().all(|&length| time < length) {
            return Ok(None);
        }
        let values = lengths.iter().map(|&length| time < length).collect();
        Mask::new(values, [lengths.len(), 1]).map(Some)
    }
}

/// `x: [L, ..]` as L tensors `[..]`.
///
/// By halves, because the gradient of a part is as large as what it is a part of: all of them cost L ln L and not L².
fn unbind<T: Element>(x: &Tensor<T>) -> Result<Vec<Tensor<T>>> {
    match x.shape()[0] {
        0 => Ok(Vec::new()),
        1 => Ok(vec![x.squeeze(0)?]),
        length => {
            let half = length / 2;
            let mut parts = unbind(&x.narrow(0, 0, half)?)?;
            parts.extend(unbind(&x.narrow(0, half, length - half)?)?);
            Ok(parts)
        }
    }
}
