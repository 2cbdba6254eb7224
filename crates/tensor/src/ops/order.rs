//! Cumulative sums, sorting and the largest elements.

use lexigrad_kernels::order as kernels;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::tensor::Tensor;

/// `y[j] = Σ x[k]` over k up to j; from j on if `reverse`, which is its adjoint.
struct CumSum {
    axis: usize,
    reverse: bool,
}

impl<T: Element> Op<T> for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (x, shape) = (inputs[0].read()?, inputs[0].shape());
        let inner = shape[self.axis + 1..].iter().product();
        Tensor::build(shape, |out| {
            kernels::cumsum_axis(&x, shape[self.axis], inner, self.reverse, out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = CumSum {
            axis: self.axis,
            reverse: !self.reverse,
        };
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `y[j] = x[0] + .. + x[j]` along `axis`, of x's shape.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn cumsum(&self, axis: isize) -> Result<Self> {
        let axis = self.shape().axis("cumsum", axis)?;
        let reverse = false;
        apply(CumSum { axis, reverse }, &[self])
    }

    /// The elements along `axis` in ascending (or descending) order, and where each stood; the gradient goes back to there.
    ///
    /// Equal elements keep their order, and NaN counts as the largest.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([3.0, 1.0, 2.0]);
    /// let (sorted, places) = x.sort(0, false)?;
    /// assert_eq!(sorted.to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(places.as_slice(), [1, 2, 0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis.
    ///
    /// PyTorch: `sort(stable=True)`.
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(Self, Ids)> {
        let index = self.shape().axis("sort", axis)?;
        self.first_places(index, self.shape()[index], descending)
    }

    /// The `k` largest elements along `axis`, descending, and where each stood; the gradient goes back to there.
    ///
    /// Of equal elements the first one counts as larger (PyTorch does not say which), and NaN is the largest.
    ///
    /// # Errors
    /// If there is no such axis or it holds fewer than `k` elements.
    ///
    /// PyTorch: `topk(k, axis)`; for the smallest, negate.
    pub fn topk(&self, k: usize, axis: isize) -> Result<(Self, Ids)> {
        let index = self.shape().axis("topk", axis)?;
        if k > self.shape()[index] {
            let rule = format!("axis {axis} must hold {k} elements");
            return Err(Error::shape("topk", "the tensor", self.shape(), rule));
        }
        self.first_places(index, k, true)
    }

    fn first_places(&self, axis: usize, count: usize, descending: bool) -> Result<(Self, Ids)> {
        let size = self.shape()[axis];
        let inner = self.shape()[axis + 1..].iter().product();
        let places = kernels::argsort_axis(&self.read()?, size, inner, count, descending);
        let mut shape = self.shape().clone();
        shape.set(axis, count);
        let places = Ids::from_vec(places, shape)?;
        Ok((self.gather(axis as isize, &places)?, places))
    }
}
