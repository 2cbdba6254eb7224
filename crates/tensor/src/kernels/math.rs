//! Exponential, logarithm, tanh, erf and their kin without branches, so that loops over them become vector code.
//!
//! A call into libm would stop that. The f32 versions are own polynomials with a stated and tested error; the f64 versions, which
//! serve gradient checks, are the accurate ones of the standard library and libm.

#![allow(
    clippy::excessive_precision,
    clippy::approx_constant,
    reason = "coefficients are written as they were published"
)]

/// Real functions for kernels; the underscore tells them from the methods of `num_traits::Float`.
pub(crate) trait Real: Copy {
    fn exp_(self) -> Self;
    fn ln_(self) -> Self;
    fn tanh_(self) -> Self;
    /// `1 / (1 + e^-x)`
    fn sigmoid_(self) -> Self;
    fn erf_(self) -> Self;
    /// `ln(1 + e^x)`
    fn softplus_(self) -> Self;
}

/// `c[0] + c[1] x + c[2] x² + ..`
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[N - 1];
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = sum.mul_add(x, coefficient);
    }
    sum
}

impl Real for f32 {
    /// Relative error below 2e-7; infinity above 88.73, 0 below -104.
    #[inline(always)]
    fn exp_(self) -> f32 {
        // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
        const ROUND: f32 = 12_582_912.0;
        let raised = if self < -104.0 { -104.0 } else { self };
        let x = if raised > 89.0 { 89.0 } else { raised };
        let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = n.mul_add(-0.693_359_375, x);
        let r = n.mul_add(2.121_944_4e-4, r);
        let series = [
            1.0,
            1.0,
            0.5,
            1.0 / 6.0,
            1.0 / 24.0,
            1.0 / 120.0,
            1.0 / 720.0,
            1.0 / 5040.0,
        ];
        let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        // Two factors, since 2^n alone may be too large or too small for a float.
        let half = exponent >> 1;
        polynomial(r, series) * power_of_two(half) * power_of_two(exponent.wrapping_sub(half))
    }

    /// Relative error below 2e-7, near 1 absolute; -inf at 0, NaN below.
    #[inline(always)]
    fn ln_(self) -> f32 {
        // x = 2^e m with m between √½ and √2.
        let is_subnormal = self < f32::MIN_POSITIVE;
        let x = if is_subnormal {
            self * 8_388_608.0
        } else {
            self
        };
        let shift = if is_subnormal { 23.0 } else { 0.0 };
        let offset = x
            .to_bits()
            .wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
        let e = ((offset as i32) >> 23) as f32 - shift;
        let mantissa =
            (offset & 0x007f_ffff).wrapping_add(std::f32::consts::FRAC_1_SQRT_2.to_bits());
        let m = f32::from_bits(mantissa) - 1.0;
        // Minimax coefficients of Cephes' logf.
        let series = [
            3.333_333_1e-1,
            -2.499_999_4e-1,
            2.000_071_5e-1,
            -1.666_805_8e-1,
            1.424_932_3e-1,
            -1.242_014e-1,
            1.167_699_9e-1,
            -1.151_461e-1,
            7.037_684e-2,
        ];
        let square = m * m;
        let low = (m * square).mul_add(polynomial(m, series), e * -2.121_944_4e-4);
        let small = square.mul_add(-0.5, low);
        let result = e.mul_add(0.693_359_375, m + small);
        let result = if self == 0.0 {
            f32::NEG_INFINITY
        } else {
            result
        };
        let result = if self == f32::INFINITY { self } else { result };
        if self < 0.0 || self.is_nan() {
            f32::NAN
        } else {
            result
        }
    }

    /// Relative error below 3e-7.
    #[inline(always)]
    fn tanh_(self) -> f32 {
        let square = self * self;
        // Minimax coefficients of Cephes' tanhf, for |x| < 0.625.
        let series = [
            -3.333_328_2e-1,
            1.333_144_2e-1,
            -5.373_971_6e-2,
            2.063_908_9e-2,
            -5.704_988_7e-3,
        ];
        let near = (self * square).mul_add(polynomial(square, series), self);
        let far = 1.0 - 2.0 / ((2.0 * self.abs()).exp_() + 1.0);
        if self.abs() < 0.625 {
            near
        } else {
            far.copysign(self)
        }
    }

    /// Relative error below 3e-7 while the result is no subnormal.
    #[inline(always)]
    fn sigmoid_(self) -> f32 {
        1.0 / (1.0 + (-self).exp_())
    }

    /// Error below 3e-7, relative below 1 and absolute above.
    #[inline(always)]
    fn erf_(self) -> f32 {
        let x = self.abs();
        let square = x * x;
        // The Taylor series 2/√π Σ (-1)^n x^(2n) / (n! (2n + 1)).
        let series = [
            1.128_379_2,
            -3.761_263_9e-1,
            1.128_379_2e-1,
            -2.686_617e-2,
            5.223_977_6e-3,
            -8.548_327e-4,
            1.205_533_3e-4,
            -1.492_565e-5,
            1.646_211_5e-6,
            -1.636_584_5e-7,
            1.480_719_3e-8,
        ];
        let near = x * polynomial(square, series);
        // erfc x = t e^(-x² + P(t)), t = 1 / (1 + x / 2): the Chebyshev fit of Numerical Recipes, relative error 1.2e-7.
        let fit = [
            -1.265_512_2,
            1.000_023_7,
            3.740_919_6e-1,
            9.678_418e-2,
            -1.862_880_6e-1,
            2.788_680_7e-1,
            -1.135_204,
            1.488_515_9,
            -8.221_522_3e-1,
            1.708_727_7e-1,
        ];
        let t = 1.0 / x.mul_add(0.5, 1.0);
        let far = 1.0 - t * (polynomial(t, fit) - square).exp_();
        let result = if x < 1.0 { near } else { far };
        let result = if x > 9.0 { 1.0 } else { result };
        result.copysign(self)
    }

    /// Relative error below 4e-7.
    #[inline(always)]
    fn softplus_(self) -> f32 {
        let e = (-self.abs()).exp_();
        // ln(1 + e) by Kahan's correction of the rounding in 1 + e.
        let sum = 1.0 + e;
        let corrected = sum.ln_() * (e / (sum - 1.0));
        let log = if sum == 1.0 { e } else { corrected };
        let positive = if self < 0.0 { 0.0 } else { self };
        positive + log
    }
}

/// 2^n for n from -126 to 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

impl Real for f64 {
    #[inline(always)]
    fn exp_(self) -> f64 {
        self.exp()
    }

    #[inline(always)]
    fn ln_(self) -> f64 {
        self.ln()
    }

    #[inline(always)]
    fn tanh_(self) -> f64 {
        self.tanh()
    }

    #[inline(always)]
    fn sigmoid_(self) -> f64 {
        1.0 / (1.0 + (-self).exp())
    }

    #[inline(always)]
    fn erf_(self) -> f64 {
        libm::erf(self)
    }

    #[inline(always)]
    fn softplus_(self) -> f64 {
        self.max(0.0) + (-self.abs()).exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of `f` against `reference` over a sweep: relative, or absolute where the reference is below `floor`.
    fn worst(f: fn(f32) -> f32, reference: fn(f64) -> f64, low: f32, high: f32, floor: f64) -> f64 {
        let steps = 400_000;
        let mut worst = 0.0_f64;
        for i in 0..=steps {
            let x = low + (high - low) * (i as f32 / steps as f32);
            let exact = reference(f64::from(x));
            let error = (f64::from(f(x)) - exact).abs() / exact.abs().max(floor);
            worst = worst.max(error);
        }
        worst
    }

    #[test]
    fn errors_are_below_the_stated_bounds() {
        assert!(worst(f32::exp_, f64::exp, -87.0, 88.7, 0.0) < 2e-7);
        assert!(worst(f32::ln_, f64::ln, 1e-30, 1e-3, 0.0) < 2e-7);
        assert!(worst(f32::ln_, f64::ln, 1e-3, 3.0, 1.0) < 2e-7);
        assert!(worst(f32::ln_, f64::ln, 3.0, 1e30, 0.0) < 2e-7);
        assert!(worst(f32::tanh_, f64::tanh, -10.0, 10.0, 1e-30) < 3e-7);
        assert!(
            worst(
                f32::sigmoid_,
                |x| 1.0 / (1.0 + (-x).exp()),
                -80.0,
                80.0,
                0.0
            ) < 3e-7
        );
        assert!(worst(f32::erf_, libm::erf, -1.0, 1.0, 1e-30) < 3e-7);
        assert!(worst(f32::erf_, libm::erf, -6.0, 6.0, 1.0) < 3e-7);
        assert!(
            worst(
                f32::softplus_,
                |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
                -80.0,
                80.0,
                0.0
            ) < 4e-7
        );
    }

    #[test]
    fn the_ends_of_the_range_are_right() {
        assert_eq!(f32::exp_(-200.0), 0.0);
        assert_eq!(f32::exp_(f32::NEG_INFINITY), 0.0);
        assert_eq!(f32::exp_(89.0), f32::INFINITY);
        assert_eq!(f32::exp_(f32::INFINITY), f32::INFINITY);
        assert_eq!(f32::ln_(0.0), f32::NEG_INFINITY);
        assert_eq!(f32::ln_(f32::INFINITY), f32::INFINITY);
        assert!((f32::ln_(1e-42) - 1e-42_f32.ln()).abs() < 1e-4);
        assert_eq!([f32::tanh_(-1e9), f32::tanh_(f32::INFINITY)], [-1.0, 1.0]);
        assert_eq!([f32::erf_(-1e9), f32::erf_(f32::INFINITY)], [-1.0, 1.0]);
        assert_eq!([f32::sigmoid_(-1e4), f32::sigmoid_(1e4)], [0.0, 1.0]);
        assert_eq!([f32::softplus_(-1e4), f32::softplus_(1e4)], [0.0, 1e4]);
        assert!(f32::ln_(-1.0).is_nan());
        let functions = [
            f32::exp_,
            f32::ln_,
            f32::tanh_,
            f32::sigmoid_,
            f32::erf_,
            f32::softplus_,
        ];
        assert!(functions.iter().all(|f| f(f32::NAN).is_nan()));
    }
}
