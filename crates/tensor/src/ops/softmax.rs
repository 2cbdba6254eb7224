//! Softmax, its logarithm, and the logarithm of a sum of exponentials along one axis.
//!
//! The kernels work on rows; another axis than the last is exchanged with it and back.

use lexigrad_kernels::softmax as kernels;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::Result;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::ops::select::Mask;
use crate::tensor::Tensor;

fn columns<T: Element>(x: &Tensor<T>) -> usize {
    x.shape().last().copied().unwrap_or(1)
}

/// `y = e^x / Σ e^x` along the last axis.
struct Softmax;

impl<T: Element> Op<T> for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::OUTPUT
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let x = inputs[0].read()?;
        Tensor::build(inputs[0].shape(), |out| {
            kernels::softmax(&x, columns(inputs[0]), out);
        })
    }

    /// `dx = y (g - Σ g y)`
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let y = saved.output();
        let weighted = cotangent.mul(y)?;
        let gradient = weighted.sub(&y.mul(&weighted.sum_keep(&[-1])?)?)?;
        Ok(Cotangents::one(gradient))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let y = saved.output();
        let (values, given) = (y.read()?, cotangent.read()?);
        let gradient = Tensor::build(y.shape(), |out| {
            kernels::softmax_backward(&values, &given, columns(y), out);
        })?;
        Ok(Cotangents::one(gradient))
    }
}

/// `y = x - ln Σ e^x` along the last axis.
struct LogSoftmax;

impl<T: Element> Op<T> for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::OUTPUT
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let x = inputs[0].read()?;
        Tensor::build(inputs[0].shape(), |out| {
            kernels::log_softmax(&x, columns(inputs[0]), out);
        })
    }

    /// `dx = g - e^y Σ g`; 0 for a row of -inf
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let y = saved.output();
        let total = cotangent.sum_keep(&[-1])?;
        let gradient = cotangent.sub(&y.exp().mul(&total)?)?;
        Ok(Cotangents::one(match rows_without_distribution(y)? {
            Some(rows) => gradient.masked_fill(&rows, T::zero())?,
            None => gradient,
        }))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let y = saved.output();
        let (values, given) = (y.read()?, cotangent.read()?);
        let gradient = Tensor::build(y.shape(), |out| {
            kernels::log_softmax_backward(&values, &given, columns(y), out);
        })?;
        Ok(Cotangents::one(gradient))
    }
}

/// Where a log-softmax is a row of -inf: `[.., 1]`; none if nowhere.
fn rows_without_distribution<T: Element>(y: &Tensor<T>) -> Result<Option<Mask>> {
    let rows = y.values();
    let rows = rows.chunks_exact(columns(y).max(1));
    let found: Vec<bool> = rows.map(kernels::is_without_distribution).collect();
    if !found.contains(&true) {
        return Ok(None);
    }
    let mut shape = y.shape().clone();
    shape.set(y.rank() - 1, 1);
    Mask::new(found, shape).map(Some)
}

/// `y = ln Σ e^x` along the last axis, which is kept at size 1.
struct LogSumExp;

impl<T: Element> Op<T> for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let x = inputs[0].read()?;
        let mut shape = inputs[0].shape().clone();
        shape.set(inputs[0].rank() - 1, 1);
        Tensor::build(shape, |out| {
            kernels::logsumexp(&x, columns(inputs[0]), out);
        })
    }

    /// `dx = g softmax(x)`
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let gradient = cotangent.mul(&saved.input(0).softmax(-1)?)?;
        Ok(Cotangents::one(gradient))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// Runs `op`, which works along the last axis, along `axis`.
    fn along(&self, name: &'static str, axis: isize, op: impl Op<T>) -> Result<Self> {
        let index = self.shape().axis(name, axis)?;
        if index + 1 == self.rank() {
            return apply(op, &[self]);
        }
        apply(op, &[&self.transpose(axis, -1)?])?.transpose(axis, -1)
    }

    /// `y = e^x / Σ e^x` along `axis`.
    ///
    /// A row of -inf has no distribution: `softmax` gives zeros there, `log_softmax` and `logsumexp` give -inf, each with a
    /// gradient of 0, where PyTorch gives NaN. A row that holds +inf has no limit: `softmax` and `log_softmax` give NaN,
    /// `logsumexp` +inf, and all three gradients are NaN.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([0.0, 2.0_f32.ln() * 2.0]);
    /// let y = x.softmax(-1)?.to_vec();
    /// assert!((y[0] - 0.2).abs() < 1e-6 && (y[1] - 0.8).abs() < 1e-6);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn softmax(&self, axis: isize) -> Result<Self> {
        self.along("softmax", axis, Softmax)
    }

    /// `y = x - ln Σ e^x` along `axis`; -inf for a row of -inf and NaN for one that holds +inf, as [`softmax`](Self::softmax) says.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn log_softmax(&self, axis: isize) -> Result<Self> {
        self.along("log_softmax", axis, LogSoftmax)
    }

    /// `y = ln Σ e^x` along `axis`, which is taken away; -inf for a row of -inf and +inf for one that holds it, as
    /// [`softmax`](Self::softmax) says.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn logsumexp(&self, axis: isize) -> Result<Self> {
        self.along("logsumexp", axis, LogSumExp)?.squeeze(axis)
    }
}
