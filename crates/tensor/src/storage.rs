//! Copy-on-write storage of elements, drawn from the pool of buffers and given back to it.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use crate::element::Element;
use crate::error::{Error, Result};
use crate::pool::{self, Buffer};
use crate::shape::Shape;

/// A signalling NaN with a payload. Arithmetic and conversion keep the payload, and produce none of their own.
const UNWRITTEN: u64 = 0x7ff5_5555_5555_5555;

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

    pub(crate) fn as_slice(&self) -> &[T] {
        // SAFETY: the buffer holds at least `len` elements of `T` at an alignment that suits any number, all initialised, and
        // every bit pattern is a valid float. Nobody writes while a shared reference to this `Arc` lives.
        unsafe { slice::from_raw_parts(self.buffer.start().as_ptr().cast(), self.len) }
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
            pool::count_copy();
            *self = Self::from_slice(self.as_slice());
        }
        // SAFETY: as in `as_slice`; and we hold the only `Arc`, through a mutable reference.
        unsafe { slice::from_raw_parts_mut(self.buffer.start().as_ptr().cast(), self.len) }
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
        let second = Storage::<f32>::zeroed(&Shape::from(1000)).unwrap();
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
