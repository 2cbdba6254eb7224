//! The tapes of this thread, and which of them records.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::recording::Lanes;
use super::trace::Trace;
use crate::kernels::random;

/// Identifies a tape for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TapeId(NonZeroU64);

/// What a tape does with tensors of the tapes around it, and with what is computed from them.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scope {
    /// They are constants.
    Closed,
    /// They become leaves.
    Open,
    /// They become leaves, and nothing else is recorded.
    LeavesOnly,
}

/// One tape's records, for each element type.
pub(super) struct Recording {
    id: TapeId,
    pub(super) scope: Scope,
    /// The randomness of this step; none on a tape in eval mode.
    pub(super) seeds: Option<u64>,
    pub(super) lanes: Lanes,
    pub(super) trace: Option<Box<Trace>>,
    /// Whether the gradients of leaves are looked at as they are completed.
    pub(super) inspects: bool,
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
    /// The room of a tape that has ended, for the next.
    spare: Lanes,
}

/// Room for more records than this is not kept.
const KEPT_RECORDS: usize = 1 << 14;

/// The tape that records, and whether it is traced.
#[derive(Clone, Copy)]
pub(super) struct Current {
    pub(super) tape: TapeId,
    pub(super) traced: bool,
}

static NEXT_TAPE: AtomicU64 = AtomicU64::new(1);

/// The tapes alive on any thread; looked at only when a tensor turns up that is not on the recording tape.
static ALIVE: Mutex<Vec<TapeId>> = Mutex::new(Vec::new());

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
    /// The tape of the innermost frame, for a look that costs nothing when none records.
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
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

    fn refresh(&mut self) {
        CURRENT.set(match self.frames.last() {
            Some(&(Frame::Record(tape), _)) => {
                let recording = self.recording(tape);
                let traced = recording.is_some_and(|recording| recording.trace.is_some());
                Some(Current { tape, traced })
            }
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

pub(super) fn current() -> Option<Current> {
    CURRENT.get()
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

/// Looks at the recording of the innermost frame, if there is one.
pub(super) fn with_current<R>(use_it: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    let current = CURRENT.get()?;
    with_recording(current.tape, use_it)
}

/// Looks at the recording of a tape of this thread; `use_it` must not run any operation.
pub(super) fn with_recording<R>(id: TapeId, use_it: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    THREAD.with_borrow_mut(|thread| thread.recording(id).map(use_it))
}

/// Switches tracing on for a tape.
pub(super) fn trace(id: TapeId, change: impl FnOnce(&mut Trace)) {
    with_recording(id, |recording| {
        change(recording.trace.get_or_insert_default())
    });
    THREAD.with_borrow_mut(Thread::refresh);
}

pub(super) fn start(seeds: Option<u64>, scope: Scope) -> TapeId {
    let number = NEXT_TAPE.fetch_add(1, Ordering::Relaxed);
    let id = TapeId(NonZeroU64::MIN.saturating_add(number));
    alive().push(id);
    THREAD.with_borrow_mut(|thread| {
        let lanes = std::mem::take(&mut thread.spare);
        thread.recordings.push(Recording {
            id,
            scope,
            seeds,
            lanes,
            trace: None,
            inspects: false,
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
        let position = thread
            .recordings
            .iter()
            .position(|recording| recording.id == id);
        let ended = position.map(|position| thread.recordings.remove(position));
        thread.refresh();
        ended
    });
    if let Some(Recording { mut lanes, .. }) = ended {
        lanes.clear();
        if lanes.room() <= KEPT_RECORDS {
            THREAD.with_borrow_mut(|thread| thread.spare = lanes);
        }
    }
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

/// Where a tape is alive.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Alive {
    Here,
    Elsewhere,
    No,
}

pub(super) fn whereabouts(id: TapeId) -> Alive {
    let here =
        THREAD.with_borrow(|thread| thread.recordings.iter().any(|recording| recording.id == id));
    if here {
        Alive::Here
    } else if alive().contains(&id) {
        Alive::Elsewhere
    } else {
        Alive::No
    }
}
