//! A tensor that grows along an axis.

use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::ops::cat;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A tensor `[.., L, ..]` to which rows are added at the end of an axis, as a cache of earlier positions is.
///
/// There is room ahead, so that adding copies what is added and, now and then, all. What is read is a view. Rows that a tape has
/// recorded are joined by [`cat`], through which gradients flow.
///
/// ```
/// use lexigrad_tensor::{Growing, Tensor};
/// let mut rows: Growing = Growing::new(0);
/// for row in [[1.0, 2.0], [3.0, 4.0]] {
///     rows.push(&Tensor::new([row]))?;
/// }
/// assert_eq!(rows.value()?.unwrap().to_vec(), [1.0, 2.0, 3.0, 4.0]);
/// rows.truncate(1);
/// assert_eq!(rows.len(), 1);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Growing<T: Element = f32> {
    axis: usize,
    length: usize,
    /// As long as what was added, or longer.
    room: Option<Tensor<T>>,
}

#[compiled]
impl<T: Element> Growing<T> {
    /// No rows, to be added along `axis`.
    pub fn new(axis: usize) -> Self {
        Self {
            axis,
            length: 0,
            room: None,
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All rows; `None` before any were added.
    ///
    /// # Errors
    /// If they belong to a tape that is alive on another thread.
    pub fn value(&self) -> Result<Option<Tensor<T>>> {
        let Some(room) = &self.room else {
            return Ok(None);
        };
        if room.shape()[self.axis] == self.length {
            return Ok(Some(room.clone()));
        }
        room.narrow(self.axis as isize, 0, self.length).map(Some)
    }

    /// Adds rows at the end.
    ///
    /// # Errors
    /// If their other axes are not those of the rows before, or there is no memory for them; then no row was added.
    pub fn push(&mut self, rows: &Tensor<T>) -> Result<()> {
        let axis = self.axis;
        let Some(value) = self.value()? else {
            rows.shape().axis("push", axis as isize)?;
            self.length = rows.shape()[axis];
            self.room = Some(rows.clone());
            return Ok(());
        };
        let mut shape = value.shape().clone();
        shape.set(axis, rows.shape().get(axis).copied().unwrap_or(0));
        if shape != *rows.shape() {
            let rule = format!("it must be {} but for axis {axis}", value.shape());
            return Err(Error::shape("push", "what is added", rows.shape(), rule));
        }
        let length = self.length + shape[axis];
        if value.node().is_some() || rows.node().is_some() {
            self.room = Some(cat(&[&value, rows], axis as isize)?);
        } else {
            drop(value);
            self.make_room(length)?;
            if let Some(room) = &mut self.room {
                write(room, axis, self.length, rows);
            }
        }
        self.length = length;
        Ok(())
    }

    /// Forgets all rows but the first `length`.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        if self.length == 0 {
            self.room = None;
        }
    }

    /// Room for `length` rows, twice as many as there were at least, so that few additions copy all.
    fn make_room(&mut self, length: usize) -> Result<()> {
        let Some(room) = self.room.as_ref() else {
            return Ok(());
        };
        let known = room.shape()[self.axis];
        if length <= known {
            return Ok(());
        }
        let mut shape: Shape = room.shape().clone();
        shape.set(self.axis, length.max(known.saturating_mul(2)));
        let mut larger = Tensor::build_zeros(shape)?;
        write(&mut larger, self.axis, 0, room);
        self.room = Some(larger);
        Ok(())
    }
}

/// Writes rows into a tensor from row `first` of an axis on.
fn write<T: Element>(tensor: &mut Tensor<T>, axis: usize, first: usize, rows: &Tensor<T>) {
    let inner: usize = rows.shape()[axis + 1..].iter().product();
    let (whole, part) = (tensor.shape()[axis] * inner, rows.shape()[axis] * inner);
    let values = rows.values();
    let targets = tensor.values_mut().chunks_exact_mut(whole.max(1));
    for (target, values) in targets.zip(values.chunks_exact(part.max(1))) {
        target[first * inner..][..part].copy_from_slice(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;

    #[test]
    fn rows_added_one_by_one_are_those_of_the_whole() {
        let whole: Tensor =
            Tensor::from_slice(&(0..42).map(|i| i as f32).collect::<Vec<_>>(), [2, 7, 3]).unwrap();
        for recorded in [false, true] {
            let tape = Tape::new();
            let whole = if recorded {
                tape.watch(&whole)
            } else {
                whole.clone()
            };
            let mut rows = Growing::new(1);
            for (first, count) in [(0, 1), (1, 3), (4, 1), (5, 2)] {
                rows.push(&whole.narrow(1, first, count).unwrap()).unwrap();
                let known = whole.narrow(1, 0, first + count).unwrap();
                assert_eq!(rows.value().unwrap().unwrap().to_vec(), known.to_vec());
            }
            assert!(rows.push(&Tensor::zeros([2, 1, 4])).is_err());
            rows.truncate(2);
            rows.push(&whole.narrow(1, 2, 2).unwrap()).unwrap();
            let value = rows.value().unwrap().unwrap();
            assert_eq!(value.to_vec(), whole.narrow(1, 0, 4).unwrap().to_vec());
            if recorded {
                let gradients = tape.backward(&value.sum()).unwrap();
                let gradient = gradients.of(&whole).unwrap().to_dense().unwrap();
                assert_eq!(gradient.sum().item().unwrap(), 24.0);
            }
        }
    }

    #[test]
    fn a_clone_does_not_see_what_the_other_adds() {
        let mut one: Growing = Growing::new(0);
        for row in 0..3 {
            one.push(&Tensor::new([row as f32])).unwrap();
        }
        let mut other = one.clone();
        one.push(&Tensor::new([7.0])).unwrap();
        other.push(&Tensor::new([8.0])).unwrap();
        assert_eq!(one.value().unwrap().unwrap().to_vec(), [0.0, 1.0, 2.0, 7.0]);
        assert_eq!(
            other.value().unwrap().unwrap().to_vec(),
            [0.0, 1.0, 2.0, 8.0]
        );
    }
}
