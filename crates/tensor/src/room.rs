//! Room for as many values as a shape has elements: an error where memory does not suffice.

use lexigrad_kernels::storage::{OutOfMemory, Storage};

use crate::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;

/// Elements of unspecified value, for a kernel that writes them all.
///
/// # Errors
/// As for [`room`].
#[inline(always)]
pub(crate) fn uninitialised<T: Element>(shape: &Shape) -> Result<Storage<T>> {
    Storage::uninitialised(shape.count()?).map_err(|error| Error::out_of_memory(shape, error))
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

/// A vector with room for a value for each element of `shape`, empty.
///
/// # Errors
/// If the shape is too large, or the system does not give so much memory.
pub fn room<V>(shape: &Shape) -> Result<Vec<V>> {
    let mut values = Vec::new();
    match values.try_reserve_exact(shape.count()?) {
        Ok(()) => Ok(values),
        Err(_) => Err(Error::out_of_memory(
            shape,
            OutOfMemory::of::<V>(shape.elements()),
        )),
    }
}
