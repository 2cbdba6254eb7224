//! Exponentials, logarithms, the error function and circular functions.

use super::elementwise::elementwise;
use crate::element::Element;
use crate::error::Result;
use crate::tensor::Tensor;

elementwise! {
    /// `y = e^x`.
    exp as Exp, from Y {
        f: |x| x.exp_(),
        df: |y| y,
        derivative: |y| Ok(y.clone()),
    }

    /// `y = ln x`; -inf at 0, NaN below. PyTorch: `log`.
    ln as Ln, from X {
        f: |x| x.ln_(),
        df: |x| x.recip(),
        derivative: |x| Ok(x.recip()),
    }

    /// `y = erf x = 2/√π ∫₀ˣ e^(-t²) dt`.
    erf as Erf, from X {
        f: |x| x.erf_(),
        df: |x| T::from_f64(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp_(),
        derivative: |x| {
            let factor = T::from_f64(std::f64::consts::FRAC_2_SQRT_PI);
            Ok(x.square().neg().exp().mul_scalar(factor))
        },
    }

    /// `y = e^x - 1`, exact also near 0. PyTorch: `expm1`.
    exp_m1 as ExpM1, from Y {
        f: |x| x.exp_m1(),
        df: |y| y + T::one(),
        derivative: |y| Ok(y.add_scalar(T::one())),
    }

    /// `y = ln(1 + x)`, exact also near 0; -inf at -1, NaN below. PyTorch: `log1p`.
    ln_1p as Ln1p, from X {
        f: |x| x.ln_1p(),
        df: |x| (x + T::one()).recip(),
        derivative: |x| Ok(x.add_scalar(T::one()).recip()),
    }

    /// `y = sin x`, x in radians.
    sin as Sin, from X {
        f: |x| x.sin(),
        df: |x| x.cos(),
        derivative: |x| Ok(x.cos()),
    }

    /// `y = cos x`, x in radians.
    cos as Cos, from X {
        f: |x| x.cos(),
        df: |x| -x.sin(),
        derivative: |x| Ok(x.sin().neg()),
    }
}
