//! Joining tensors along an axis.

use lexigrad_macros::compiled;
use smallvec::SmallVec;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::tensor::Tensor;

/// The inputs one after another along an axis; the gradient is cut at the same places.
struct Cat {
    axis: usize,
    lengths: SmallVec<[usize; 4]>,
}

impl<T: Element> Op<T> for Cat {
    fn name(&self) -> &'static str {
        "cat"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let mut shape = inputs[0].shape().clone();
        let total = self.lengths.iter().copied().fold(0, usize::saturating_add);
        shape.set(self.axis, total);
        let shape = shape.checked("cat")?;
        let inner: usize = shape[self.axis + 1..].iter().product();
        let row = shape[self.axis] * inner;
        let parts = inputs.iter().map(|input| input.read());
        let parts: Vec<_> = parts.collect::<Result<_>>()?;
        Tensor::build(shape, |out| {
            let mut start = 0;
            for (values, &length) in parts.iter().zip(&self.lengths) {
                let part = length * inner;
                let rows = out.chunks_exact_mut(row.max(1));
                for (to, from) in rows.zip(values.chunks_exact(part.max(1))) {
                    to[start..start + part].copy_from_slice(from);
                }
                start += part;
            }
        })
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let mut start = 0;
        let parts = self.lengths.iter().enumerate().map(|(index, &length)| {
            let from = start;
            start += length;
            let part = || cotangent.narrow(self.axis as isize, from, length);
            saved.needs(index).then(part).transpose()
        });
        parts.collect::<Result<Vec<_>>>().map(Cotangents::from_iter)
    }
}

/// The tensors one after another along `axis`: `[.., n1, ..], [.., n2, ..]` to `[.., n1 + n2, ..]`.
///
/// ```
/// use lexigrad_tensor::{Tensor, cat};
/// let x: Tensor = Tensor::new([[1.0, 2.0]]);
/// assert_eq!(cat(&[&x, &x], 0)?.to_array::<[[f32; 2]; 2]>()?, [[1.0, 2.0], [1.0, 2.0]]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If there is none, or they differ in another axis.
#[compiled]
pub fn cat<T: Element>(tensors: &[&Tensor<T>], axis: isize) -> Result<Tensor<T>> {
    let Some((first, rest)) = tensors.split_first() else {
        return Err(Error::other(
            "cat",
            "no tensors; there must be at least one",
        ));
    };
    let axis = first.shape().axis("cat", axis)?;
    for (index, other) in rest.iter().enumerate() {
        let mut fitting = first.shape().clone();
        if other.rank() == first.rank() {
            fitting.set(axis, other.shape()[axis]);
        }
        if fitting != *other.shape() {
            let operand = format!("tensor {}", index + 1);
            let rule = format!(
                "beside axis {axis} it must equal tensor 0, {}",
                first.shape()
            );
            return Err(Error::shape("cat", operand, other.shape(), rule));
        }
    }
    let lengths = tensors.iter().map(|tensor| tensor.shape()[axis]).collect();
    apply(Cat { axis, lengths }, tensors)
}

/// The tensors, all of one shape, along a new axis: n times `[..]` to `[.., n, ..]`.
///
/// # Errors
/// If there is none, or their shapes differ.
#[compiled]
pub fn stack<T: Element>(tensors: &[&Tensor<T>], axis: isize) -> Result<Tensor<T>> {
    if let Some(other) = tensors
        .iter()
        .find(|tensor| tensor.shape() != tensors[0].shape())
    {
        let rule = format!(
            "all must have the shape of the first, {}",
            tensors[0].shape()
        );
        return Err(Error::shape("stack", "a tensor", other.shape(), rule));
    }
    let single: Vec<Tensor<T>> = tensors
        .iter()
        .map(|tensor| tensor.unsqueeze(axis))
        .collect::<Result<_>>()?;
    cat(&single.iter().collect::<Vec<_>>(), axis)
}
