//! Powers, roots, bounds, and a number added to or multiplied with every element.

use lexigrad_kernels::elementwise as kernels;
use lexigrad_macros::compiled;

use super::elementwise::{Elementwise, Reads, Unary, constant_map, elementwise};
use crate::apply::{apply, apply_total};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::tensor::Tensor;

elementwise! {
    /// `y = √x`; NaN below 0.
    sqrt as Sqrt, from Y {
        f: |x| x.sqrt(),
        df: |y| T::from_f64(0.5) / y,
        derivative: |y| Ok(y.recip().mul_scalar(T::from_f64(0.5))),
    }

    /// `y = x²`.
    square as Square, from X {
        f: |x| x * x,
        df: |x| x + x,
        derivative: |x| Ok(x.mul_scalar(T::from_f64(2.0))),
    }

    /// `y = 1 / x`. PyTorch: `reciprocal`.
    recip as Recip, from Y {
        f: |x| x.recip(),
        df: |y| -(y * y),
        derivative: |y| Ok(y.square().neg()),
    }

    /// `y = x^power` for a constant power. PyTorch: `pow`.
    powf as Powf<T>(power), from X {
        f: |x| x.powf(power),
        df: |x| if power == T::zero() { T::zero() } else { power * x.powf(power - T::one()) },
        derivative: |x| if power == T::zero() {
            Tensor::build_zeros(x.shape())
        } else {
            Ok(x.powf(power - T::one()).mul_scalar(power))
        },
    }

    /// `y = |x|`; at 0 the gradient is 0.
    abs as Abs, from X {
        f: |x| x.abs(),
        df: |x| if x == T::zero() { x } else { x.signum() },
    }
}

#[derive(Clone, Copy)]
struct Clamp<T> {
    low: T,
    high: T,
}

impl<T: Element> Elementwise<T> for Clamp<T> {
    const NAME: &'static str = "clamp";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        // Not min and max, which would turn a NaN into a bound.
        let raised = if x < self.low { self.low } else { x };
        if raised > self.high {
            self.high
        } else {
            raised
        }
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        // A NaN passes its gradient on.
        if x <= self.low || x >= self.high {
            T::zero()
        } else {
            T::one()
        }
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        constant_map(x, |x| self.df(x))
    }
}

/// `y = x + c`.
struct Shift<T> {
    offset: T,
}

impl<T: Element> Op<T> for Shift<T> {
    fn name(&self) -> &'static str {
        "add_scalar"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        constant_map(inputs[0], |x| x + self.offset)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent))
    }
}

/// `y = c x`.
struct Scale<T> {
    factor: T,
}

impl<T: Element> Op<T> for Scale<T> {
    fn name(&self) -> &'static str {
        "mul_scalar"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        constant_map(inputs[0], |x| x * self.factor)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent.mul_scalar(self.factor)))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, mut cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        if !cotangent.is_writable() {
            return self.vjp(saved, cotangent);
        }
        kernels::map_in_place(cotangent.values_mut(), |g| g * self.factor);
        Ok(Cotangents::one(cotangent))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `y = min(max(x, low), high)`; on a bound and beyond it the gradient is 0. A NaN stays, and passes its gradient on.
    ///
    /// # Errors
    /// If `low` is above `high`, or one is NaN.
    pub fn clamp(&self, low: T, high: T) -> Result<Self> {
        if low <= high {
            apply(Unary(Clamp { low, high }), &[self])
        } else {
            let rule = format!("at most the upper bound {high}");
            Err(Error::value("clamp", "the lower bound", low.as_f64(), rule))
        }
    }

    /// `y = -x`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn neg(&self) -> Self {
        self.mul_scalar(-T::one())
    }

    /// `y = x + c`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn add_scalar(&self, c: T) -> Self {
        apply_total(Shift { offset: c }, self)
    }

    /// `y = c x`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn mul_scalar(&self, c: T) -> Self {
        apply_total(Scale { factor: c }, self)
    }
}
