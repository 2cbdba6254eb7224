//! The two passes over a tape in reverse: one that consumes it, one that records what it does.

use super::finite::{self, Incoming};
use super::record::{CONSTANT, Computed, Indices, Record, Source};
use super::recording::{self, Borrowed};
use super::thread::{self, TapeId};
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
    let inspects = thread::with_recording(tape, |recording| recording.inspects);
    let mut are_finite = inspects.unwrap_or(false);
    records.truncate(output as usize + 1);
    sums.resize_with(records.len(), || None);
    if let Some(last) = sums.last_mut() {
        *last = Some(Accumulator::Dense(cotangent));
    }
    let mut gradients = Gradients::default();
    // Records and gradients are looked at where they stand: moving one costs as much as a small operation.
    while let Some((record, earlier)) = records.split_last_mut() {
        if let Some(sum) = sums.pop().flatten() {
            match &mut record.source {
                Source::Leaf(leaf) => {
                    let gradient = sum.finish();
                    are_finite = are_finite && gradient.first_not_finite().is_none();
                    gradients.insert(*leaf, gradient);
                }
                Source::Computed(computed) => {
                    let cotangent = sum.into_dense()?;
                    let incoming = checks.then(|| Incoming::new(&cotangent));
                    let mut cotangents = pull_back(computed, cotangent);
                    let cotangents = cotangents.as_mut().map_err(|error| error.clone())?;
                    if let Some(incoming) = incoming {
                        incoming.check(tape, earlier.len(), computed, earlier, cotangents)?;
                    }
                    computed.saved.clear();
                    for (index, gradient) in needed(&computed.inputs, cotangents) {
                        fit(gradient, &earlier[index].shape)?;
                        match &mut sums[index] {
                            Some(sum) => gradient.take().into_iter().for_each(|g| sum.add(g)),
                            none => *none = gradient.take().map(Accumulator::from),
                        }
                    }
                }
                Source::Lent(_) | Source::Empty => {}
            }
        }
        records.pop();
    }
    gradients.set_finite(are_finite);
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
    let mut sums = recording::take_sums::<T>(tape);
    sums.resize_with(output as usize + 1, || None);
    sums[output as usize] = Some(Accumulator::Dense(cotangent));
    let mut found: Vec<Option<Tensor<T>>> = vec![None; targets.len()];
    for index in (0..=output).rev() {
        let Some(sum) = sums[index as usize].take() else {
            continue;
        };
        let cotangent = match sum {
            Accumulator::Dense(cotangent) => cotangent,
            sparse => sparse.into_dense()?,
        };
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
        let leads_on = |inputs: &Indices| inputs.recorded().any(|input| on_path[input]);
        let borrowed = recording::borrow::<T>(tape, index, leads_on)?;
        let Some(computed) = borrowed.as_ref().and_then(Borrowed::computed) else {
            continue;
        };
        let mut cotangents = pull_back(computed, cotangent);
        let cotangents = cotangents.as_mut().map_err(|error| error.clone())?;
        let gradients = needed(&computed.inputs, cotangents);
        for (index, gradient) in gradients.filter(|(index, _)| on_path[*index]) {
            if let Some(shape) = other_shape(tape, index, gradient) {
                fit(gradient, &shape)?;
            }
            match (sums[index].take(), gradient.take()) {
                (Some(sum), Some(gradient)) => sums[index] = Some(sum.add_recorded(gradient)?),
                (_, gradient) => sums[index] = gradient.map(Accumulator::from),
            }
        }
    }
    recording::give_back_sums(tape, sums);
    Ok(found)
}

/// The shape of a record, if that of its gradient is another.
fn other_shape<T: Element>(
    tape: TapeId,
    index: usize,
    gradient: &Option<Grad<T>>,
) -> Option<Shape> {
    let Some(Grad::Dense(tensor)) = gradient else {
        return None;
    };
    recording::look(tape, |records: &[Record<T>]| {
        let shape = &records[index].shape;
        (tensor.shape() != shape).then(|| shape.clone())
    })
}

/// For each record up to `output` whether it is one of `targets` or was computed from one.
fn depends_on<T: Element>(records: &[Record<T>], output: u32, targets: &[u32]) -> Vec<bool> {
    let mut on_path = vec![false; output as usize + 1];
    for &target in targets.iter().filter(|&&target| target <= output) {
        on_path[target as usize] = true;
    }
    for index in 0..on_path.len() {
        if let Source::Computed(Computed { inputs, .. }) | Source::Lent(inputs) =
            &records[index].source
        {
            on_path[index] |= inputs.recorded().any(|input| on_path[input]);
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

/// The gradients of the inputs that need one, each with its record; to be taken from where they stand.
fn needed<'a, T: Element>(
    inputs: &Indices,
    cotangents: &'a mut Cotangents<T>,
) -> impl Iterator<Item = (usize, &'a mut Option<Grad<T>>)> {
    let pairs = inputs.iter().zip(&mut cotangents.0);
    pairs
        .filter(|(input, gradient)| *input != CONSTANT && gradient.is_some())
        .map(|(input, gradient)| (input as usize, gradient))
}

/// The one place where the gradient of a broadcast input is summed to the input's shape.
fn fit<T: Element>(gradient: &mut Option<Grad<T>>, shape: &Shape) -> Result<()> {
    if let Some(Grad::Dense(tensor)) = gradient
        && tensor.shape() != shape
    {
        *tensor = tensor.sum_to(shape)?;
    }
    Ok(())
}
