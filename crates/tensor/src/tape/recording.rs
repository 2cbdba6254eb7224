//! The tapes of this thread, which of them records, and the records themselves.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::gradients::Leaf;
use crate::kernels::random;
use crate::op::{Needs, Op, Saves};
use crate::param::ParamId;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Identifies a tape for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TapeId(NonZeroU64);

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

/// How one tensor came about.
pub(super) struct Record<T: Element> {
    pub(super) shape: Shape,
    pub(super) source: Source<T>,
}

pub(super) enum Source<T: Element> {
    Leaf(Leaf),
    Computed(Computed<T>),
    /// Taken out while a backward pass is at it, or already done with.
    Taken,
}

/// An operation that was run: what it needs to pass a gradient on. A leaf's data is not held here.
pub(super) struct Computed<T: Element> {
    pub(super) op: Box<dyn Op<T>>,
    /// The record of each input, [`CONSTANT`] for one that is not on the tape.
    pub(super) inputs: SmallVec<[u32; 4]>,
    pub(super) needs: Needs,
    pub(super) saves: Saves,
    pub(super) saved: Vec<Tensor<T>>,
}

pub(super) const CONSTANT: u32 = u32::MAX;

/// The records of one element type.
pub(crate) struct Lane<T: Element> {
    records: Vec<Record<T>>,
    /// The leaf of each parameter that was read, ascending by parameter.
    params: Vec<(ParamId, u32)>,
}

impl<T: Element> Default for Lane<T> {
    fn default() -> Self {
        let (records, params) = (Vec::new(), Vec::new());
        Self { records, params }
    }
}

impl<T: Element> Lane<T> {
    fn push(&mut self, shape: Shape, source: Source<T>) -> u32 {
        let index = self.records.len() as u32;
        self.records.push(Record { shape, source });
        index
    }
}

/// One tape's records, for each element type.
struct Recording {
    id: TapeId,
    /// The randomness of this step; none on a tape in eval mode.
    seeds: Option<u64>,
    lanes: Lanes,
}

#[derive(Default)]
pub(crate) struct Lanes {
    f32: Lane<f32>,
    f64: Lane<f64>,
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

/// What this thread does with the next operation; the innermost frame counts.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Frame {
    Record(TapeId),
    Paused,
}

#[derive(Default)]
struct Thread {
    recordings: Vec<Recording>,
    /// The frames with the number that removes each, innermost last.
    frames: Vec<(Frame, u64)>,
    frames_entered: u64,
}

static NEXT_TAPE: AtomicU64 = AtomicU64::new(1);

/// The tapes alive on any thread; looked at only when a tensor turns up that is not on the recording tape.
static ALIVE: Mutex<Vec<TapeId>> = Mutex::new(Vec::new());

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
    /// The tape of the innermost frame, for a look that costs nothing when none records.
    static CURRENT: Cell<Option<TapeId>> = const { Cell::new(None) };
    static SEED: Cell<u64> = const { Cell::new(0) };
}

fn alive() -> MutexGuard<'static, Vec<TapeId>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Thread {
    fn recording(&mut self, id: TapeId) -> Option<&mut Recording> {
        self.recordings
            .iter_mut()
            .rev()
            .find(|recording| recording.id == id)
    }

    fn enter(&mut self, frame: Frame) -> u64 {
        self.frames_entered += 1;
        self.frames.push((frame, self.frames_entered));
        self.refresh();
        self.frames_entered
    }

    fn refresh(&self) {
        CURRENT.set(match self.frames.last() {
            Some((Frame::Record(id), _)) => Some(*id),
            _ => None,
        });
    }
}

/// Sets the seed from which this thread's next tapes draw the randomness of their steps; it is 0 at the start of a thread.
///
/// ```
/// lexigrad_tensor::set_seed(42);
/// ```
pub fn set_seed(seed: u64) {
    SEED.set(seed);
}

pub(crate) fn next_thread_seed() -> u64 {
    let seed = SEED.get();
    SEED.set(seed.wrapping_add(1));
    random::mix(seed)
}

/// Whether this thread records what it computes.
pub fn is_recording() -> bool {
    CURRENT.get().is_some()
}

/// Whether this thread records for training, so that dropout is on.
pub fn is_training() -> bool {
    with_current(|recording| recording.seeds.is_some()).unwrap_or(false)
}

/// A seed for one use of randomness in this training step; `None` where dropout is off.
///
/// The same tape seed and the same sequence of uses give the same seeds, whatever other threads do.
pub fn dropout_seed() -> Option<u64> {
    with_current(|recording| {
        let seeds = recording.seeds.as_mut()?;
        *seeds = seeds.wrapping_add(1);
        Some(random::mix(*seeds))
    })?
}

fn with_current<R>(use_it: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    let id = CURRENT.get()?;
    THREAD.with_borrow_mut(|thread| thread.recording(id).map(use_it))
}

pub(super) fn start(training_seed: Option<u64>) -> TapeId {
    let number = NEXT_TAPE.fetch_add(1, Ordering::Relaxed);
    let id = TapeId(NonZeroU64::MIN.saturating_add(number));
    alive().push(id);
    THREAD.with_borrow_mut(|thread| {
        thread.recordings.push(Recording {
            id,
            seeds: training_seed.map(random::mix),
            lanes: Lanes::default(),
        });
        thread.enter(Frame::Record(id));
    });
    id
}

pub(super) fn end(id: TapeId) {
    let mut alive = alive();
    if let Some(position) = alive.iter().rposition(|&other| other == id) {
        alive.swap_remove(position);
    }
    drop(alive);
    // The records are dropped outside the borrow: they give their buffers back to the pool, and may hold anything of a user's op.
    let ended = THREAD.with_borrow_mut(|thread| {
        thread
            .frames
            .retain(|(frame, _)| *frame != Frame::Record(id));
        thread.refresh();
        let position = thread
            .recordings
            .iter()
            .position(|recording| recording.id == id);
        position.map(|position| thread.recordings.remove(position))
    });
    drop(ended);
}

/// Undoes [`enter`] when dropped, also while unwinding from a panic.
pub(super) struct FrameGuard {
    number: u64,
    not_send: PhantomData<*const ()>,
}

pub(super) fn enter(frame: Frame) -> FrameGuard {
    FrameGuard {
        number: THREAD.with_borrow_mut(|thread| thread.enter(frame)),
        not_send: PhantomData,
    }
}

impl Drop for FrameGuard {
    fn drop(&mut self) {
        THREAD.with_borrow_mut(|thread| {
            thread.frames.retain(|(_, number)| *number != self.number);
            thread.refresh();
        });
    }
}

/// Whether the tape records on a thread other than this one.
pub(super) fn is_alive_elsewhere(id: TapeId) -> bool {
    let here =
        THREAD.with_borrow(|thread| thread.recordings.iter().any(|recording| recording.id == id));
    !here && is_alive(id)
}

/// Whether the tape records on any thread.
pub(super) fn is_alive(id: TapeId) -> bool {
    alive().contains(&id)
}

fn with_lane<T: Element, R>(id: TapeId, use_it: impl FnOnce(&mut Lane<T>) -> R) -> Option<R> {
    THREAD.with_borrow_mut(|thread| {
        thread
            .recording(id)
            .map(|recording| use_it(T::lane(&mut recording.lanes)))
    })
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
    let tape = CURRENT.get()?;
    with_lane::<T, _>(tape, |lane| {
        let index = match lane.params.binary_search_by_key(&param, |entry| entry.0) {
            Ok(position) => lane.params[position].1,
            Err(position) => {
                let index = lane.push(shape.clone(), Source::Leaf(Leaf::Param(param)));
                lane.params.insert(position, (param, index));
                index
            }
        };
        NodeId { tape, index }
    })
}

/// Records that `op` made `output` from `inputs`, if a tape records and an input is on it.
pub(crate) fn record<T: Element>(
    op: impl Op<T>,
    inputs: &[&Tensor<T>],
    output: &mut Tensor<T>,
) -> Result<()> {
    let current = CURRENT.get();
    let mut needs = Needs::NONE;
    let mut indices = SmallVec::new();
    for (position, input) in inputs.iter().enumerate() {
        indices.push(match input.node() {
            Some(node) if Some(node.tape) == current && !node.is_lost() => {
                needs = needs.with(position);
                node.index
            }
            Some(node) if node.is_lost() && is_alive(node.tape) => {
                return Err(Error::new(op.name(), ErrorKind::OtherThread));
            }
            Some(node) if is_alive_elsewhere(node.tape) => {
                return Err(Error::new(op.name(), ErrorKind::OtherThread));
            }
            _ => CONSTANT,
        });
    }
    let Some(tape) = current else { return Ok(()) };
    if !needs.any() {
        return Ok(());
    }
    push_computed(tape, op, inputs, indices, needs, output);
    Ok(())
}

fn push_computed<T: Element>(
    tape: TapeId,
    op: impl Op<T>,
    inputs: &[&Tensor<T>],
    indices: SmallVec<[u32; 4]>,
    needs: Needs,
    output: &mut Tensor<T>,
) {
    let saves = op.saves(needs);
    let mut saved: Vec<Tensor<T>> = Vec::new();
    if saves != Saves::NOTHING {
        saved.extend(saves.inputs().map(|index| inputs[index].clone()));
    }
    with_lane::<T, _>(tape, |lane| {
        let index = lane.records.len() as u32;
        output.set_node(Some(NodeId { tape, index }));
        if saves.has_output() {
            saved.push(output.clone());
        }
        let computed = Computed {
            op: Box::new(op),
            inputs: indices,
            needs,
            saves,
            saved,
        };
        lane.push(output.shape().clone(), Source::Computed(computed));
    });
}

/// All records of a tape that is about to end.
pub(super) fn take_records<T: Element>(id: TapeId) -> Vec<Record<T>> {
    with_lane::<T, _>(id, |lane| std::mem::take(&mut lane.records)).unwrap_or_default()
}

/// Looks at the records of a tape; `look` must not run any operation.
pub(super) fn look<T: Element, R: Default>(id: TapeId, look: impl FnOnce(&[Record<T>]) -> R) -> R {
    with_lane::<T, _>(id, |lane| look(&lane.records)).unwrap_or_default()
}

/// A record's operation, out of its tape while its gradient is computed, and back in it when dropped.
pub(super) struct Borrowed<T: Element> {
    tape: TapeId,
    index: u32,
    source: Source<T>,
}

pub(super) fn borrow<T: Element>(tape: TapeId, index: u32) -> Borrowed<T> {
    let source = with_lane::<T, _>(tape, |lane| {
        std::mem::replace(&mut lane.records[index as usize].source, Source::Taken)
    });
    Borrowed {
        tape,
        index,
        source: source.unwrap_or(Source::Taken),
    }
}

impl<T: Element> Borrowed<T> {
    pub(super) fn computed(&self) -> Option<&Computed<T>> {
        match &self.source {
            Source::Computed(computed) => Some(computed),
            _ => None,
        }
    }
}

impl<T: Element> Drop for Borrowed<T> {
    fn drop(&mut self) {
        let source = std::mem::replace(&mut self.source, Source::Taken);
        with_lane::<T, _>(self.tape, |lane| {
            lane.records[self.index as usize].source = source;
        });
    }
}
