//! The records of a tape: how each tensor on it came about.

use super::accumulate::Accumulator;
use super::finite;
use super::lane::Lane;
use super::record::{Computed, Indices, Record, Source};
use super::thread::{self, Alive, Current, Recording, Scope};
use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::leaf::{Leaf, NodeId, ParamId, TapeId};
use crate::op::{Needs, Op, Saves};
use crate::shape::Shape;
use crate::tensor::Tensor;

pub(super) fn with_lane<T: Element, R>(
    id: TapeId,
    use_it: impl FnOnce(&mut Lane<T>) -> R,
) -> Option<R> {
    thread::with_recording(id, |recording| use_it(recording.lanes.of::<T>()))
}

/// A new leaf of the tape `id`.
pub(super) fn watched_leaf<T: Element>(id: TapeId, shape: &Shape) -> Option<NodeId> {
    with_lane::<T, _>(id, |lane| {
        let index = lane.records.len() as u32;
        let node = NodeId { tape: id, index };
        lane.push(shape.clone(), Source::Leaf(Leaf::Watched(node)));
        node
    })
}

/// The leaf of a parameter on the tape that records, made at its first read.
pub(crate) fn param_leaf<T: Element>(param: ParamId, shape: &Shape) -> Option<NodeId> {
    let tape = thread::current()?.tape;
    let index = with_lane::<T, _>(tape, |lane| lane.param_leaf(param, shape))?;
    Some(NodeId { tape, index })
}

/// Brings what an input stands for onto the tape that records, where a tensor of a tape around it may become a leaf; whether it is on
/// it then. A tensor of a tape that has ended is noted.
#[inline]
fn bring_onto_tape<T: Element>(
    current: Option<Current>,
    operation: &'static str,
    node: NodeId,
    shape: &Shape,
) -> Result<bool> {
    if current.is_some_and(|current| current.tape == node.tape) && !node.is_lost() {
        return Ok(true);
    }
    match thread::whereabouts(node.tape) {
        Alive::Elsewhere => Err(Error::new(operation, ErrorKind::OtherThread)),
        Alive::Here if node.is_lost() => Err(Error::new(operation, ErrorKind::OtherThread)),
        Alive::Here => Ok(thread::with_current(|recording| {
            let is_open = recording.scope != Scope::Closed;
            if is_open {
                recording.lanes.of::<T>().import(node, shape);
            }
            is_open
        })
        .unwrap_or(false)),
        Alive::No => {
            thread::with_current(|recording| {
                if let Some(trace) = &mut recording.trace {
                    trace.note_stale(operation, shape);
                }
            });
            Ok(false)
        }
    }
}

/// Brings the inputs of an operation onto the tape that records. Those that are on it need a gradient; none does if the tape keeps
/// leaves alone.
///
/// # Errors
/// If an input belongs to a tape that is alive on another thread.
#[inline(always)]
pub(super) fn needs<'a, T: Element>(
    operation: &'static str,
    inputs: impl Iterator<Item = (Option<Leaf>, &'a Shape)>,
) -> Result<Needs> {
    let current = thread::current();
    let mut needs = Needs::NONE;
    for (position, (leaf, shape)) in inputs.enumerate() {
        let is_recorded = match leaf {
            None => false,
            Some(Leaf::Param(param)) => param_leaf::<T>(param, shape).is_some(),
            Some(Leaf::Watched(node)) => bring_onto_tape::<T>(current, operation, node, shape)?,
        };
        if is_recorded {
            needs = needs.with(position);
        }
    }
    let keeps = current.is_some_and(|current| current.keeps);
    Ok(if keeps { needs } else { Needs::NONE })
}

/// [`needs`] of an operation on tensors.
pub(crate) fn needs_of<T: Element>(
    operation: &'static str,
    inputs: &[&Tensor<T>],
) -> Result<Needs> {
    let inputs = inputs.iter();
    needs::<T>(
        operation,
        inputs.map(|input| (leaf_of(input), input.shape())),
    )
}

fn leaf_of<T: Element>(input: &Tensor<T>) -> Option<Leaf> {
    input.node().map(Leaf::Watched)
}

/// Records that `op` made `output` from inputs of which some need a gradient.
///
/// # Errors
/// If the tape checks its numbers and finds a fault in the output.
pub(crate) fn record<T: Element>(
    op: Box<dyn Op<T>>,
    needs: Needs,
    inputs: &[&Tensor<T>],
    output: &mut Tensor<T>,
) -> Result<()> {
    let Some(current) = thread::current() else {
        return Ok(());
    };
    let leaves = inputs.iter().map(|input| leaf_of(input));
    let indices = || {
        with_lane::<T, Indices>(current.tape, |lane| {
            let leaves = leaves.clone();
            leaves.map(|leaf| lane.place(current.tape, leaf)).collect()
        })
    };
    let checked = match current.traced.then(indices).flatten() {
        Some(indices) => finite::check_output(current.tape, &*op, inputs, &indices, output),
        None => Ok(()),
    };
    // Recorded all the same: a total operation cannot return the fault.
    push_computed(op, needs, inputs, leaves, output);
    checked
}

/// [`record`] without a look at the output, of an operation on what the leaves stand for.
#[inline]
pub(super) fn push_computed<T: Element>(
    op: Box<dyn Op<T>>,
    needs: Needs,
    inputs: &[&Tensor<T>],
    leaves: impl Iterator<Item = Option<Leaf>>,
    output: &mut Tensor<T>,
) {
    let Some(Current { tape, .. }) = thread::current() else {
        return;
    };
    let saves = op.saves(needs);
    let mut saved: Vec<Tensor<T>> = Vec::new();
    if saves != Saves::NOTHING {
        saved.extend(saves.inputs().map(|index| inputs[index].clone()));
    }
    let mut made = Some((op, leaves));
    let mut push = |recording: &mut Recording| {
        let Some((op, leaves)) = made.take() else {
            return;
        };
        let lane = recording.lanes.of::<T>();
        let index = lane.records.len() as u32;
        output.set_node(Some(NodeId { tape, index }));
        if saves.has_output() {
            saved.push(output.clone());
        }
        let inputs = leaves.map(|leaf| lane.place(tape, leaf)).collect();
        let record = lane.push_empty();
        record.shape = output.shape().clone();
        record.source = Source::Computed(Computed {
            op,
            inputs,
            needs,
            saves,
            saved: std::mem::take(&mut saved),
        });
    };
    // The closure is lent: what it holds would otherwise be moved as well.
    thread::with_recording(tape, &mut push);
}

/// All records of a tape that is about to end, and room for their sums.
pub(super) fn take<T: Element>(id: TapeId) -> (Vec<Record<T>>, Vec<Option<Accumulator<T>>>) {
    with_lane::<T, _>(id, |lane| {
        (
            std::mem::take(&mut lane.records),
            std::mem::take(&mut lane.sums),
        )
    })
    .unwrap_or_default()
}

/// Room for the sums of a pass that leaves the tape whole, and back again.
pub(super) fn take_sums<T: Element>(id: TapeId) -> Vec<Option<Accumulator<T>>> {
    with_lane::<T, _>(id, |lane| std::mem::take(&mut lane.sums)).unwrap_or_default()
}

pub(super) fn give_back_sums<T: Element>(id: TapeId, mut sums: Vec<Option<Accumulator<T>>>) {
    sums.clear();
    with_lane::<T, _>(id, |lane| lane.sums = sums);
}

/// Returns the room that [`take`] took, empty.
pub(super) fn give_back<T: Element>(
    id: TapeId,
    records: Vec<Record<T>>,
    sums: Vec<Option<Accumulator<T>>>,
) {
    with_lane::<T, _>(id, |lane| (lane.records, lane.sums) = (records, sums));
}

/// The leaves of a tape, in the order they were first read.
pub(super) fn leaves<T: Element>(id: TapeId) -> Vec<(Leaf, Shape)> {
    look::<T, _>(id, |records| {
        let leaves = records.iter().filter_map(|record| match record.source {
            Source::Leaf(leaf) => Some((leaf, record.shape.clone())),
            _ => None,
        });
        leaves.collect()
    })
}

/// Looks at the records of a tape; `look` must not run any operation.
pub(super) fn look<T: Element, R: Default>(id: TapeId, look: impl FnOnce(&[Record<T>]) -> R) -> R {
    with_lane::<T, _>(id, |lane| look(&lane.records)).unwrap_or_default()
}
