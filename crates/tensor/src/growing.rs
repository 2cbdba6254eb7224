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
/// assert_eq!(rows.value().unwrap().to_vec(), [1.0, 2.0, 3.0, 4.0]);
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
    pub fn value(&self) -> Option<Tensor<T>> {
        let room = self.room.as_ref()?;
        if room.shape()[self.axis] == self.length {
            return Some(room.clone());
        }
        room.narrow(self.axis as isize, 0, self.length).ok()
    }

    /// Adds rows at the end.
    ///
    /// # Errors
    /// If their other axes are not those of the rows before, or there is no memory for them; then no row was added.
    pub fn push(&mut self, rows: &Tensor<T>) -> Result<()> {
        let axis = self.axis;
        let Some(value) = self.value() else {
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
