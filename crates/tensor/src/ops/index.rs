//! Taking elements by index along any axis, adding them back, and the rearrangements that are such lookups.

use lexigrad_kernels::index as kernels;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::room;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Ids along an axis of `size` elements.
#[derive(Clone)]
struct Along {
    axis: usize,
    size: usize,
    ids: Ids,
}

impl Along {
    fn inner(&self, shape: &Shape) -> usize {
        shape[self.axis + 1..].iter().product()
    }

    /// `shape` with `size` elements along the axis.
    fn resized(&self, shape: &Shape, size: usize) -> Shape {
        let mut shape = shape.clone();
        shape.set(self.axis, size);
        shape
    }
}

/// `y[.., j, ..] = x[.., ids[j], ..]`; its adjoint is [`IndexAdd`].
struct IndexSelect(Along);

impl<T: Element> Op<T> for IndexSelect {
    fn name(&self) -> &'static str {
        "index_select"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Along { size, ids, .. } = &self.0;
        let (x, shape) = (inputs[0].read()?, inputs[0].shape());
        let inner = self.0.inner(shape);
        Tensor::build(self.0.resized(shape, ids.len()), |out| {
            kernels::select_axis(&x, *size, inner, ids.as_slice(), out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = IndexAdd(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

/// `y[.., ids[j], ..] += x[.., j, ..]`, from zeros; its adjoint is [`IndexSelect`].
struct IndexAdd(Along);

impl<T: Element> Op<T> for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Along { size, ids, .. } = &self.0;
        let shape = inputs[0].shape();
        let inner = self.0.inner(shape);
        let mut sums = Tensor::build_zeros(self.0.resized(shape, *size))?;
        kernels::add_axis(
            &inputs[0].read()?,
            *size,
            inner,
            ids.as_slice(),
            sums.values_mut(),
        );
        Ok(sums)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = IndexSelect(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

/// `y[.., j, ..] = x[.., ids[.., j, ..], ..]`; its adjoint is [`Scatter`].
struct Gather(Along);

impl<T: Element> Op<T> for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Along { axis, size, ids } = &self.0;
        let (x, inner) = (inputs[0].read()?, self.0.inner(inputs[0].shape()));
        Tensor::build(ids.shape(), |out| {
            kernels::gather_axis(&x, *size, inner, ids.as_slice(), ids.shape()[*axis], out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = Scatter(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

/// `y[.., ids[.., j, ..], ..] += x[.., j, ..]`, from zeros; its adjoint is [`Gather`].
struct Scatter(Along);

impl<T: Element> Op<T> for Scatter {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Along { axis, size, ids } = &self.0;
        let shape = inputs[0].shape();
        let (inner, count) = (self.0.inner(shape), shape[*axis]);
        let mut sums = Tensor::build_zeros(self.0.resized(shape, *size))?;
        kernels::scatter_axis(
            &inputs[0].read()?,
            *size,
            inner,
            ids.as_slice(),
            count,
            sums.values_mut(),
        );
        Ok(sums)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = Gather(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

/// Checks that the ids lie within an axis of this size.
fn check_along(operation: &'static str, axis: usize, size: usize, ids: &Ids) -> Result<()> {
    ids.check_below(operation, size, || format!("axis {axis} of size {size}"))
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `y[.., j, ..] = x[.., ids[j], ..]` along `axis`: `x: [.., n, ..]`, `ids: [m]`, `y: [.., m, ..]`.
    ///
    /// ```
    /// use lexigrad_tensor::{Ids, Tensor};
    /// let x: Tensor = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.index_select(1, &Ids::new([2, 0])?)?.to_vec(), [3.0, 1.0, 6.0, 4.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis does not exist, the ids have not one axis, or one is beyond the axis.
    ///
    /// PyTorch: `index_select`. The gradient is dense; that of [`gather_rows`](crate::gather_rows) is row-sparse.
    pub fn index_select(&self, axis: isize, ids: &Ids) -> Result<Self> {
        let axis = self.shape().axis("index_select", axis)?;
        let size = self.shape()[axis];
        if ids.shape().rank() != 1 {
            let rule = "they must have one axis";
            return Err(Error::shape("index_select", "the ids", ids.shape(), rule));
        }
        check_along("index_select", axis, size, ids)?;
        let ids = ids.clone();
        apply(IndexSelect(Along { axis, size, ids }), &[self])
    }

    /// `y[.., j, ..] = x[.., ids[.., j, ..], ..]` along `axis`: `x: [.., n, ..]`, `ids: [.., m, ..]`, `y: [.., m, ..]`.
    ///
    /// ```
    /// use lexigrad_tensor::{Ids, Tensor};
    /// let log_probabilities: Tensor = Tensor::new([[-0.1, -2.3], [-1.2, -0.4]]);
    /// assert_eq!(log_probabilities.gather(-1, &Ids::new([[0], [1]])?)?.to_vec(), [-0.1, -0.4]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis does not exist, the ids differ from x in another axis (PyTorch takes smaller ones too), or one is beyond the
    /// axis.
    ///
    /// PyTorch: `gather`. NumPy: `take_along_axis`.
    pub fn gather(&self, axis: isize, ids: &Ids) -> Result<Self> {
        let along = self.along_ids("gather", axis, ids)?;
        apply(Gather(along), &[self])
    }

    /// `y = x`, then `y[.., ids[.., j, ..], ..] += values[.., j, ..]` along `axis`: `x: [.., n, ..]`, ids and values `[.., m, ..]`.
    ///
    /// ```
    /// use lexigrad_tensor::{Ids, Tensor};
    /// let counts = Tensor::<f32>::zeros([3]).scatter_add(0, &Ids::new([2, 0, 2])?, &Tensor::ones([3]))?;
    /// assert_eq!(counts.to_vec(), [1.0, 0.0, 2.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`gather`](Self::gather); if the values have not the shape of the ids.
    ///
    /// PyTorch: `scatter_add`.
    pub fn scatter_add(&self, axis: isize, ids: &Ids, values: &Self) -> Result<Self> {
        let along = self.along_ids("scatter_add", axis, ids)?;
        if values.shape() != ids.shape() {
            let rule = format!("they must have that of the ids, {}", ids.shape());
            return Err(Error::shape(
                "scatter_add",
                "the values",
                values.shape(),
                rule,
            ));
        }
        self.add(&apply(Scatter(along), &[values])?)
    }

    /// Ids that fit this shape beside `axis` and lie within it.
    fn along_ids(&self, operation: &'static str, axis: isize, ids: &Ids) -> Result<Along> {
        let axis = self.shape().axis(operation, axis)?;
        let size = self.shape()[axis];
        let mut fitting = self.shape().clone();
        if ids.shape().rank() == self.rank() {
            fitting.set(axis, ids.shape()[axis]);
        }
        if fitting != *ids.shape() {
            let rule = format!(
                "beside axis {axis} they must have the tensor's, {}",
                self.shape()
            );
            return Err(Error::shape(operation, "the ids", ids.shape(), rule));
        }
        check_along(operation, axis, size, ids)?;
        let ids = ids.clone();
        Ok(Along { axis, size, ids })
    }

    /// The elements along each of `axes` in reverse order.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn flip(&self, axes: &[isize]) -> Result<Self> {
        self.shape().axis_set("flip", axes)?;
        axes.iter().try_fold(self.clone(), |x, &axis| {
            x.reorder(axis, |place, size| size - 1 - place)
        })
    }

    /// The elements along `axis` moved on by `shift` places, those beyond the end to the front; back if `shift` is negative.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([1.0, 2.0, 3.0]);
    /// assert_eq!(x.roll(1, 0)?.to_vec(), [3.0, 1.0, 2.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn roll(&self, shift: isize, axis: isize) -> Result<Self> {
        self.reorder(axis, |place, size| {
            let back = size - shift.rem_euclid(size as isize).unsigned_abs();
            (place + back) % size
        })
    }

    /// The element at `from(place, size)` at each place of an axis.
    fn reorder(&self, axis: isize, from: impl Fn(usize, usize) -> usize) -> Result<Self> {
        let size = self.shape()[self.shape().axis("reorder", axis)?];
        let mut places = room::room(&Shape::from(size))?;
        places.extend((0..size).map(|place| from(place, size)));
        self.index_select(axis, &Ids::from_slice(&places, size)?)
    }

    /// The whole tensor `counts[i]` times along axis i: `[2, 3]` with counts `[2, 1]` to `[4, 3]`; more counts than axes add axes
    /// in front.
    ///
    /// # Errors
    /// If there are fewer counts than axes, or no memory for the result.
    ///
    /// PyTorch: `repeat`, NumPy: `tile`.
    #[doc(alias = "tile")]
    pub fn repeat(&self, counts: &[usize]) -> Result<Self> {
        let Some(added) = counts.len().checked_sub(self.rank()) else {
            let rule = format!("{counts:?} must hold a count for each axis");
            return Err(Error::shape("repeat", "the tensor", self.shape(), rule));
        };
        let sizes = std::iter::repeat_n(&1, added).chain(self.shape().iter());
        let pairs: Vec<(usize, usize)> = counts.iter().copied().zip(sizes.copied()).collect();
        let single: Shape = pairs.iter().flat_map(|&(_, size)| [1, size]).collect();
        let many: Shape = pairs
            .iter()
            .flat_map(|&(count, size)| [count, size])
            .collect();
        let product = |&(count, size): &(usize, usize)| count.saturating_mul(size);
        let whole = pairs
            .iter()
            .map(product)
            .collect::<Shape>()
            .checked("repeat")?;
        let repeated = self.reshape(single)?.expand(many)?.reshape(whole);
        repeated.map_err(|error| error.within("repeat"))
    }
}
