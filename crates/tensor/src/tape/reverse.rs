//! The two passes over a tape in reverse: one that consumes it, one that records what it does.

use super::finite::{self, Incoming};
use super::recording::{self, CONSTANT, Computed, Record, Source};
use super::thread::TapeId;
use crate::accumulate::Accumulator;
use crate::element::Element;
use crate::error::Result;
use crate::grad::Grad;
use crate::gradients::Gradients;
use crate::op::{Cotangents, Saved};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Passes `cotangent` back from record `output` to the leaves of a tape and frees each record on the way.
pub(super) fn consume<T: Element>(
    tape: TapeId,
    output: u32,
    cotangent: Tensor<T>,
) -> Result<Gradients<T>> {
    let (mut records, mut sums) = recording::take::<T>(tape);
    let checks = finite::is_on(tape);
    records.truncate(output as usize + 1);
    sums.resize_with(records.len(), || None);
    if let Some(last) = sums.last_mut() {
        *last = Some(Accumulator::Dense(cotangent));
    }
    let mut gradients = Gradients::default();
    // Records are looked at where they stand: moving one costs as much as a small operation.
    while let Some((record, earlier)) = records.split_last_mut() {
        if let Some(sum) = sums.pop().flatten() {
            match &mut record.source {
                Source::Leaf(leaf) => gradients.insert(*leaf, sum.finish()),
                Source::Computed(computed) => {
                    let cotangent = sum.into_dense()?;
                    let incoming = checks.then(|| Incoming::new(&cotangent));
                    let mut cotangents = pull_back(computed, cotangent)?;
                    if let Some(incoming) = incoming {
                        incoming.check(tape, earlier.len(), computed, earlier, &cotangents)?;
                    }
                    computed.saved.clear();
                    for (index, gradient) in needed(&computed.inputs, &mut cotangents) {
                        let gradient = fit(gradient, &earlier[index].shape)?;
                        match &mut sums[index] {
                            Some(sum) => sum.add(gradient),
                            none => *none = Some(Accumulator::from(gradient)),
                        }
                    }
                }
                Source::Taken => {}
            }
        }
        records.pop();
    }
    recording::give_back(tape, records, sums);
    Ok(gradients)
}

/// How far a pass back goes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Until {
    /// To the leaves, so that a target from which another was computed gets that one's part too.
    Leaves,
    /// To the targets, each on its own.
    Targets,
}

/// Passes `cotangent` back from record `output` to the records `targets` in tensor operations, which the innermost tape records,
/// and leaves the tape whole.
pub(super) fn retrace<T: Element>(
    tape: TapeId,
    output: u32,
    targets: &[u32],
    until: Until,
    cotangent: Tensor<T>,
) -> Result<Vec<Option<Tensor<T>>>> {
    let on_path = recording::look(tape, |records: &[Record<T>]| {
        depends_on(records, output, targets)
    });
    let mut sums: Vec<Option<Accumulator<T>>> = Vec::new();
    sums.resize_with(output as usize + 1, || None);
    sums[output as usize] = Some(Accumulator::Dense(cotangent));
    let mut found: Vec<Option<Tensor<T>>> = vec![None; targets.len()];
    for index in (0..=output).rev() {
        let Some(sum) = sums[index as usize].take() else {
            continue;
        };
        let cotangent = sum.into_dense()?;
        for (slot, _) in found
            .iter_mut()
            .zip(targets)
            .filter(|(_, target)| **target == index)
        {
            *slot = Some(cotangent.clone());
        }
        if until == Until::Targets && targets.contains(&index) {
            continue;
        }
        let borrowed = recording::borrow::<T>(tape, index);
        let Some(computed) = borrowed.computed() else {
            continue;
        };
        if !computed.recorded_inputs().any(|input| on_path[input]) {
            continue;
        }
        let mut cotangents = pull_back(computed, cotangent)?;
        let gradients = needed(&computed.inputs, &mut cotangents);
        for (index, gradient) in gradients.filter(|(index, _)| on_path[*index]) {
            let shape = recording::look(tape, |records: &[Record<T>]| records[index].shape.clone());
            let gradient = fit(gradient, &shape)?;
            sums[index] = Some(match sums[index].take() {
                Some(sum) => sum.add_recorded(gradient)?,
                None => Accumulator::from(gradient),
            });
        }
    }
    Ok(found)
}

/// For each record up to `output` whether it is one of `targets` or was computed from one.
fn depends_on<T: Element>(records: &[Record<T>], output: u32, targets: &[u32]) -> Vec<bool> {
    let mut on_path = vec![false; output as usize + 1];
    for &target in targets.iter().filter(|&&target| target <= output) {
        on_path[target as usize] = true;
    }
    for index in 0..on_path.len() {
        if let Source::Computed(computed) = &records[index].source {
            on_path[index] |= computed.recorded_inputs().any(|input| on_path[input]);
        }
    }
    on_path
}

fn pull_back<T: Element>(computed: &Computed<T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
    let saved = Saved {
        saves: computed.saves,
        tensors: &computed.saved,
        needs: computed.needs,
    };
    computed.op.vjp(&saved, cotangent)
}

/// The gradients of the inputs that need one, each with its record.
fn needed<T: Element>(
    inputs: &[u32],
    cotangents: &mut Cotangents<T>,
) -> impl Iterator<Item = (usize, Grad<T>)> {
    let pairs = inputs.iter().zip(&mut cotangents.0);
    pairs
        .filter(|(input, _)| **input != CONSTANT)
        .filter_map(|(input, gradient)| Some((*input as usize, gradient.take()?)))
}

/// The one place where the gradient of a broadcast input is summed to the input's shape.
fn fit<T: Element>(gradient: Grad<T>, shape: &Shape) -> Result<Grad<T>> {
    match gradient {
        Grad::Dense(tensor) if tensor.shape() != shape => Ok(Grad::Dense(tensor.sum_to(shape)?)),
        other => Ok(other),
    }
}
