//! Token ids: unsigned integers of any shape, with their largest known.

use std::fmt;
use std::sync::Arc;

use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Ids `[..]`: indices into the rows of a table, or class labels, as `u32` in any shape.
///
/// Cloning shares the numbers. The largest is cached, so checking a whole batch against a table costs one comparison.
///
/// ```
/// use lexigrad_tensor::Ids;
/// let ids = Ids::new([[0, 2, 1], [5, 5, 0]])?;
/// assert_eq!((ids.shape().to_string(), ids.max()), ("[2, 3]".to_string(), Some(5)));
///
/// let error = Ids::new([[0_i64, 2], [-7, 1]]).unwrap_err();
/// assert_eq!(error.to_string(), "ids: id -7 at [1, 0] is not a valid id (ids run from 0 to 4294967295)");
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: an index tensor; it takes i32 and i64 only.
#[derive(Clone, PartialEq, Eq)]
pub struct Ids {
    values: Arc<[u32]>,
    shape: Shape,
    max: Option<u32>,
}

impl Ids {
    /// Ids from a number, an array, slice or `Vec` of any integer type, nested to any depth.
    ///
    /// # Errors
    /// If a number is negative or beyond `u32`, or nested vectors differ in length.
    pub fn new(data: impl IdData) -> Result<Self> {
        let mut values = Vec::new();
        let mut shape = Shape::default();
        if !data.shape(&mut shape) {
            let message = "nested lists of different lengths; pad them first";
            return Err(Error::other("ids", message));
        }
        data.append(&mut values).map_err(|id| {
            let position = shape.index_of(values.len());
            Error::new("ids", ErrorKind::NotAnId { id, position })
        })?;
        Ok(Self::from_parts(values, shape))
    }

    /// Ids from a flat slice of any integer type, in row-major order.
    ///
    /// # Errors
    /// If the slice's length is not the shape's, or a number is negative or beyond `u32`.
    pub fn from_slice<I: Integer>(data: &[I], shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.count().ok() != Some(data.len()) {
            return Err(misfit(&Shape::from(data.len()), &shape));
        }
        let mut values = Vec::with_capacity(data.len());
        for (place, id) in data.iter().enumerate() {
            if let Err(id) = id.append(&mut values) {
                let position = shape.index_of(place);
                return Err(Error::new("ids", ErrorKind::NotAnId { id, position }));
            }
        }
        Ok(Self::from_parts(values, shape))
    }

    /// Ids that are known to be right already, without a pass over them but for the largest.
    pub fn from_vec(data: Vec<u32>, shape: impl Into<Shape>) -> Result<Self> {
        let flat = Shape::from(data.len());
        Self::from_parts(data, flat).reshape(shape)
    }

    pub(crate) fn from_parts(values: Vec<u32>, shape: Shape) -> Self {
        let max = values.iter().copied().max();
        let values = values.into();
        Self { values, shape, max }
    }

    /// The same ids in another shape of as many elements.
    ///
    /// # Errors
    /// If the number of elements differs.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.count().ok() != Some(self.len()) {
            return Err(misfit(&self.shape, &shape));
        }
        Ok(Self {
            values: self.values.clone(),
            shape,
            max: self.max,
        })
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The number of ids.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The ids in row-major order.
    pub fn as_slice(&self) -> &[u32] {
        &self.values
    }

    /// 1 at each id and 0 elsewhere: `[..]` to `[.., classes]`; a constant.
    ///
    /// ```
    /// use lexigrad_tensor::{Ids, Tensor};
    /// let hot: Tensor = Ids::new([1, 0])?.one_hot(3)?;
    /// assert_eq!(hot.to_array::<[[f32; 3]; 2]>()?, [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an id is not below `classes`, or there is no memory for so many.
    pub fn one_hot<T: Element>(&self, classes: usize) -> Result<Tensor<T>> {
        self.check_below("one_hot", classes, || format!("{classes} classes"))?;
        let mut shape = self.shape.clone();
        shape.push(classes);
        let mut hot = Tensor::build_zeros(shape).map_err(|error| error.within("one_hot"))?;
        let rows = hot.values_mut().chunks_exact_mut(classes.max(1));
        rows.zip(self.values.iter())
            .for_each(|(row, &id)| row[id as usize] = T::one());
        Ok(hot)
    }

    /// The largest id, if there is any.
    pub fn max(&self) -> Option<u32> {
        self.max
    }

    /// Checks that every id is below `rows`, those of a table.
    ///
    /// # Errors
    /// Names the first id beyond, where it stands, and `rows`.
    pub fn check_range(&self, operation: &'static str, rows: usize) -> Result<()> {
        self.check_below(operation, rows, || format!("a table of {rows} rows"))
    }

    /// Checks that every id is below `count`; `counted` says in a message what there are so many of.
    ///
    /// # Errors
    /// Names the first id beyond, where it stands, and what is counted.
    pub fn check_below(
        &self,
        operation: &'static str,
        count: usize,
        counted: impl FnOnce() -> String,
    ) -> Result<()> {
        let Some((id, position)) = self.first_from(count) else {
            return Ok(());
        };
        let kind = ErrorKind::IdOutOfRange {
            id,
            position,
            rows: count,
            counted: counted(),
        };
        Err(Error::new(operation, kind))
    }

    /// Checks that every id is the label of one of so many classes.
    ///
    /// # Errors
    /// Names the first label beyond, where it stands, and `classes`.
    pub fn check_targets(&self, operation: &'static str, classes: usize) -> Result<()> {
        let Some((target, position)) = self.first_from(classes) else {
            return Ok(());
        };
        let kind = ErrorKind::TargetOutOfRange {
            target,
            position,
            classes,
        };
        Err(Error::new(operation, kind))
    }

    /// The first id that is not below `count`, and its index.
    fn first_from(&self, count: usize) -> Option<(u32, Shape)> {
        if self.max.is_none_or(|max| (max as usize) < count) {
            return None;
        }
        let place = self.values.iter().position(|&id| id as usize >= count)?;
        Some((self.values[place], self.shape.index_of(place)))
    }
}

fn misfit(found: &Shape, wanted: &Shape) -> Error {
    let rule = match wanted.count() {
        Ok(count) => format!("it must hold {count} ids to become {wanted}"),
        Err(error) => return error.within("ids"),
    };
    Error::shape("ids", "the data", found, rule)
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ids {} {:?}", self.shape, &self.values[..])
    }
}

/// An integer type that ids are read from: `u8` to `u64`, `usize`, `i32`, `i64`.
pub trait Integer: IdData + Copy {
    /// The number, widened.
    fn widen(self) -> i128;
}

/// A number, or arrays, slices and vectors of them nested to any depth.
pub trait IdData: sealed::Sealed {
    /// Appends the sizes of the axes; false if nested lists differ in length.
    #[doc(hidden)]
    fn shape(&self, sizes: &mut Shape) -> bool;
    /// Appends the ids; the first that is none is the error.
    #[doc(hidden)]
    fn append(&self, ids: &mut Vec<u32>) -> Result<(), i128>;
}

mod sealed {
    pub trait Sealed {}
    impl<D: Sealed> Sealed for [D] {}
    impl<D: Sealed, const N: usize> Sealed for [D; N] {}
    impl<D: Sealed> Sealed for Vec<D> {}
    impl<D: Sealed + ?Sized> Sealed for &D {}
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl sealed::Sealed for $integer {}

        impl Integer for $integer {
            fn widen(self) -> i128 {
                self as i128
            }
        }

        impl IdData for $integer {
            fn shape(&self, _sizes: &mut Shape) -> bool {
                true
            }

            fn append(&self, ids: &mut Vec<u32>) -> Result<(), i128> {
                ids.push(u32::try_from(*self).map_err(|_| self.widen())?);
                Ok(())
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, usize, i32, i64);

impl<D: IdData> IdData for [D] {
    fn shape(&self, sizes: &mut Shape) -> bool {
        sizes.push(self.len());
        let depth = sizes.rank();
        let Some((first, rest)) = self.split_first() else {
            return true;
        };
        let mut agree = first.shape(sizes);
        for other in rest {
            let mut found = Shape::from(&sizes[..depth]);
            agree = agree && other.shape(&mut found) && found == *sizes;
        }
        agree
    }

    fn append(&self, ids: &mut Vec<u32>) -> Result<(), i128> {
        ids.reserve(self.len());
        self.iter().try_for_each(|item| item.append(ids))
    }
}

impl<D: IdData, const N: usize> IdData for [D; N] {
    fn shape(&self, sizes: &mut Shape) -> bool {
        self.as_slice().shape(sizes)
    }

    fn append(&self, ids: &mut Vec<u32>) -> Result<(), i128> {
        self.as_slice().append(ids)
    }
}

impl<D: IdData> IdData for Vec<D> {
    fn shape(&self, sizes: &mut Shape) -> bool {
        self.as_slice().shape(sizes)
    }

    fn append(&self, ids: &mut Vec<u32>) -> Result<(), i128> {
        self.as_slice().append(ids)
    }
}

impl<D: IdData + ?Sized> IdData for &D {
    fn shape(&self, sizes: &mut Shape) -> bool {
        (**self).shape(sizes)
    }

    fn append(&self, ids: &mut Vec<u32>) -> Result<(), i128> {
        (**self).append(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_type_and_nesting_is_taken() {
        let flat = Ids::from_vec(vec![1, 2, 3, 4], [2, 2]).unwrap();
        assert_eq!(Ids::new([[1u8, 2], [3, 4]]).unwrap(), flat);
        assert_eq!(Ids::new(vec![vec![1i64, 2], vec![3, 4]]).unwrap(), flat);
        assert_eq!(Ids::new(&[[1usize, 2], [3, 4]][..]).unwrap(), flat);
        assert_eq!(Ids::from_slice(&[1u64, 2, 3, 4], [2, 2]).unwrap(), flat);
        assert_eq!(Ids::new(7).unwrap().shape().rank(), 0);
        assert_eq!(*Ids::new(Vec::<u32>::new()).unwrap().shape(), [0]);
    }
}
