//! Shapes, axes and broadcasting: the one place that resolves an axis, and the one that broadcasts.

use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

use crate::error::{Error, ErrorKind, Result};

/// The sizes of a tensor's axes, outermost first; `[]` is a single number.
///
/// Up to four sizes are held without an allocation.
///
/// ```
/// use lexigrad_tensor::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.elements(), 6);
/// assert_eq!(shape.to_string(), "[2, 3]");
/// ```
#[derive(Default, Eq, Hash)]
#[allow(clippy::derived_hash_with_manual_eq, reason = "equal sizes hash alike")]
pub struct Shape(SmallVec<[usize; 4]>);

/// A loop; what `derive` writes calls `memcmp`, which costs more than a few sizes do.
impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank() && self.iter().zip(other.iter()).all(|(x, y)| x == y)
    }
}

/// Of a few sizes word by word; what `derive` writes goes through an iterator, and a copy of a slice calls `memcpy`.
impl Clone for Shape {
    #[inline]
    fn clone(&self) -> Self {
        let sizes = match self.0[..] {
            [] => [0; 4],
            [a] => [a, 0, 0, 0],
            [a, b] => [a, b, 0, 0],
            [a, b, c] => [a, b, c, 0],
            [a, b, c, d] => [a, b, c, d],
            _ => return Self(SmallVec::from_slice(&self.0)),
        };
        Self(SmallVec::from_buf_and_len(sizes, self.rank()))
    }
}

impl Shape {
    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The most elements that a tensor can have: their bytes are counted by an `isize`.
    pub const MAX_ELEMENTS: usize = lexigrad_kernels::storage::MAX_ELEMENTS;

    /// The number of elements, the product of the sizes; 1 for a scalar, and `usize::MAX` for a shape that no tensor can have.
    pub fn elements(&self) -> usize {
        self.0.iter().fold(1, |n, &size| n.saturating_mul(size))
    }

    /// The number of elements of a shape that a tensor can have. Every shape of a tensor, of ids or of a mask has passed here, so
    /// that its strides, and products of some of its sizes, do not overflow.
    ///
    /// # Errors
    /// If the sizes other than 0 multiply to more than [`MAX_ELEMENTS`](Self::MAX_ELEMENTS).
    #[inline]
    pub(crate) fn count(&self) -> Result<usize> {
        let (mut elements, mut strides) = (1_usize, 1_usize);
        for &size in self.iter() {
            elements = elements.wrapping_mul(size);
            strides = strides.saturating_mul(size.max(1));
        }
        if strides > Self::MAX_ELEMENTS {
            let rule = format!(
                "its sizes other than 0 must multiply to at most {}",
                Self::MAX_ELEMENTS
            );
            return Err(Error::too_large(self, rule));
        }
        Ok(elements)
    }

    /// The shape, if a tensor can have it.
    ///
    /// # Errors
    /// As for [`count`](Self::count).
    pub(crate) fn checked(self, operation: &'static str) -> Result<Self> {
        match self.count() {
            Ok(_) => Ok(self),
            Err(error) => Err(error.within(operation)),
        }
    }

    /// The index of `axis`, where a negative one counts from the end.
    ///
    /// # Errors
    /// If the tensor has no such axis.
    pub fn axis(&self, operation: &'static str, axis: isize) -> Result<usize> {
        let rank = self.rank() as isize;
        let resolved = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&resolved) {
            Ok(resolved as usize)
        } else {
            let shape = self.clone();
            Err(Error::new(operation, ErrorKind::Axis { axis, shape }))
        }
    }

    /// For each axis whether it is named in `axes`.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub(crate) fn axis_set(
        &self,
        operation: &'static str,
        axes: &[isize],
    ) -> Result<SmallVec<[bool; 4]>> {
        let mut set = SmallVec::from_elem(false, self.rank());
        for &axis in axes {
            let index = self.axis(operation, axis)?;
            if std::mem::replace(&mut set[index], true) {
                return Err(Error::other(
                    operation,
                    format!("axis {axis} is named twice in {axes:?}"),
                ));
            }
        }
        Ok(set)
    }

    /// The shape that `self` and `other` broadcast to: axes aligned at the end, each pair of sizes equal or one of them 1.
    ///
    /// # Errors
    /// If they do not broadcast.
    pub fn broadcast(&self, operation: &'static str, other: &Self) -> Result<Self> {
        if self == other {
            return Ok(self.clone());
        }
        let rank = self.rank().max(other.rank());
        let size = |shape: &Self, axis: usize| {
            (axis + shape.rank())
                .checked_sub(rank)
                .map_or(1, |index| shape[index])
        };
        let mut result = Self::default();
        for axis in 0..rank {
            let (left_size, right_size) = (size(self, axis), size(other, axis));
            result.push(match (left_size, right_size) {
                (left, right) if left == right => left,
                (1, right) => right,
                (left, 1) => left,
                _ => {
                    let kind = ErrorKind::Broadcast {
                        left: self.clone(),
                        right: other.clone(),
                        axis,
                        left_size,
                        right_size,
                    };
                    return Err(Error::new(operation, kind));
                }
            });
        }
        Ok(result)
    }

    /// The index along each axis of the element at `position` in row-major order.
    pub fn index_of(&self, mut position: usize) -> Self {
        let mut index = self.clone();
        for axis in (0..self.rank()).rev() {
            index.0[axis] = position % self[axis];
            position /= self[axis];
        }
        index
    }

    pub(crate) fn push(&mut self, size: usize) {
        self.0.push(size);
    }

    pub(crate) fn insert(&mut self, axis: usize, size: usize) {
        self.0.insert(axis, size);
    }

    pub(crate) fn remove(&mut self, axis: usize) -> usize {
        self.0.remove(axis)
    }

    pub(crate) fn set(&mut self, axis: usize, size: usize) {
        self.0[axis] = size;
    }

    pub(crate) fn swap(&mut self, a: usize, b: usize) {
        self.0.swap(a, b);
    }
}

impl AsRef<[usize]> for Shape {
    fn as_ref(&self) -> &[usize] {
        self
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        Self(SmallVec::from_slice(&sizes))
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Self(SmallVec::from_slice(sizes))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        Self(SmallVec::from_vec(sizes))
    }
}

impl From<usize> for Shape {
    fn from(size: usize) -> Self {
        Self::from([size])
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        Self(sizes.into_iter().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The same text as `Display`: `[2, 3]`, on one line.
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (axis, size) in self.iter().enumerate() {
            if axis > 0 {
                write!(f, ", ")?;
            }
            write!(f, "{size}")?;
        }
        write!(f, "]")
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, sizes: &[usize; N]) -> bool {
        self.0.as_slice() == sizes
    }
}
