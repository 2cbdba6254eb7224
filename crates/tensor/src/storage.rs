//! Copy-on-write storage of elements, drawn from a thread-local pool of buffers and given back to it.
//!
//! The largest hidden cost of temporaries is the page fault on fresh memory, so a buffer that is let go is kept for the next
//! tensor of its size. The whole `Arc` is kept, not only its memory: taking a buffer from the pool allocates nothing.
//!
//! Gradients are made on the threads of `data_parallel` and let go on another. A thread keeps no more buffers of a size than it
//! has taken; what is beyond goes, if it is large, to a pool that all threads share, where those that make it find it again.

#![allow(unsafe_code)]

use std::alloc::{Layout as Allocation, alloc_zeroed, dealloc};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use crate::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;

/// Buffers start at a cache line, which is also the widest vector.
const ALIGNMENT: usize = 64;

/// What one thread's pool keeps at most, and the shared one; beyond it, buffers go back to the system.
const KEPT_BYTES: usize = 512 << 20;

/// From this size on the system is asked for fresh pages, which costs more than a lock.
const SHARED_FROM: usize = 128 << 10;

/// From this size on a buffer asks for huge pages: a random row of a large table then costs no walk through the page table.
const HUGE_PAGES_FROM: usize = 4 << 20;
const HUGE_PAGE: usize = 2 << 20;

/// A signalling NaN with a payload. Arithmetic and conversion keep the payload, and produce none of their own.
const UNWRITTEN: u64 = 0x7ff5_5555_5555_5555;

/// Memory that is always initialised: the system hands it out zeroed, and numbers are the only thing ever written to it.
struct Buffer {
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
}

/// Gives the memory that this thread, and all threads together, keep for their next tensors back to the system.
///
/// ```
/// lexigrad_tensor::trim_pool();
/// ```
pub fn trim_pool() {
    POOL.with(|pool| pool.borrow_mut().kept = Kept::EMPTY);
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

/// A buffer that was let go, on this thread or, if it is large, on another.
fn take(class: usize, capacity: usize) -> Option<Arc<Buffer>> {
    let own = POOL.try_with(|pool| pool.borrow_mut().take(class));
    own.ok().flatten().or_else(|| {
        (capacity >= SHARED_FROM)
            .then(|| shared().take(class))
            .flatten()
    })
}

/// Undoes the count of a buffer that [`take`] found nowhere and the system did not give.
#[cold]
fn take_back(class: usize) {
    let _ = POOL.try_with(|pool| pool.borrow_mut().lent[class] -= 1);
}

fn let_go(buffer: Arc<Buffer>) {
    let (class, capacity) = size_class(buffer.capacity);
    // While a thread ends, its pool may be gone already; then the buffer goes back to the system.
    let others = POOL.try_with(|pool| pool.borrow_mut().keep(class, buffer));
    if let Ok(Some(buffer)) = others
        && capacity >= SHARED_FROM
    {
        shared().keep(class, buffer);
    }
}

/// A vector of `value` for each element of `shape`.
///
/// # Errors
/// As for [`room`].
pub(crate) fn filled<V: Clone>(shape: impl Into<Shape>, value: V) -> Result<Vec<V>> {
    let shape = shape.into();
    let mut values = room(&shape)?;
    values.resize(shape.elements(), value);
    Ok(values)
}

#[cold]
fn out_of_memory<T>(shape: &Shape) -> Error {
    let bytes = shape.elements().saturating_mul(size_of::<T>());
    let rule = format!("it takes {bytes} bytes, more memory than the system gives");
    Error::too_large(shape, rule)
}

/// A vector with room for a value for each element of `shape`, empty.
///
/// # Errors
/// If the shape is too large, or the system does not give so much memory.
pub fn room<V>(shape: &Shape) -> Result<Vec<V>> {
    let mut values = Vec::new();
    match values.try_reserve_exact(shape.count()?) {
        Ok(()) => Ok(values),
        Err(_) => Err(out_of_memory::<V>(shape)),
    }
}

/// `len` elements, shared by every tensor and view that holds a clone; written in place by whoever holds the only one.
pub(crate) struct Storage<T: Element> {
    buffer: ManuallyDrop<Arc<Buffer>>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> Storage<T> {
    /// Elements of unspecified (but initialised) value, for a kernel that writes them all; NaN in a debug build, so that one
    /// which is left out is seen.
    ///
    /// # Errors
    /// If the shape is too large, or the system does not give so much memory.
    #[inline(always)]
    pub(crate) fn uninitialised(shape: &Shape) -> Result<Self> {
        let (mut storage, _) =
            Self::pooled(shape.count()?).ok_or_else(|| out_of_memory::<T>(shape))?;
        storage.mark_unwritten();
        Ok(storage)
    }

    /// [`uninitialised`](Self::uninitialised) for a kernel's own copy of an operand or of its result. (The copy of a view whose windows
    /// overlap is larger than the operand's memory.)
    ///
    /// # Panics
    /// If the system does not give so much memory.
    pub(crate) fn scratch(len: usize) -> Self {
        let Some((mut storage, _)) = Self::pooled(len) else {
            panic!("{}", out_of_memory::<T>(&Shape::from(len)));
        };
        storage.mark_unwritten();
        storage
    }

    /// # Errors
    /// As for [`uninitialised`](Self::uninitialised).
    pub(crate) fn zeroed(shape: &Shape) -> Result<Self> {
        let (mut storage, fresh) =
            Self::pooled(shape.count()?).ok_or_else(|| out_of_memory::<T>(shape))?;
        if !fresh {
            storage.make_mut().fill(T::zero());
        }
        Ok(storage)
    }

    /// # Panics
    /// If the system does not give so much memory again as the values take.
    pub(crate) fn from_slice(values: &[T]) -> Self {
        let mut storage = Self::scratch(values.len());
        storage.make_mut().copy_from_slice(values);
        storage
    }

    /// A storage of `len` elements, and whether it is fresh from the system and so all zero; `None` if there is no memory for it.
    fn pooled(len: usize) -> Option<(Self, bool)> {
        if len > Shape::MAX_ELEMENTS {
            return None;
        }
        let (class, capacity) = size_class(len * size_of::<T>());
        let kept = take(class, capacity);
        let fresh = kept.is_none();
        let buffer = match kept {
            Some(buffer) => buffer,
            None => match Buffer::zeroed(capacity) {
                Some(buffer) => Arc::new(buffer),
                None => {
                    take_back(class);
                    return None;
                }
            },
        };
        let storage = Self {
            buffer: ManuallyDrop::new(buffer),
            len,
            element: PhantomData,
        };
        Some((storage, fresh))
    }

    /// In a debug build, fills the storage with NaNs that no arithmetic produces: so tests find what a kernel leaves unwritten.
    fn mark_unwritten(&mut self) {
        if cfg!(debug_assertions) {
            self.make_mut().fill(T::from_f64(f64::from_bits(UNWRITTEN)));
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the buffer holds at least `len` elements of `T` at an alignment that suits any number, all initialised, and
        // every bit pattern is a valid float. Nobody writes while a shared reference to this `Arc` lives.
        unsafe { slice::from_raw_parts(self.buffer.start.as_ptr().cast(), self.len) }
    }

    /// Whether this is the only holder, so that writing copies nothing.
    pub(crate) fn is_unique(&self) -> bool {
        let unique = Arc::strong_count(&self.buffer) == 1;
        // Pairs with the release by which another thread gave up its clone: its reads come before our writes.
        fence(Ordering::Acquire);
        unique
    }

    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer)
    }

    /// The elements for writing; copied first if somebody else holds them too.
    pub(crate) fn make_mut(&mut self) -> &mut [T] {
        if !self.is_unique() {
            COPIES.set(COPIES.get() + 1);
            *self = Self::from_slice(self.as_slice());
        }
        // SAFETY: as in `as_slice`; and we hold the only `Arc`, through a mutable reference.
        unsafe { slice::from_raw_parts_mut(self.buffer.start.as_ptr().cast(), self.len) }
    }
}

impl<T: Element> Clone for Storage<T> {
    fn clone(&self) -> Self {
        Self {
            buffer: self.buffer.clone(),
            len: self.len,
            element: PhantomData,
        }
    }
}

impl<T: Element> Drop for Storage<T> {
    fn drop(&mut self) {
        let unique = self.is_unique();
        // SAFETY: the field is not used again, since the storage is being dropped.
        let buffer = unsafe { ManuallyDrop::take(&mut self.buffer) };
        if unique {
            let_go(buffer);
        }
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
    fn a_buffer_that_was_let_go_is_used_again_and_zeroed_when_asked() {
        let mut first = Storage::<f32>::scratch(1000);
        first.make_mut().fill(7.0);
        let start = first.as_slice().as_ptr();
        drop(first);
        let second = Storage::<f32>::zeroed(&Shape::from(1000)).unwrap();
        assert_eq!(second.as_slice().as_ptr(), start);
        assert!(second.as_slice().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn what_one_thread_makes_and_another_lets_go_is_used_again() {
        const LEN: usize = 777_777;
        let kept = || POOL.with(|pool| pool.borrow().kept.bytes);
        let before = kept();
        let (send, receive) = std::sync::mpsc::sync_channel(0);
        let made = std::thread::spawn(move || {
            let mut fresh = 0;
            for _ in 0..50 {
                let (storage, is_fresh) = Storage::<f32>::pooled(LEN).unwrap();
                fresh += usize::from(is_fresh);
                send.send(storage).unwrap();
            }
            fresh
        });
        receive.iter().for_each(drop);
        // One in the making, one being handed over, one being dropped.
        assert!(made.join().unwrap() <= 3);
        assert_eq!(kept(), before);
    }

    #[test]
    fn writing_copies_only_what_somebody_else_holds() {
        let before = copies_on_write();
        let mut a = Storage::from_slice(&[1.0f32, 2.0]);
        a.make_mut()[0] = 3.0;
        assert_eq!(copies_on_write(), before);
        let b = a.clone();
        a.make_mut()[0] = 4.0;
        assert_eq!(copies_on_write(), before + 1);
        assert_eq!((a.as_slice()[0], b.as_slice()[0]), (4.0, 3.0));
    }
}
