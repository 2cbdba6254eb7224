//! Copy-on-write storage of elements, drawn from the pool of buffers and given back to it.

#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::pool::{self, Buffer};

/// A signalling NaN with a payload. Arithmetic and conversion keep the payload, and produce none of their own.
const UNWRITTEN: u64 = 0x7ff5_5555_5555_5555;

/// The most elements of a storage: as many `f64` as an address space holds.
pub const MAX_ELEMENTS: usize = isize::MAX as usize / size_of::<f64>();

/// The system does not give the memory for this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// How many were asked for.
    pub bytes: usize,
}

impl OutOfMemory {
    /// The error of who asked for `len` elements of `V`.
    #[cold]
    pub fn of<V>(len: usize) -> Self {
        let bytes = len.saturating_mul(size_of::<V>());
        Self { bytes }
    }
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes;
        write!(
            f,
            "it takes {bytes} bytes, more memory than the system gives"
        )
    }
}

/// `len` elements, shared by every tensor and view that holds a clone; written in place by whoever holds the only one.
pub struct Storage<T: Number> {
    buffer: ManuallyDrop<Arc<Buffer>>,
    len: usize,
    element: PhantomData<T>,
}

#[compiled]
impl<T: Number> Storage<T> {
    /// Elements of unspecified (but initialised) value, for a kernel that writes them all; NaN in a debug build, so that one
    /// which is left out is seen.
    ///
    /// # Errors
    /// If the system does not give so much memory.
    #[inline(always)]
    pub fn uninitialised(len: usize) -> Result<Self, OutOfMemory> {
        let (mut storage, _) = Self::pooled(len).ok_or_else(|| OutOfMemory::of::<T>(len))?;
        storage.mark_unwritten();
        Ok(storage)
    }

    /// [`uninitialised`](Self::uninitialised) for a kernel's own copy of an operand or of its result. (The copy of a view whose windows
    /// overlap is larger than the operand's memory.)
    ///
    /// # Panics
    /// If the system does not give so much memory.
    pub fn scratch(len: usize) -> Self {
        match Self::uninitialised(len) {
            Ok(storage) => storage,
            Err(error) => panic!("a copy of {len} elements: {error}"),
        }
    }

    /// Zeros.
    ///
    /// # Errors
    /// As for [`uninitialised`](Self::uninitialised).
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        let (mut storage, fresh) = Self::pooled(len).ok_or_else(|| OutOfMemory::of::<T>(len))?;
        if !fresh {
            storage.make_mut().fill(T::zero());
        }
        Ok(storage)
    }

    /// A copy of `values`.
    ///
    /// # Panics
    /// If the system does not give so much memory again as the values take.
    pub fn from_slice(values: &[T]) -> Self {
        let mut storage = Self::scratch(values.len());
        storage.make_mut().copy_from_slice(values);
        storage
    }

    /// A storage of `len` elements, and whether it is fresh from the system and so all zero; `None` if there is no memory for it.
    fn pooled(len: usize) -> Option<(Self, bool)> {
        if len > MAX_ELEMENTS {
            return None;
        }
        let (buffer, fresh) = pool::take(len * size_of::<T>())?;
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

    /// The elements.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: the buffer holds at least `len` elements of `T` at an alignment that suits any number, all initialised, and
        // every bit pattern is a valid float. Nobody writes while a shared reference to this `Arc` lives.
        unsafe { slice::from_raw_parts(self.buffer.start().as_ptr().cast(), self.len) }
    }

    /// Whether this is the only holder, so that writing copies nothing.
    #[inline]
    pub fn is_unique(&self) -> bool {
        let unique = Arc::strong_count(&self.buffer) == 1;
        // Pairs with the release by which another thread gave up its clone: its reads come before our writes.
        fence(Ordering::Acquire);
        unique
    }

    /// Whether the two hold the same elements.
    #[inline]
    pub fn shares_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer)
    }

    /// The elements for writing; copied first if somebody else holds them too.
    #[inline]
    pub fn make_mut(&mut self) -> &mut [T] {
        if !self.is_unique() {
            pool::count_copy();
            *self = Self::from_slice(self.as_slice());
        }
        // SAFETY: as in `as_slice`; and we hold the only `Arc`, through a mutable reference.
        unsafe { slice::from_raw_parts_mut(self.buffer.start().as_ptr().cast(), self.len) }
    }
}

impl<T: Number> Clone for Storage<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            buffer: self.buffer.clone(),
            len: self.len,
            element: PhantomData,
        }
    }
}

impl<T: Number> Drop for Storage<T> {
    #[inline]
    fn drop(&mut self) {
        let unique = self.is_unique();
        // SAFETY: the field is not used again, since the storage is being dropped.
        let buffer = unsafe { ManuallyDrop::take(&mut self.buffer) };
        if unique {
            pool::let_go(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_was_let_go_is_used_again_and_zeroed_when_asked() {
        let mut first = Storage::<f32>::scratch(1000);
        first.make_mut().fill(7.0);
        let start = first.as_slice().as_ptr();
        drop(first);
        let second = Storage::<f32>::zeroed(1000).unwrap();
        assert_eq!(second.as_slice().as_ptr(), start);
        assert!(second.as_slice().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn writing_copies_only_what_somebody_else_holds() {
        let before = pool::copies_on_write();
        let mut a = Storage::from_slice(&[1.0f32, 2.0]);
        a.make_mut()[0] = 3.0;
        assert_eq!(pool::copies_on_write(), before);
        let b = a.clone();
        a.make_mut()[0] = 4.0;
        assert_eq!(pool::copies_on_write(), before + 1);
        assert_eq!((a.as_slice()[0], b.as_slice()[0]), (4.0, 3.0));
    }
}
