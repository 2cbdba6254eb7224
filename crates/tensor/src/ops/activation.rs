//! Activation functions.

use super::elementwise::{Elementwise, Reads, constant_map, unary};
use crate::element::Element;
use crate::error::Result;
use crate::tensor::Tensor;

#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl<T: Element> Elementwise<T> for Tanh {
    const NAME: &'static str = "tanh";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.tanh_()
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        T::one() - y * y
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(y.square().neg().add_scalar(T::one()))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl<T: Element> Elementwise<T> for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.sigmoid_()
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        y * (T::one() - y)
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        y.sub(&y.square())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Relu;

impl<T: Element> Elementwise<T> for Relu {
    const NAME: &'static str = "relu";
    const READS: Reads = Reads::Y;

    #[inline(always)]
    fn f(self, x: T) -> T {
        // Written so that NaN stays NaN.
        if x < T::zero() { T::zero() } else { x }
    }

    #[inline(always)]
    fn df(self, y: T) -> T {
        // A NaN passes its gradient on.
        if y <= T::zero() { T::zero() } else { T::one() }
    }

    fn derivative(self, y: &Tensor<T>) -> Result<Tensor<T>> {
        constant_map(y, |y| self.df(y))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Gelu;

/// `1 / √(2π)`, the standard normal's density at 0.
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

impl<T: Element> Elementwise<T> for Gelu {
    const NAME: &'static str = "gelu";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x * x.normal_().0
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        let (distribution, bell) = x.normal_();
        distribution + x * T::from_f64(DENSITY_AT_ZERO) * bell
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let half = T::from_f64(0.5);
        let erf = x
            .mul_scalar(T::from_f64(std::f64::consts::FRAC_1_SQRT_2))
            .erf();
        let distribution = erf.mul_scalar(half).add_scalar(half);
        let exponent = x.square().mul_scalar(-half);
        let density = exponent.exp().mul_scalar(T::from_f64(DENSITY_AT_ZERO));
        distribution.add(&x.mul(&density)?)
    }
}

#[derive(Clone, Copy)]
pub(super) struct GeluTanh;

/// `√(2/π)` and the cubic coefficient of the approximation `Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`.
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
const GELU_CUBIC: f64 = 0.044_715;

impl GeluTanh {
    #[inline(always)]
    fn tanh<T: Element>(x: T) -> T {
        let inner = x * (T::one() + T::from_f64(GELU_CUBIC) * x * x);
        (T::from_f64(GELU_SCALE) * inner).tanh_()
    }
}

impl<T: Element> Elementwise<T> for GeluTanh {
    const NAME: &'static str = "gelu_tanh";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        T::from_f64(0.5) * x * (T::one() + Self::tanh(x))
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        let tanh = Self::tanh(x);
        let slope = T::from_f64(GELU_SCALE) * (T::one() + T::from_f64(3.0 * GELU_CUBIC) * x * x);
        T::from_f64(0.5) * (T::one() + tanh + x * (T::one() - tanh * tanh) * slope)
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let (one, scale) = (T::one(), T::from_f64(GELU_SCALE));
        let square = x.square();
        let cubic = square.mul_scalar(T::from_f64(GELU_CUBIC)).add_scalar(one);
        let tanh = x.mul(&cubic)?.mul_scalar(scale).tanh();
        let slope = square
            .mul_scalar(T::from_f64(3.0 * GELU_CUBIC))
            .add_scalar(one);
        let tanh_slope = tanh.square().neg().add_scalar(one);
        let inner = x.mul(&tanh_slope)?.mul(&slope.mul_scalar(scale))?;
        Ok(tanh
            .add_scalar(one)
            .add(&inner)?
            .mul_scalar(T::from_f64(0.5)))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Silu;

impl<T: Element> Elementwise<T> for Silu {
    const NAME: &'static str = "silu";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x * x.sigmoid_()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        let sigmoid = x.sigmoid_();
        sigmoid * (T::one() + x * (T::one() - sigmoid))
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let sigmoid = x.sigmoid();
        let complement = sigmoid.neg().add_scalar(T::one());
        sigmoid.mul(&x.mul(&complement)?.add_scalar(T::one()))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Softplus;

impl<T: Element> Elementwise<T> for Softplus {
    const NAME: &'static str = "softplus";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        x.softplus_()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        x.sigmoid_()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.sigmoid())
    }
}

#[derive(Clone, Copy)]
pub(super) struct LogSigmoid;

impl<T: Element> Elementwise<T> for LogSigmoid {
    const NAME: &'static str = "log_sigmoid";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        -(-x).softplus_()
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        (-x).sigmoid_()
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        Ok(x.neg().sigmoid())
    }
}

#[derive(Clone, Copy)]
pub(super) struct Elu<T> {
    pub(super) alpha: T,
}

impl<T: Element> Elementwise<T> for Elu<T> {
    const NAME: &'static str = "elu";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        if x > T::zero() {
            x
        } else {
            self.alpha * x.exp_m1()
        }
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        if x > T::zero() {
            T::one()
        } else {
            self.alpha * x.exp_()
        }
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let positive = x.constant().mask(|x| x > T::zero());
        // Cut off at 0, so that the branch that is not taken cannot overflow.
        let below = x.masked_fill(&positive, T::zero())?;
        let slope = below.exp().mul_scalar(self.alpha);
        slope.masked_fill(&positive, T::one())
    }
}

#[derive(Clone, Copy)]
pub(super) struct LeakyRelu<T> {
    pub(super) slope: T,
}

impl<T: Element> Elementwise<T> for LeakyRelu<T> {
    const NAME: &'static str = "leaky_relu";
    const READS: Reads = Reads::X;

    #[inline(always)]
    fn f(self, x: T) -> T {
        if x > T::zero() { x } else { self.slope * x }
    }

    #[inline(always)]
    fn df(self, x: T) -> T {
        if x > T::zero() { T::one() } else { self.slope }
    }

    fn derivative(self, x: &Tensor<T>) -> Result<Tensor<T>> {
        constant_map(x, |x| self.df(x))
    }
}

impl<T: Element> Tensor<T> {
    /// `y = tanh x`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn tanh(&self) -> Self {
        unary(self, Tanh)
    }

    /// `y = 1 / (1 + e^-x)`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn sigmoid(&self) -> Self {
        unary(self, Sigmoid)
    }

    /// `y = max(x, 0)`; at 0 the gradient is 0.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn relu(&self) -> Self {
        unary(self, Relu)
    }

    /// `y = x Φ(x)`, Φ the standard normal's distribution function (Hendrycks and Gimpel 2016). PyTorch: `gelu`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn gelu(&self) -> Self {
        unary(self, Gelu)
    }

    /// `y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`. PyTorch: `gelu(approximate="tanh")`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn gelu_tanh(&self) -> Self {
        unary(self, GeluTanh)
    }

    /// `y = x / (1 + e^-x)`, also called swish.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn silu(&self) -> Self {
        unary(self, Silu)
    }

    /// `y = ln(1 + e^x)`. PyTorch: `softplus`, which returns x itself above a threshold of 20; this is exact everywhere.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn softplus(&self) -> Self {
        unary(self, Softplus)
    }

    /// `y = ln(1 / (1 + e^-x))`, exact where the sigmoid itself would be 0. PyTorch: `logsigmoid`.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn log_sigmoid(&self) -> Self {
        unary(self, LogSigmoid)
    }

    /// `y = x` above 0, `alpha (e^x - 1)` else (Clevert et al. 2015); at 0 the gradient is alpha.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn elu(&self, alpha: T) -> Self {
        unary(self, Elu { alpha })
    }

    /// `y = x` above 0, `slope x` else; at 0 the gradient is the slope.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn leaky_relu(&self, slope: T) -> Self {
        unary(self, LeakyRelu { slope })
    }
}
