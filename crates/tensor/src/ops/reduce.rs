//! Sums, means, extrema and variances over any axes.

use lexigrad_kernels::{extremum, reduce as kernels};
use lexigrad_macros::compiled;
use smallvec::SmallVec;

use super::norm::Norm;
use crate::apply::{apply, apply_total};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::shape::Shape;
use crate::tape::note_cut;
use crate::tensor::Tensor;

type Kernel<T> = fn(&[T], usize, usize, usize, &mut [T]);

/// The axes reduced, as flags, and the shape with those axes kept at size 1.
struct Reduction {
    axes: SmallVec<[bool; 4]>,
    from: Shape,
    kept: Shape,
}

impl Reduction {
    fn new(operation: &'static str, shape: &Shape, axes: &[isize]) -> Result<Self> {
        let axes = shape.axis_set(operation, axes)?;
        let sizes = shape.iter().zip(&axes);
        let kept = sizes.map(|(&size, &reduced)| if reduced { 1 } else { size });
        Ok(Self {
            kept: kept.collect(),
            from: shape.clone(),
            axes,
        })
    }

    /// The number of elements that become one.
    fn count(&self) -> usize {
        let sizes = self.from.iter().zip(&self.axes);
        sizes
            .filter(|(_, reduced)| **reduced)
            .map(|(size, _)| size)
            .product()
    }

    /// Whether each axis is reduced, with the axes in another order.
    fn axes_in(&self, place: &dyn Fn(usize) -> usize) -> SmallVec<[bool; 4]> {
        let mut axes = self.axes.clone();
        for (axis, &reduced) in self.axes.iter().enumerate() {
            axes[place(axis)] = reduced;
        }
        axes
    }

    /// Runs `kernel` over each run of neighbouring reduced axes, the last run first; the result keeps them at size 1.
    fn run<T: Element>(&self, x: &Tensor<T>, kernel: Kernel<T>) -> Result<Tensor<T>> {
        x.in_memory_order(|x, _, place| reduce(x, &self.axes_in(place), kernel))
    }

    /// The shape without the reduced axes.
    fn dropped(&self) -> Shape {
        let sizes = self.from.iter().zip(&self.axes);
        sizes
            .filter(|(_, reduced)| !**reduced)
            .map(|(&size, _)| size)
            .collect()
    }

    /// A maximum of nothing does not exist.
    fn check_not_empty(&self, operation: &'static str) -> Result<()> {
        if self.count() > 0 || self.kept.elements() == 0 {
            return Ok(());
        }
        let rule = "the axes reduced must hold an element";
        Err(Error::shape(operation, "the tensor", &self.from, rule))
    }
}

/// A run of neighbouring axes that are reduced, the last one before `end`: the first of them, and the one after.
fn last_run(axes: &[bool], end: usize) -> Option<std::ops::Range<usize>> {
    let last = axes[..end].iter().rposition(|&reduced| reduced)?;
    let before = axes[..last].iter().rposition(|&reduced| !reduced);
    Some(before.map_or(0, |axis| axis + 1)..last + 1)
}

fn reduce<T: Element>(x: &Tensor<T>, axes: &[bool], kernel: Kernel<T>) -> Result<Tensor<T>> {
    let mut values = x.constant();
    let mut end = axes.len();
    while let Some(run) = last_run(axes, end) {
        let mut shape = values.shape().clone();
        let [outer, length, inner] = split_at(&shape, &run);
        for axis in run.clone() {
            shape.set(axis, 1);
        }
        let input = values.read()?;
        let reduced = Tensor::build(shape, |out| kernel(&input, outer, length, inner, out))?;
        drop(input);
        values = reduced;
        end = run.start;
    }
    Ok(values)
}

/// The elements before, in and after a run of axes.
fn split_at(shape: &Shape, run: &std::ops::Range<usize>) -> [usize; 3] {
    let elements = |sizes: &[usize]| sizes.iter().product();
    [
        elements(&shape[..run.start]),
        elements(&shape[run.clone()]),
        elements(&shape[run.end..]),
    ]
}

/// `y = Σ x` over some axes, kept at size 1; the gradient is repeated over them.
struct Sum(Reduction);

impl<T: Element> Op<T> for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        self.0.run(inputs[0], kernels::sum_axis)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent.expand(&self.0.from)?))
    }
}

/// `y = Σ x` over all axes: `[..]` to `[]`.
struct SumAll {
    from: Shape,
}

impl<T: Element> Op<T> for SumAll {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(Tensor::full([], kernels::sum(&inputs[0].read()?)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent.expand(&self.from)?))
    }
}

/// The largest (or smallest) element over some axes, kept at size 1, NaN if there is one; equal ones share the gradient evenly.
struct Extremum<T> {
    name: &'static str,
    reduction: Reduction,
    kernel: Kernel<T>,
}

impl<T: Element> Op<T> for Extremum<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::OUTPUT)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        self.reduction.run(inputs[0], self.kernel)
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let shares = self.shares(saved.input(0), saved.output())?;
        Ok(Cotangents::one(cotangent.mul(&shares)?))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        match self.gradient(saved.input(0), saved.output(), &cotangent)? {
            Some(gradient) => Ok(Cotangents::one(gradient)),
            None => self.vjp(saved, cotangent),
        }
    }
}

impl<T: Element> Extremum<T> {
    /// [`shares`](Self::shares) of the cotangent in one pass; none if the axes reduced do not stand together.
    fn gradient(
        &self,
        x: &Tensor<T>,
        y: &Tensor<T>,
        cotangent: &Tensor<T>,
    ) -> Result<Option<Tensor<T>>> {
        let mut apart = false;
        let gradient = x.in_memory_order(|x, alike, place| {
            let axes = self.reduction.axes_in(place);
            let Some(run) = last_run(&axes, axes.len()) else {
                return Ok(alike(cotangent));
            };
            if last_run(&axes, run.start).is_some() {
                apart = true;
                return Ok(alike(cotangent));
            }
            let [_, length, inner] = split_at(x.shape(), &run);
            let (y, cotangent) = (alike(y), alike(cotangent));
            let (x_values, y, grad) = (x.read()?, y.read()?, cotangent.read()?);
            Tensor::build(x.shape(), |out| {
                extremum::extremum_backward(&x_values, &y, &grad, length, inner, out);
            })
        })?;
        Ok((!apart).then_some(gradient))
    }

    /// 1 / count at each of the count winners, 0 elsewhere; a constant.
    fn shares(&self, x: &Tensor<T>, y: &Tensor<T>) -> Result<Tensor<T>> {
        let winners = y.constant().expand(x.shape())?;
        let (x, y) = (x.read()?, winners.read()?);
        let ties = Tensor::build(winners.shape(), |out| {
            for (out, (x, y)) in out.iter_mut().zip(x.iter().zip(y.iter())) {
                *out = if extremum::wins(*x, *y) {
                    T::one()
                } else {
                    T::zero()
                };
            }
        })?;
        ties.div(&self.reduction.run(&ties, kernels::sum_axis)?)
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `y = Σ x` over all elements: `[..]` to `[]`; 0 of nothing.
    ///
    /// # Panics
    /// If the elements are copied, since they do not stand side by side, and there is no memory for the copy.
    #[track_caller]
    pub fn sum(&self) -> Self {
        let from = self.shape().clone();
        apply_total(SumAll { from }, self)
    }

    /// `y = Σ x` over `axes`, which are taken away.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_axes(&[0])?.to_vec(), [4.0, 6.0]);
    /// assert_eq!(*x.sum_keep(&[-1])?.shape(), [2, 1]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn sum_axes(&self, axes: &[isize]) -> Result<Self> {
        let dropped = Reduction::new("sum", self.shape(), axes)?.dropped();
        self.sum_keep(axes)?.reshape(dropped)
    }

    /// [`sum_axes`](Self::sum_axes) with the axes kept at size 1. PyTorch: `keepdim=True`.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn sum_keep(&self, axes: &[isize]) -> Result<Self> {
        apply(Sum(Reduction::new("sum", self.shape(), axes)?), &[self])
    }

    /// `y = Σ x / n` over all n elements: `[..]` to `[]`; NaN of nothing, as in PyTorch.
    ///
    /// # Panics
    /// If the elements are copied, since they do not stand side by side, and there is no memory for the copy.
    #[track_caller]
    pub fn mean(&self) -> Self {
        let count = T::from_f64(self.elements() as f64);
        self.sum().mul_scalar(count.recip())
    }

    /// `y = Σ x / n` over the n elements of `axes`, which are taken away.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn mean_axes(&self, axes: &[isize]) -> Result<Self> {
        let count = Reduction::new("mean", self.shape(), axes)?.count();
        Ok(self
            .sum_axes(axes)?
            .mul_scalar(T::from_f64(count as f64).recip()))
    }

    /// [`mean_axes`](Self::mean_axes) with the axes kept at size 1.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn mean_keep(&self, axes: &[isize]) -> Result<Self> {
        let count = Reduction::new("mean", self.shape(), axes)?.count();
        Ok(self
            .sum_keep(axes)?
            .mul_scalar(T::from_f64(count as f64).recip()))
    }

    /// The largest element over `axes`, which are taken away; NaN if there is one. Equal ones share the gradient evenly, and so do
    /// NaN.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there is no element to take.
    ///
    /// PyTorch: `amax`, which gives every element a gradient of NaN if there is one.
    pub fn max_axes(&self, axes: &[isize]) -> Result<Self> {
        let dropped = Reduction::new("max", self.shape(), axes)?.dropped();
        self.max_keep(axes)?.reshape(dropped)
    }

    /// [`max_axes`](Self::max_axes) with the axes kept at size 1.
    ///
    /// # Errors
    /// As for [`max_axes`](Self::max_axes).
    pub fn max_keep(&self, axes: &[isize]) -> Result<Self> {
        self.extremum("max", kernels::max_axis, axes)
    }

    /// The smallest element over `axes`, which are taken away; NaN if there is one. Equal ones share the gradient evenly, and so do
    /// NaN.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there is no element to take.
    ///
    /// PyTorch: `amin`, which gives every element a gradient of NaN if there is one.
    pub fn min_axes(&self, axes: &[isize]) -> Result<Self> {
        let dropped = Reduction::new("min", self.shape(), axes)?.dropped();
        self.min_keep(axes)?.reshape(dropped)
    }

    /// [`min_axes`](Self::min_axes) with the axes kept at size 1.
    ///
    /// # Errors
    /// As for [`min_axes`](Self::min_axes).
    pub fn min_keep(&self, axes: &[isize]) -> Result<Self> {
        self.extremum("min", kernels::min_axis, axes)
    }

    fn extremum(&self, name: &'static str, kernel: Kernel<T>, axes: &[isize]) -> Result<Self> {
        let reduction = Reduction::new(name, self.shape(), axes)?;
        reduction.check_not_empty(name)?;
        let op = Extremum {
            name,
            reduction,
            kernel,
        };
        apply(op, &[self])
    }

    /// `y = Σ (x - mean)² / (n - correction)` over the n elements of `axes`, which are taken away.
    ///
    /// PyTorch: `var(axes, correction=correction)`; its default correction is 1.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn var_axes(&self, axes: &[isize], correction: usize) -> Result<Self> {
        let dropped = Reduction::new("var", self.shape(), axes)?.dropped();
        self.var_keep(axes, correction)?.reshape(dropped)
    }

    /// [`var_axes`](Self::var_axes) with the axes kept at size 1.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn var_keep(&self, axes: &[isize], correction: usize) -> Result<Self> {
        let (centred, degrees) = self.centred("var", axes, correction)?;
        Ok(centred.square().sum_keep(axes)?.mul_scalar(degrees.recip()))
    }

    /// `x - mean` over `axes`, and the degrees of freedom, `n - correction`.
    fn centred(
        &self,
        operation: &'static str,
        axes: &[isize],
        correction: usize,
    ) -> Result<(Self, T)> {
        let count = Reduction::new(operation, self.shape(), axes)?.count();
        let degrees = T::from_f64(count.saturating_sub(correction) as f64);
        Ok((self.sub(&self.mean_keep(axes)?)?, degrees))
    }

    /// `y = √(Σ (x - mean)² / (n - correction))` over the n elements of `axes`, which are taken away.
    ///
    /// The gradient is 0 where the deviation is 0, at every order.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([[1.0, 3.0], [5.0, 5.0]]);
    /// assert_eq!(x.std_axes(&[-1], 0)?.to_vec(), [1.0, 0.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    ///
    /// PyTorch: `std(axes, correction=correction)`; its default correction is 1.
    pub fn std_axes(&self, axes: &[isize], correction: usize) -> Result<Self> {
        let dropped = Reduction::new("std", self.shape(), axes)?.dropped();
        self.std_keep(axes, correction)?.reshape(dropped)
    }

    /// [`std_axes`](Self::std_axes) with the axes kept at size 1.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn std_keep(&self, axes: &[isize], correction: usize) -> Result<Self> {
        let (centred, degrees) = self.centred("std", axes, correction)?;
        let norm = centred.norm_keep(Norm::L2, axes)?;
        norm.div(&Tensor::full([], degrees.sqrt()))
    }

    /// The index of the largest element along `axis`, the first of equal ones: `[.., n, ..]` to `[.., ..]`. Not differentiable.
    ///
    /// # Errors
    /// If the axis does not exist or is empty.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Result<Ids> {
        note_cut("argmax", self);
        let reduction = Reduction::new("argmax", self.shape(), &[axis])?;
        reduction.check_not_empty("argmax")?;
        let axis = self.shape().axis("argmax", axis)?;
        let (outer, inner) = (&self.shape()[..axis], &self.shape()[axis + 1..]);
        let (outer, inner) = (outer.iter().product(), inner.iter().product());
        let values = self.read()?;
        let mut winners = vec![0; outer * inner];
        kernels::argmax_axis(&values, outer, self.shape()[axis], inner, &mut winners);
        Ids::from_vec(winners, reduction.dropped())
    }
}
