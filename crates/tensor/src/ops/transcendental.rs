//! Exponentials, logarithms, the error function and circular functions.

use super::elementwise::{Elementwise, Reads, unary};
use crate::element::Element;
use crate::error::Result;
use crate::tensor::Tensor;

#[derive(Clone, Copy)]
pub(super) struct Exp;

impl<T: Element> Elementwise<T> for Exp {
    const NAME: &'static str = "exp";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.exp_()
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        y
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(y.clone())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Ln;

impl<T: Element> Elementwise<T> for Ln {
    const NAME: &'static str = "ln";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.ln_()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        x.recip()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.recip())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Erf;

impl<T: Element> Elementwise<T> for Erf {
    const NAME: &'static str = "erf";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.erf_()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp_()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let factor = T::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
        Ok(x.square().neg().exp().mul_scalar(factor))
    }
}

#[derive(Clone, Copy)]
pub(super) struct ExpM1;

impl<T: Element> Elementwise<T> for ExpM1 {
    const NAME: &'static str = "exp_m1";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.exp_m1()
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        y + T::one()
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(y.add_scalar(T::one()))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Ln1p;

impl<T: Element> Elementwise<T> for Ln1p {
    const NAME: &'static str = "ln_1p";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.ln_1p()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        (x + T::one()).recip()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.add_scalar(T::one()).recip())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sin;

impl<T: Element> Elementwise<T> for Sin {
    const NAME: &'static str = "sin";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.sin()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        x.cos()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.cos())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Cos;

impl<T: Element> Elementwise<T> for Cos {
    const NAME: &'static str = "cos";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.cos()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        -x.sin()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.sin().neg())
    }
}

impl<T: Element> Tensor<T> {
    /// `y = e^x`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn exp(&self) -> Self {
        unary(self, Exp)
    }

    /// `y = ln x`; -inf at 0, NaN below. PyTorch: `log`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn ln(&self) -> Self {
        unary(self, Ln)
    }

    /// `y = erf x = 2/√π ∫₀ˣ e^(-t²) dt`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn erf(&self) -> Self {
        unary(self, Erf)
    }

    /// `y = e^x - 1`, exact also near 0. PyTorch: `expm1`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn exp_m1(&self) -> Self {
        unary(self, ExpM1)
    }

    /// `y = ln(1 + x)`, exact also near 0; -inf at -1, NaN below. PyTorch: `log1p`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn ln_1p(&self) -> Self {
        unary(self, Ln1p)
    }

    /// `y = sin x`, x in radians.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn sin(&self) -> Self {
        unary(self, Sin)
    }

    /// `y = cos x`, x in radians.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn cos(&self) -> Self {
        unary(self, Cos)
    }
}
