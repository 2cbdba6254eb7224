//! Powers, roots, bounds, and a number added to or multiplied with every element.

use super::elementwise::{Elementwise, Reads, Unary, constant_map, unary};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::kernels::elementwise as kernels;
use crate::op::{Cotangents, Op, Saved, apply, apply_total};
use crate::tape;
use crate::tensor::Tensor;

#[derive(Clone, Copy)]
pub(super) struct Sqrt;

impl<T: Element> Elementwise<T> for Sqrt {
    const NAME: &'static str = "sqrt";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.sqrt()
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        T::from_f64(0.5) / y
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(y.recip().mul_scalar(T::from_f64(0.5)))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Square;

impl<T: Element> Elementwise<T> for Square {
    const NAME: &'static str = "square";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x * x
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        x + x
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.mul_scalar(T::from_f64(2.0)))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Recip;

impl<T: Element> Elementwise<T> for Recip {
    const NAME: &'static str = "recip";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.recip()
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        -(y * y)
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(y.square().neg())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Powf<T> {
    pub(super) power: T,
}

impl<T: Element> Elementwise<T> for Powf<T> {
    const NAME: &'static str = "powf";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.powf(self.power)
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        if self.power == T::zero() {
            return T::zero();
        }
        self.power * x.powf(self.power - T::one())
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        if self.power == T::zero() {
            return Tensor::build_zeros(x.shape());
        }
        Ok(x.powf(self.power - T::one()).mul_scalar(self.power))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Abs;

impl<T: Element> Elementwise<T> for Abs {
    const NAME: &'static str = "abs";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.abs()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        if x == T::zero() { x } else { x.signum() }
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        constant_map(x, |x| self.df(x))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Clamp<T> {
    pub(super) low: T,
    pub(super) high: T,
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

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
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

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        constant_map(inputs[0], |x| x * self.factor)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, mut cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        if tape::is_recording() || !cotangent.is_writable() {
            return Ok(Cotangents::one(cotangent.mul_scalar(self.factor)));
        }
        kernels::map_in_place(cotangent.values_mut(), |g| g * self.factor);
        Ok(Cotangents::one(cotangent))
    }
}

impl<T: Element> Tensor<T> {
    /// `y = √x`; NaN below 0.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn sqrt(&self) -> Self {
        unary(self, Sqrt)
    }

    /// `y = x²`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn square(&self) -> Self {
        unary(self, Square)
    }

    /// `y = 1 / x`. PyTorch: `reciprocal`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn recip(&self) -> Self {
        unary(self, Recip)
    }

    /// `y = x^power` for a constant power. PyTorch: `pow`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn powf(&self, power: T) -> Self {
        unary(self, Powf { power })
    }

    /// `y = |x|`; at 0 the gradient is 0.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn abs(&self) -> Self {
        unary(self, Abs)
    }

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
