//! The pool of buffers, and what else a thread keeps to use it again.
//!
//! The largest hidden cost of temporaries is the page fault on fresh memory, so a buffer that is let go is kept for the next
//! tensor of its size. The whole `Arc` is kept, not only its memory: taking a buffer from the pool allocates nothing.
//!
//! Gradients are made on the threads of `data_parallel` and let go on another. A thread keeps no more buffers of a size than it
//! has taken; what is beyond goes, if it is large, to a pool that all threads share, where those that make it find it again.

#![allow(unsafe_code)]

use std::alloc::{Layout as Allocation, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers start at a cache line, which is also the widest vector.
const ALIGNMENT: usize = 64;

/// What one thread's pool keeps at most, and the shared one; beyond it, buffers go back to the system.
const KEPT_BYTES: usize = 512 << 20;

/// From this size on the system is asked for fresh pages, which costs more than a lock.
const SHARED_FROM: usize = 128 << 10;

/// From this size on a buffer asks for huge pages: a random row of a large table then costs no walk through the page table.
const HUGE_PAGES_FROM: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;

/// Memory that is always initialised: the system hands it out zeroed, and numbers are the only thing ever written to it.
pub struct Buffer {
    base: NonNull<u8>,
    start: NonNull<u8>,
    capacity: usize,
}

// SAFETY: a buffer is plain memory that it owns alone; `Storage` hands out shared slices from a shared `Arc` and a mutable
// slice only from an `Arc` that nobody else holds.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// The first byte, at an alignment that suits any number.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// `None` if the system does not give so much memory.
    fn zeroed(capacity: usize) -> Option<Self> {
        let allocation = Self::allocation(capacity)?;
        // SAFETY: the size is at least the alignment that is added to it, so not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(allocation) })?;
        // SAFETY: the allocation is larger than the capacity by the alignment, so the aligned start lies in it, and so does
        // the end.
        let start = unsafe { base.add(base.align_offset(Self::alignment(capacity))) };
        if capacity >= HUGE_PAGES_FROM {
            advise_huge_pages(start, capacity);
        }
        Some(Self {
            base,
            start,
            capacity,
        })
    }

    fn alignment(capacity: usize) -> usize {
        if capacity >= HUGE_PAGES_FROM {
            HUGE_PAGE
        } else {
            ALIGNMENT
        }
    }

    /// What is asked of the allocator: at its own alignment, since only then it takes zeroed pages from the system as they are
    /// instead of writing zeros.
    fn allocation(capacity: usize) -> Option<Allocation> {
        let size = capacity.checked_add(Self::alignment(capacity))?;
        Allocation::from_size_align(size, align_of::<u64>()).ok()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(allocation) = Self::allocation(self.capacity) {
            // SAFETY: allocated in `zeroed` with this very size and alignment.
            unsafe { dealloc(self.base.as_ptr(), allocation) };
        }
    }
}

/// Asks for huge pages; the system may decline, which costs nothing but speed.
#[cfg(target_os = "linux")]
fn advise_huge_pages(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the range lies in memory that the caller owns, and the advice does not change its contents.
    unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages(_start: NonNull<u8>, _bytes: usize) {}

/// Buffers that no tensor holds, by size class.
struct Kept {
    classes: Vec<Vec<Arc<Buffer>>>,
    bytes: usize,
}

/// What a thread keeps, and of each size class how many buffers it has taken more than it has let go.
struct Pool {
    kept: Kept,
    lent: Vec<usize>,
}

static SHARED: Mutex<Kept> = Mutex::new(Kept::EMPTY);

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::EMPTY) };
    static COPIES: Cell<usize> = const { Cell::new(0) };
    static ID_ROOM: Cell<Option<IdRoom>> = const { Cell::new(None) };
}

/// Gives the memory that this thread, and all threads together, keep for their next tensors back to the system.
///
/// ```
/// lexigrad_kernels::pool::trim_pool();
/// ```
pub fn trim_pool() {
    POOL.with(|pool| pool.borrow_mut().kept = Kept::EMPTY);
    ID_ROOM.set(None);
    *shared() = Kept::EMPTY;
}

fn shared() -> std::sync::MutexGuard<'static, Kept> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often this thread copied a storage because somebody else held it when it was to be written.
///
/// A training step should not add to it: the optimizer writes in place if nobody else holds a parameter's buffer.
pub fn copies_on_write() -> usize {
    COPIES.get()
}

/// Notes that a storage was copied.
pub fn count_copy() {
    COPIES.set(COPIES.get() + 1);
}

/// Room for a kernel's bookkeeping of ids: new memory for thousands of ids costs as much as grouping them.
#[derive(Default)]
pub struct IdRoom {
    /// The distinct ids.
    pub distinct: Vec<u32>,
    /// The number of each id among them.
    pub numbers: Vec<u32>,
    /// A label of each id, by distinct ids.
    pub labels: Vec<u32>,
    /// Where the labels of each distinct id begin.
    pub offsets: Vec<usize>,
    /// Ids and their numbers, by a hash of the id.
    pub slots: Vec<(u32, u32)>,
}

/// Room that another let go on this thread, with whatever it left there.
pub fn take_id_room() -> IdRoom {
    ID_ROOM.take().unwrap_or_default()
}

/// Keeps room for the next kernel of this thread.
pub fn let_go_of_id_room(room: IdRoom) {
    ID_ROOM.set(Some(room));
}

/// The size class of `bytes` and its size: powers of two, with three steps between two of them, so that at most a fifth is unused.
fn size_class(bytes: usize) -> (usize, usize) {
    let units = bytes.div_ceil(ALIGNMENT).max(1);
    if units <= 4 {
        return (units - 1, units * ALIGNMENT);
    }
    let octave = (units - 1).ilog2() as usize;
    let step = octave - 2;
    let quarters = (units - 1) >> step;
    (
        octave * 4 + quarters - 8,
        ((quarters + 1) * ALIGNMENT) << step,
    )
}

impl Kept {
    const EMPTY: Self = Self {
        classes: Vec::new(),
        bytes: 0,
    };

    fn take(&mut self, class: usize) -> Option<Arc<Buffer>> {
        let buffer = self.classes.get_mut(class)?.pop()?;
        self.bytes -= buffer.capacity;
        Some(buffer)
    }

    fn keep(&mut self, class: usize, buffer: Arc<Buffer>) {
        if self.bytes + buffer.capacity > KEPT_BYTES {
            return;
        }
        self.bytes += buffer.capacity;
        if class >= self.classes.len() {
            self.classes.resize_with(class + 1, Vec::new);
        }
        self.classes[class].push(buffer);
    }
}

impl Pool {
    const EMPTY: Self = Self {
        kept: Kept::EMPTY,
        lent: Vec::new(),
    };

    fn take(&mut self, class: usize) -> Option<Arc<Buffer>> {
        if class >= self.lent.len() {
            self.lent.resize(class + 1, 0);
        }
        self.lent[class] += 1;
        self.kept.take(class)
    }

    /// Keeps a buffer for this thread, or gives it back if it is another's.
    fn keep(&mut self, class: usize, buffer: Arc<Buffer>) -> Option<Arc<Buffer>> {
        match self.lent.get_mut(class) {
            Some(lent) if *lent > 0 => {
                *lent -= 1;
                self.kept.keep(class, buffer);
                None
            }
            _ => Some(buffer),
        }
    }
}

/// A buffer of at least `bytes` bytes, and whether it is fresh from the system and so all zero; `None` if there is no memory for it.
pub fn take(bytes: usize) -> Option<(Arc<Buffer>, bool)> {
    let (class, capacity) = size_class(bytes);
    let own = POOL.try_with(|pool| pool.borrow_mut().take(class));
    let kept = own.ok().flatten().or_else(|| {
        (capacity >= SHARED_FROM)
            .then(|| shared().take(class))
            .flatten()
    });
    match kept {
        Some(buffer) => Some((buffer, false)),
        None => make(class, capacity),
    }
}

fn make(class: usize, capacity: usize) -> Option<(Arc<Buffer>, bool)> {
    match Buffer::zeroed(capacity) {
        Some(buffer) => Some((Arc::new(buffer), true)),
        None => {
            take_back(class);
            None
        }
    }
}

/// Undoes the count of a buffer that the system did not give.
#[cold]
fn take_back(class: usize) {
    let _ = POOL.try_with(|pool| pool.borrow_mut().lent[class] -= 1);
}

/// Keeps a buffer that nobody holds any more for the next of its size.
pub fn let_go(buffer: Arc<Buffer>) {
    let (class, capacity) = size_class(buffer.capacity);
    // While a thread ends, its pool may be gone already; then the buffer goes back to the system.
    let others = POOL.try_with(|pool| pool.borrow_mut().keep(class, buffer));
    if let Ok(Some(buffer)) = others
        && capacity >= SHARED_FROM
    {
        shared().keep(class, buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_ordered_and_waste_at_most_a_fifth() {
        let mut previous = (0, ALIGNMENT);
        for bytes in 1..200_000 {
            let (class, capacity) = size_class(bytes);
            assert!(capacity >= bytes);
            assert!(bytes <= 4 * ALIGNMENT || capacity * 4 <= (bytes + ALIGNMENT) * 5);
            assert!(
                class == previous.0 && capacity == previous.1
                    || class == previous.0 + 1 && capacity > previous.1
            );
            assert_eq!(size_class(capacity), (class, capacity));
            previous = (class, capacity);
        }
    }

    #[test]
    fn what_one_thread_makes_and_another_lets_go_is_used_again() {
        const LEN: usize = 3_111_108;
        let kept = || POOL.with(|pool| pool.borrow().kept.bytes);
        let before = kept();
        let (send, receive) = std::sync::mpsc::sync_channel(0);
        let made = std::thread::spawn(move || {
            let mut fresh = 0;
            for _ in 0..50 {
                let (buffer, is_fresh) = take(LEN).unwrap();
                fresh += usize::from(is_fresh);
                send.send(buffer).unwrap();
            }
            fresh
        });
        receive.iter().for_each(let_go);
        // One in the making, one being handed over, one being dropped.
        assert!(made.join().unwrap() <= 3);
        assert_eq!(kept(), before);
    }
}
