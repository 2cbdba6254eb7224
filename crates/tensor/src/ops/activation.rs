//! Activation functions.

use super::elementwise::elementwise;
use crate::element::Element;
use crate::error::Result;
use crate::tensor::Tensor;

/// `1 / √(2π)`, the standard normal's density at 0.
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// `√(2/π)` and the cubic coefficient of the approximation `Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`.
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
const GELU_CUBIC: f64 = 0.044_715;

elementwise! {
    /// `y = tanh x`.
    tanh as Tanh, from Y {
        f: |x| x.tanh_(),
        df: |y| T::one() - y * y,
        derivative: |y| Ok(y.square().neg().add_scalar(T::one())),
    }

    /// `y = 1 / (1 + e^-x)`.
    sigmoid as Sigmoid, from Y {
        f: |x| x.sigmoid_(),
        df: |y| y * (T::one() - y),
        derivative: |y| y.sub(&y.square()),
    }

    /// `y = max(x, 0)`; at 0 the gradient is 0.
    relu as Relu, from Y {
        // Written so that NaN stays NaN, and passes its gradient on.
        f: |x| if x < T::zero() { T::zero() } else { x },
        df: |y| if y <= T::zero() { T::zero() } else { T::one() },
    }

    /// `y = x Φ(x)`, Φ the standard normal's distribution function (Hendrycks and Gimpel 2016). PyTorch: `gelu`.
    gelu as Gelu, from X {
        f: |x| x * x.normal_().0,
        df: |x| {
            let (distribution, bell) = x.normal_();
            distribution + x * T::from_f64(DENSITY_AT_ZERO) * bell
        },
        derivative: |x| gelu_derivative(x),
    }

    /// `y = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`. PyTorch: `gelu(approximate="tanh")`.
    gelu_tanh as GeluTanh, from X {
        f: |x| T::from_f64(0.5) * x * (T::one() + inner_tanh(x)),
        df: |x| {
            let tanh = inner_tanh(x);
            let slope = T::from_f64(GELU_SCALE) * (T::one() + T::from_f64(3.0 * GELU_CUBIC) * x * x);
            T::from_f64(0.5) * (T::one() + tanh + x * (T::one() - tanh * tanh) * slope)
        },
        derivative: |x| gelu_tanh_derivative(x),
    }

    /// `y = x / (1 + e^-x)`, also called swish.
    silu as Silu, from X {
        f: |x| x * x.sigmoid_(),
        df: |x| {
            let sigmoid = x.sigmoid_();
            sigmoid * (T::one() + x * (T::one() - sigmoid))
        },
        derivative: |x| {
            let sigmoid = x.sigmoid();
            let complement = sigmoid.neg().add_scalar(T::one());
            sigmoid.mul(&x.mul(&complement)?.add_scalar(T::one()))
        },
    }

    /// `y = ln(1 + e^x)`. PyTorch: `softplus`, which returns x itself above a threshold of 20; this is exact everywhere.
    softplus as Softplus, from X {
        f: |x| x.softplus_(),
        df: |x| x.sigmoid_(),
        derivative: |x| Ok(x.sigmoid()),
    }

    /// `y = ln(1 / (1 + e^-x))`, exact where the sigmoid itself would be 0. PyTorch: `logsigmoid`.
    log_sigmoid as LogSigmoid, from X {
        f: |x| -(-x).softplus_(),
        df: |x| (-x).sigmoid_(),
        derivative: |x| Ok(x.neg().sigmoid()),
    }

    /// `y = x` above 0, `alpha (e^x - 1)` else (Clevert et al. 2015); at 0 the gradient is alpha.
    elu as Elu<T>(alpha), from X {
        f: |x| if x > T::zero() { x } else { alpha * x.exp_m1() },
        df: |x| if x > T::zero() { T::one() } else { alpha * x.exp_() },
        derivative: |x| {
            let positive = x.constant().mask(|x| x > T::zero());
            // Cut off at 0, so that the branch that is not taken cannot overflow.
            let below = x.masked_fill(&positive, T::zero())?;
            below.exp().mul_scalar(alpha).masked_fill(&positive, T::one())
        },
    }

    /// `y = x` above 0, `slope x` else; at 0 the gradient is the slope.
    leaky_relu as LeakyRelu<T>(slope), from X {
        f: |x| if x > T::zero() { x } else { slope * x },
        df: |x| if x > T::zero() { T::one() } else { slope },
    }
}

fn gelu_derivative<T: Element>(x: &Tensor<T>) -> Result<Tensor<T>> {
    let half = T::from_f64(0.5);
    let erf = x
        .mul_scalar(T::from_f64(std::f64::consts::FRAC_1_SQRT_2))
        .erf();
    let distribution = erf.mul_scalar(half).add_scalar(half);
    let exponent = x.square().mul_scalar(-half);
    let density = exponent.exp().mul_scalar(T::from_f64(DENSITY_AT_ZERO));
    distribution.add(&x.mul(&density)?)
}

#[inline(always)]
fn inner_tanh<T: Element>(x: T) -> T {
    let inner = x * (T::one() + T::from_f64(GELU_CUBIC) * x * x);
    (T::from_f64(GELU_SCALE) * inner).tanh_()
}

fn gelu_tanh_derivative<T: Element>(x: &Tensor<T>) -> Result<Tensor<T>> {
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
