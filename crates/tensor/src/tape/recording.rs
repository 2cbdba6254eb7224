//! The records of a tape: how each tensor on it came about.

use smallvec::SmallVec;

use super::finite;
use super::record::{CONSTANT, Computed, Indices, Record, Source};
use super::thread::{self, Alive, Current, Recording, Scope, TapeId};
use crate::accumulate::Accumulator;
use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::gradients::Leaf;
use crate::op::{Needs, Op, Saves};
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A tensor's place: the record on the tape that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId {
    pub(crate) tape: TapeId,
    pub(crate) index: u32,
}

/// Stands for a tensor that was computed from one on the tape, but on another thread, where it was not recorded.
const LOST: u32 = u32::MAX;

impl NodeId {
    /// The mark of what was computed from this tensor on another thread.
    pub(crate) fn lost(self) -> Self {
        Self {
            index: LOST,
            ..self
        }
    }

    pub(super) fn is_lost(self) -> bool {
        self.index == LOST
    }
}

/// The records of one element type.
pub(crate) struct Lane<T: Element> {
    pub(super) records: Vec<Record<T>>,
    /// Room for the sums of a backward pass, one for each record.
    pub(super) sums: Vec<Option<Accumulator<T>>>,
    /// The leaf of each parameter that was read, ascending by parameter.
    params: Vec<(ParamId, u32)>,
    /// The leaf of each tensor that was taken over from a tape around this one.
    imports: Vec<(NodeId, u32)>,
}

impl<T: Element> Default for Lane<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            sums: Vec::new(),
            params: Vec::new(),
            imports: Vec::new(),
        }
    }
}

impl<T: Element> Lane<T> {
    fn clear(&mut self) {
        self.records.clear();
        self.sums.clear();
        self.params.clear();
        self.imports.clear();
    }

    fn push(&mut self, shape: Shape, source: Source<T>) -> u32 {
        let index = self.records.len() as u32;
        self.records.push(Record { shape, source });
        index
    }

    /// A new record for an operation, to be written where it stands: one that is moved there while its parts are on their way to
    /// memory waits for them.
    fn push_empty(&mut self) -> &mut Record<T> {
        let index = self.records.len();
        self.records.resize_with(index + 1, Record::default);
        &mut self.records[index]
    }

    fn param_leaf(&mut self, param: ParamId, shape: &Shape) -> u32 {
        match self.params.binary_search_by_key(&param, |entry| entry.0) {
            Ok(position) => self.params[position].1,
            Err(position) => {
                let index = self.push(shape.clone(), Source::Leaf(Leaf::Param(param)));
                self.params.insert(position, (param, index));
                index
            }
        }
    }

    fn imported_leaf(&mut self, node: NodeId, shape: &Shape) -> u32 {
        if let Some((_, index)) = self.imports.iter().find(|(import, _)| *import == node) {
            return *index;
        }
        let index = self.push(shape.clone(), Source::Leaf(Leaf::Watched(node)));
        self.imports.push((node, index));
        index
    }
}

#[derive(Default)]
pub(crate) struct Lanes {
    f32: Lane<f32>,
    f64: Lane<f64>,
}

impl Lanes {
    /// Lets go of all records, but keeps the room for the next tape's.
    pub(super) fn clear(&mut self) {
        self.f32.clear();
        self.f64.clear();
    }

    /// The most records that there is room for.
    pub(super) fn room(&self) -> usize {
        self.f32.records.capacity().max(self.f64.records.capacity())
    }
}

/// An element type that has a lane on each tape.
pub(crate) trait Taped: Sized {
    fn lane(lanes: &mut Lanes) -> &mut Lane<Self>
    where
        Self: Element;
}

impl Taped for f32 {
    fn lane(lanes: &mut Lanes) -> &mut Lane<f32> {
        &mut lanes.f32
    }
}

impl Taped for f64 {
    fn lane(lanes: &mut Lanes) -> &mut Lane<f64> {
        &mut lanes.f64
    }
}

pub(super) fn with_lane<T: Element, R>(
    id: TapeId,
    use_it: impl FnOnce(&mut Lane<T>) -> R,
) -> Option<R> {
    thread::with_recording(id, |recording| use_it(T::lane(&mut recording.lanes)))
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

/// The record on the tape that records, `None` for a constant; a tensor of a tape around it may become a leaf.
#[inline]
fn index_of<T: Element>(
    current: Option<Current>,
    operation: &'static str,
    node: NodeId,
    shape: &Shape,
) -> Result<Option<u32>> {
    if current.is_some_and(|current| current.tape == node.tape) && !node.is_lost() {
        return Ok(Some(node.index));
    }
    match thread::whereabouts(node.tape) {
        Alive::Elsewhere => Err(Error::new(operation, ErrorKind::OtherThread)),
        Alive::Here if node.is_lost() => Err(Error::new(operation, ErrorKind::OtherThread)),
        Alive::Here => Ok(thread::with_current(|recording| {
            let open = recording.scope != Scope::Closed;
            open.then(|| T::lane(&mut recording.lanes).imported_leaf(node, shape))
        })
        .flatten()),
        Alive::No => {
            thread::with_current(|recording| {
                if let Some(trace) = &mut recording.trace {
                    trace.note_stale(operation, shape);
                }
            });
            Ok(None)
        }
    }
}

/// Records that `op` made `output` from `inputs`, if a tape records and an input is on it.
pub(crate) fn record<T: Element>(
    op: impl Op<T>,
    inputs: &[&Tensor<T>],
    output: &mut Tensor<T>,
) -> Result<()> {
    let current = thread::current();
    let mut needs = Needs::NONE;
    let mut indices: SmallVec<[u32; 4]> = SmallVec::new();
    for (position, input) in inputs.iter().enumerate() {
        let index = match input.node() {
            Some(node) => index_of::<T>(current, op.name(), node, input.shape())?,
            None => None,
        };
        if index.is_some() {
            needs = needs.with(position);
        }
        indices.push(index.unwrap_or(CONSTANT));
    }
    let Some(current) = current.filter(|_| needs.any()) else {
        return Ok(());
    };
    let checked = if current.traced {
        finite::check_output(current.tape, &op, inputs, &indices, output)
    } else {
        Ok(())
    };
    // Recorded all the same: a total operation cannot return the fault.
    push_computed(current.tape, op, inputs, &indices, needs, output);
    checked
}

/// Records that `op` made `output` from what the leaves stand for.
pub(super) fn record_from_leaves<T: Element>(
    op: impl Op<T>,
    leaves: &[(Leaf, Shape)],
    output: &mut Tensor<T>,
) -> Result<()> {
    let current = thread::current();
    let mut needs = Needs::NONE;
    let mut indices: SmallVec<[u32; 4]> = SmallVec::new();
    for (position, (leaf, shape)) in leaves.iter().enumerate() {
        let index = match *leaf {
            Leaf::Param(param) => param_leaf::<T>(param, shape).map(|node| node.index),
            Leaf::Watched(node) => index_of::<T>(current, op.name(), node, shape)?,
        };
        if index.is_some() {
            needs = needs.with(position);
        }
        indices.push(index.unwrap_or(CONSTANT));
    }
    if let Some(current) = current.filter(|_| needs.any()) {
        push_computed(current.tape, op, &[], &indices, needs, output);
    }
    Ok(())
}

fn push_computed<T: Element>(
    tape: TapeId,
    op: impl Op<T>,
    inputs: &[&Tensor<T>],
    indices: &[u32],
    needs: Needs,
    output: &mut Tensor<T>,
) {
    let saves = op.saves(needs);
    let mut saved: Vec<Tensor<T>> = Vec::new();
    if saves != Saves::NOTHING {
        saved.extend(saves.inputs().map(|index| inputs[index].clone()));
    }
    let mut op: Option<Box<dyn Op<T>>> = Some(Box::new(op));
    let mut push = |recording: &mut Recording| {
        let Some(op) = op.take().filter(|_| recording.scope != Scope::LeavesOnly) else {
            return;
        };
        let lane = T::lane(&mut recording.lanes);
        let index = lane.records.len() as u32;
        output.set_node(Some(NodeId { tape, index }));
        if saves.has_output() {
            saved.push(output.clone());
        }
        let record = lane.push_empty();
        record.shape = output.shape().clone();
        record.source = Source::Computed(Computed {
            op,
            inputs: Indices::copy_of(indices),
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

/// A record's operation, out of its tape while its gradient is computed, and back in it when dropped.
pub(super) struct Borrowed<T: Element> {
    tape: TapeId,
    index: u32,
    computed: Option<Computed<T>>,
}

/// The operation of a record that is no leaf.
///
/// # Errors
/// If its gradient is being computed already, and `is_needed` says that its inputs are needed.
pub(super) fn borrow<T: Element>(
    tape: TapeId,
    index: u32,
    is_needed: impl Fn(&Indices) -> bool,
) -> Result<Option<Borrowed<T>>> {
    let borrowed = with_lane::<T, _>(tape, |lane| {
        let Record { shape, source } = &mut lane.records[index as usize];
        let inputs = match source {
            Source::Computed(Computed { inputs, .. }) if is_needed(inputs) => inputs.clone(),
            Source::Lent(inputs) if is_needed(inputs) => {
                let rule = "a hook can differentiate only what was computed before its tensor";
                let what = format!(
                    "the way back leads through a tensor of shape {shape} whose gradient is being computed; {rule}"
                );
                return Err(Error::other("grad", what));
            }
            _ => return Ok(None),
        };
        let Source::Computed(computed) = std::mem::replace(source, Source::Lent(inputs)) else {
            return Ok(None);
        };
        let computed = Some(computed);
        Ok(Some(Borrowed {
            tape,
            index,
            computed,
        }))
    });
    borrowed.unwrap_or(Ok(None))
}

impl<T: Element> Borrowed<T> {
    pub(super) fn computed(&self) -> Option<&Computed<T>> {
        self.computed.as_ref()
    }
}

impl<T: Element> Drop for Borrowed<T> {
    fn drop(&mut self) {
        if let Some(computed) = self.computed.take() {
            with_lane::<T, _>(self.tape, |lane| {
                lane.records[self.index as usize].source = Source::Computed(computed);
            });
        }
    }
}
