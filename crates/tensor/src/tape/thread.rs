//! The tapes of this thread, and which of them records.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lexigrad_kernels::{random, threads};

use super::lane::{self, Lanes};
use super::nested::Nested;
use super::trace::Trace;
use crate::leaf::TapeId;

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
    /// The number of its frame.
    frame: u64,
    pub(super) scope: Scope,
    /// The randomness of this step; none on a tape in eval mode.
    pub(super) seeds: Option<u64>,
    pub(super) lanes: Lanes,
    pub(super) trace: Option<Box<Trace>>,
    /// Whether the gradients of leaves are looked at as they are completed.
    pub(super) inspects: bool,
}

/// What this thread does with the next operation; the innermost frame counts.
#[derive(Clone, Copy)]
pub(super) enum Frame {
    Record(TapeId),
    Paused,
}

/// What a thread keeps for the task at hand.
#[derive(Default)]
struct Thread {
    /// By the number of the tape.
    recordings: Nested<Recording>,
    /// By the number that removes each.
    frames: Nested<Frame>,
    frames_entered: u64,
    /// The room of a tape that has ended, for the next.
    spare: Lanes,
    /// In a shard, the changes of state that it puts off.
    changes: Option<Vec<Change>>,
}

/// A change of state that a shard puts off.
pub(crate) type Change = Box<dyn FnOnce() + Send>;

/// Room for more records than this is not kept.
const KEPT_RECORDS: usize = 1 << 14;

/// The tape that records.
#[derive(Clone, Copy)]
pub(super) struct Current {
    pub(super) tape: TapeId,
    /// Whether it notes cuts, or checks its numbers.
    pub(super) traced: bool,
    /// Whether what is computed is kept, and not the leaves alone.
    pub(super) keeps: bool,
}

/// The tapes of all threads.
struct Tapes {
    started: u64,
    alive: Nested<()>,
}

/// Locked when a tape starts or ends, and when a tensor turns up that is not on the recording tape.
static TAPES: Mutex<Tapes> = Mutex::new(Tapes {
    started: 0,
    alive: Nested::new(),
});

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
    /// The tape of the innermost frame, for a look that costs nothing when none records.
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
    static SEED: Cell<u64> = const { Cell::new(0) };
}

fn tapes() -> MutexGuard<'static, Tapes> {
    TAPES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at what this thread keeps; `None` if that is gone already: while a thread ends, a later thread-local may still drop a tape.
#[inline(always)]
fn with_thread<R>(use_it: impl FnOnce(&mut Thread) -> R) -> Option<R> {
    THREAD
        .try_with(|thread| use_it(&mut thread.borrow_mut()))
        .ok()
}

/// The next tape of any thread.
fn next_tape() -> TapeId {
    let mut tapes = tapes();
    let id = TapeId::nth(tapes.started);
    tapes.started += 1;
    tapes.alive.push(id.number(), ());
    id
}

impl Thread {
    fn recording(&mut self, id: TapeId) -> Option<&mut Recording> {
        self.recordings.get_mut(id.number())
    }

    fn enter(&mut self, frame: Frame) -> u64 {
        self.frames_entered += 1;
        self.frames.push(self.frames_entered, frame);
        self.refresh();
        self.frames_entered
    }

    fn leave(&mut self, frame: u64) {
        self.frames.remove(frame);
        self.refresh();
    }

    fn refresh(&mut self) {
        CURRENT.set(match self.frames.last() {
            Some(&Frame::Record(tape)) => {
                let recording = self.recording(tape);
                let scope = recording.as_ref().map(|recording| recording.scope);
                let traced = recording.is_some_and(|recording| recording.trace.is_some());
                let keeps = scope != Some(Scope::LeavesOnly);
                Some(Current {
                    tape,
                    traced,
                    keeps,
                })
            }
            _ => None,
        });
    }
}

/// What a thread kept for the task at hand, until it goes on with that.
struct Aside {
    thread: Thread,
    current: Option<Current>,
    seed: u64,
}

/// Runs `task` with nothing of the task at hand: no tape, no pause, and the seed of a new thread.
pub(crate) fn apart<R>(task: impl FnOnce() -> R) -> R {
    let thread = with_thread(|thread| {
        // Spare room is empty, so that both tasks can use it.
        let spare = std::mem::take(&mut thread.spare);
        let empty = Thread {
            spare,
            ..Thread::default()
        };
        std::mem::replace(thread, empty)
    });
    let _until_the_end = Aside {
        thread: thread.unwrap_or_default(),
        current: CURRENT.take(),
        seed: SEED.take(),
    };
    task()
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Dropped outside the borrow: a record may hold anything of a user's op.
        let left = with_thread(|thread| {
            let mut own = std::mem::take(&mut self.thread);
            own.spare = std::mem::take(&mut thread.spare);
            std::mem::replace(thread, own)
        });
        drop(left);
        CURRENT.set(self.current);
        SEED.set(self.seed);
    }
}

/// Runs a shard [apart](apart) from the task at hand; returns its result and the changes that it put off.
pub(crate) fn run_shard<R>(seed: u64, shard: impl FnOnce() -> R) -> (R, Vec<Change>) {
    apart(|| {
        set_seed(seed);
        with_thread(|thread| thread.changes = Some(Vec::new()));
        let result = shard();
        let changes = with_thread(|thread| thread.changes.take()).flatten();
        (result, changes.unwrap_or_default())
    })
}

/// Runs `change` of some state that a forward pass moves, such as a running mean. No tape records it.
///
/// In a shard of [`data_parallel`](crate::data_parallel) the change waits. Once all shards have ended without an error, the changes run
/// in the order of the shards, so that the bits never depend on which thread was first. Until then every shard sees the state from
/// before the step. If a shard fails, no change runs.
///
/// ```
/// use lexigrad_tensor::{Buffer, Tensor, change_state, data_parallel};
/// let last: Buffer = Buffer::new(Tensor::zeros([1]));
/// let remember = |seen: f32| {
///     let last = last.clone();
///     change_state(move || last.update(|value| value[0] = seen));
/// };
/// remember(7.0);
/// assert_eq!(last.value().to_vec(), [7.0]);
/// # let weight: lexigrad_tensor::Param = lexigrad_tensor::Param::new(Tensor::new([1.0]));
/// data_parallel(&[1.0, 2.0, 3.0], |&shard| {
///     remember(shard);
///     assert_eq!(last.value().to_vec(), [7.0]);
///     Ok(weight.value().sum())
/// })?;
/// assert_eq!(last.value().to_vec(), [3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
pub fn change_state(change: impl FnOnce() + Send + 'static) {
    if !is_shard() {
        let _paused = enter(Frame::Paused);
        return change();
    }
    with_thread(|thread| {
        thread
            .changes
            .get_or_insert_default()
            .push(Box::new(change))
    });
}

/// Whether this thread runs a shard of [`data_parallel`](crate::data_parallel). A shard must not change state that others share.
pub fn is_shard() -> bool {
    with_thread(|thread| thread.changes.is_some()).unwrap_or(false)
}

/// Makes every section put aside what its thread keeps, since rayon may run another task on a thread that waits.
fn put_aside_in_sections() {
    threads::put_aside_with(|section| apart(section));
}

/// Sets the seed from which this thread's next tapes draw the randomness of their steps; it is 0 at the start of a thread.
///
/// ```
/// lexigrad_tensor::set_seed(42);
/// ```
pub fn set_seed(seed: u64) {
    put_aside_in_sections();
    SEED.set(seed);
}

pub(crate) fn next_thread_seed() -> u64 {
    put_aside_in_sections();
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

/// Where the randomness of a tape stands.
pub(super) fn seeds(tape: TapeId) -> Option<u64> {
    with_recording(tape, |recording| recording.seeds).flatten()
}

/// Puts the randomness of the tape that records to `seeds`, and back when dropped.
pub(super) fn with_seeds(seeds: Option<u64>) -> Seeds {
    let before = CURRENT.get().map(|current| {
        let before = with_recording(current.tape, |recording| {
            std::mem::replace(&mut recording.seeds, seeds)
        });
        (current.tape, before.flatten())
    });
    Seeds { before }
}

/// Undoes [`with_seeds`] when dropped, also while unwinding from a panic.
pub(super) struct Seeds {
    before: Option<(TapeId, Option<u64>)>,
}

impl Drop for Seeds {
    fn drop(&mut self) {
        if let Some((tape, seeds)) = self.before {
            with_recording(tape, |recording| recording.seeds = seeds);
        }
    }
}

/// Looks at the recording of the innermost frame, if there is one.
pub(super) fn with_current<R>(use_it: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    let current = CURRENT.get()?;
    with_recording(current.tape, use_it)
}

/// Looks at the recording of a tape of this thread; `use_it` must not run any operation.
#[inline(always)]
pub(super) fn with_recording<R>(id: TapeId, use_it: impl FnOnce(&mut Recording) -> R) -> Option<R> {
    with_thread(|thread| thread.recording(id).map(use_it)).flatten()
}

/// Switches tracing on for a tape.
pub(super) fn trace(id: TapeId, change: impl FnOnce(&mut Trace)) {
    with_recording(id, |recording| {
        change(recording.trace.get_or_insert_default())
    });
    with_thread(Thread::refresh);
}

pub(super) fn start(seeds: Option<u64>, scope: Scope) -> TapeId {
    put_aside_in_sections();
    let id = next_tape();
    with_thread(|thread| {
        let lanes = std::mem::take(&mut thread.spare);
        let recording = Recording {
            frame: thread.enter(Frame::Record(id)),
            scope,
            seeds,
            lanes,
            trace: None,
            inspects: false,
        };
        thread.recordings.push(id.number(), recording);
        thread.refresh();
    });
    id
}

pub(super) fn end(id: TapeId) {
    tapes().alive.remove(id.number());
    // The records are dropped outside the borrow: they give their buffers back to the pool, and may hold anything of a user's op.
    let ended = with_thread(|thread| {
        let ended = thread.recordings.remove(id.number())?;
        thread.leave(ended.frame);
        Some(ended)
    });
    if let Some(Recording { mut lanes, .. }) = ended.flatten() {
        lane::clear(&mut lanes);
        if lane::room(&mut lanes) <= KEPT_RECORDS {
            with_thread(|thread| thread.spare = lanes);
        }
    }
}

/// Undoes [`enter`] when dropped, also while unwinding from a panic.
pub(super) struct FrameGuard {
    number: Option<u64>,
    not_send: PhantomData<*const ()>,
}

pub(super) fn enter(frame: Frame) -> FrameGuard {
    FrameGuard {
        number: with_thread(|thread| thread.enter(frame)),
        not_send: PhantomData,
    }
}

impl Drop for FrameGuard {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            with_thread(|thread| thread.leave(number));
        }
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
    if with_thread(|thread| thread.recording(id).is_some()) == Some(true) {
        Alive::Here
    } else if tapes().alive.contains(id.number()) {
        Alive::Elsewhere
    } else {
        Alive::No
    }
}
