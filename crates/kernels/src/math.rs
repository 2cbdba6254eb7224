//! Exponential, logarithm, tanh, erf and their kin without branches, so that loops over them become vector code.
//!
//! A call into libm would stop that. The f32 versions are own polynomials with a stated and tested error; the f64 versions, which
//! serve gradient checks, are the accurate ones of the standard library and libm.

#![allow(
    clippy::excessive_precision,
    clippy::approx_constant,
    reason = "coefficients are written as they were published"
)]

/// Functions for kernels; the underscore tells them from the methods of `num_traits::Float`.
pub trait Transcendental: Copy {
    /// `e^x`
    fn exp_(self) -> Self;
    /// `e^x` for x up to 0, which costs half as much.
    fn exp_nonpositive_(self) -> Self;
    /// `ln x`
    fn ln_(self) -> Self;
    /// `tanh x`
    fn tanh_(self) -> Self;
    /// `1 / (1 + e^-x)`
    fn sigmoid_(self) -> Self;
    /// `2 / √π ∫₀ˣ e^(-t²) dt`
    fn erf_(self) -> Self;
    /// The standard normal's distribution function `Φ(x)`, and `e^(-x²/2)`, of which its density is a multiple.
    fn normal_(self) -> (Self, Self);
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

/// What is added to round to an integer: it leaves the integer, plus the 127 of an exponent, in the low bits.
const ROUND: f32 = 12_582_912.0 + 127.0;

/// Minimax coefficients of `(e^r - 1 - r) / r²` for |r| up to ln 2 / 2, each step of e^r wrong by 3e-9 at most.
const EXP: [f32; 5] = [
    5.000_000_095e-1,
    1.666_651_860e-1,
    4.166_620_506e-2,
    8.368_917_946e-3,
    1.395_054_067e-3,
];

/// `x = n ln 2 + r` with |r| up to ln 2 / 2: r, and the bits of n rounded by [`ROUND`].
#[inline(always)]
fn reduce(x: f32) -> (f32, u32) {
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-0.693_359_375, x);
    (n.mul_add(2.121_944_4e-4, r), shifted.to_bits())
}

/// 2^n from what [`reduce`] says, for n from -126 to 127; 0 for -127.
#[inline(always)]
fn power_of_two(bits: u32) -> f32 {
    f32::from_bits(bits << 23)
}

/// `e^r - 1` for |r| up to ln 2 / 2.
#[inline(always)]
fn exp_m1_near_zero(r: f32) -> f32 {
    (r * r).mul_add(polynomial(r, EXP), r)
}

/// `e^x - 1` for x from -80 to 80, relative error below 3e-7.
#[inline(always)]
fn exp_m1(x: f32) -> f32 {
    let (r, bits) = reduce(x);
    let power = power_of_two(bits);
    exp_m1_near_zero(r).mul_add(power, power - 1.0)
}

impl Transcendental for f32 {
    /// Relative error below 2e-7; infinity above 88.73, 0 below -104.
    #[inline(always)]
    fn exp_(self) -> f32 {
        let raised = if self < -104.0 { -104.0 } else { self };
        let (r, bits) = reduce(if raised > 89.0 { 89.0 } else { raised });
        // Two factors, since 2^n alone may be too large or too small for a float.
        let half = ((bits.wrapping_sub(ROUND.to_bits()) as i32) >> 1) as u32;
        let first = (1.0 + exp_m1_near_zero(r)) * power_of_two(half.wrapping_add(127));
        first * power_of_two(bits.wrapping_sub(half))
    }

    /// Relative error below 2e-7; 0 below -87.7, where the result would be subnormal.
    #[inline(always)]
    fn exp_nonpositive_(self) -> f32 {
        let (r, bits) = reduce(if self < -88.0 { -88.0 } else { self });
        (1.0 + exp_m1_near_zero(r)) * power_of_two(bits)
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

    /// `-(e^(-2|x|) - 1) / (e^(-2|x|) + 1)` with the sign of x; relative error below 3e-7.
    #[inline(always)]
    fn tanh_(self) -> f32 {
        let x = self.abs();
        let e = exp_m1(-2.0 * if x > 10.0 { 10.0 } else { x });
        (e / (e + 2.0)).copysign(self)
    }

    /// Relative error below 3e-7 while the result is no subnormal.
    #[inline(always)]
    fn sigmoid_(self) -> f32 {
        let e = (-self.abs()).exp_nonpositive_();
        (if self < 0.0 { e } else { 1.0 }) / (1.0 + e)
    }

    /// `1 - e^(-|x| P(|x|))` with the sign of x; relative error below 3e-7.
    #[inline(always)]
    fn erf_(self) -> f32 {
        let x = self.abs();
        let x = if x > 4.0 { 4.0 } else { x };
        // Minimax coefficients of -ln(erfc x) / x for x up to 4, where erf is 1 but for the last bit.
        let series = [
            1.128_379_172,
            6.366_193_820e-1,
            1.027_778_304e-1,
            -1.915_306_359e-2,
            -1.603_965_968e-4,
            1.667_027_957e-3,
            -6.328_371_120e-4,
            1.176_413_401e-4,
            -9.256_272_561e-6,
        ];
        exp_m1(-x * polynomial(x, series)).copysign(self)
    }

    /// `Φ(-|x|) = e^(-x²/2) P(|x|)`: one exponential gives both. Absolute errors below 2e-7.
    #[inline(always)]
    fn normal_(self) -> (f32, f32) {
        let x = self.abs();
        let bell = (x * x * -0.5).exp_nonpositive_();
        // Minimax coefficients, for the error times the exponential, of Φ(-x) / e^(-x²/2) up to 5.6; beyond, both factors vanish.
        let series = [
            4.999_999_341e-1,
            -3.989_365_147e-1,
            2.499_167_927e-1,
            -1.325_137_961e-1,
            6.115_488_232e-2,
            -2.431_392_568e-2,
            7.939_387_665e-3,
            -1.974_626_133e-3,
            3.397_381_269e-4,
            -3.520_773_920e-5,
            1.631_687_314e-6,
        ];
        let tail = bell * polynomial(if x > 5.6 { 5.6 } else { x }, series);
        (if self < 0.0 { tail } else { 1.0 - tail }, bell)
    }

    /// Relative error below 4e-7.
    #[inline(always)]
    fn softplus_(self) -> f32 {
        let e = (-self.abs()).exp_nonpositive_();
        // ln(1 + e) by Kahan's correction of the rounding in 1 + e.
        let sum = 1.0 + e;
        let corrected = sum.ln_() * (e / (sum - 1.0));
        let log = if sum == 1.0 { e } else { corrected };
        let positive = if self < 0.0 { 0.0 } else { self };
        positive + log
    }
}

impl Transcendental for f64 {
    #[inline(always)]
    fn exp_(self) -> f64 {
        self.exp()
    }

    #[inline(always)]
    fn exp_nonpositive_(self) -> f64 {
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
    fn normal_(self) -> (f64, f64) {
        let distribution = 0.5 * libm::erfc(self * -std::f64::consts::FRAC_1_SQRT_2);
        (distribution, (self * self * -0.5).exp())
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
        assert!(worst(f32::exp_nonpositive_, f64::exp, -87.3, 0.0, 0.0) < 2e-7);
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
        assert!(worst(f32::erf_, libm::erf, -6.0, 6.0, 1e-30) < 3e-7);
        assert!(worst(f32::erf_, libm::erf, -1e-3, 1e-3, 1e-30) < 3e-7);
        assert!(worst(f32::tanh_, f64::tanh, -1e-3, 1e-3, 1e-30) < 3e-7);
        let distribution = |x: f32| x.normal_().0;
        let bell = |x: f32| x.normal_().1;
        assert!(worst(distribution, |x| x.normal_().0, -15.0, 15.0, 1.0) < 2e-7);
        assert!(worst(bell, |x| x.normal_().1, -15.0, 15.0, 1.0) < 2e-7);
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
        assert_eq!(f32::exp_nonpositive_(-88.0), 0.0);
        assert_eq!(f32::exp_nonpositive_(f32::NEG_INFINITY), 0.0);
        assert!(f32::exp_nonpositive_(f32::NAN).is_nan());
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
            |x: f32| x.normal_().0,
        ];
        assert_eq!(f32::normal_(f32::INFINITY), (1.0, 0.0));
        assert_eq!(f32::normal_(f32::NEG_INFINITY), (0.0, 0.0));
        assert!(functions.iter().all(|f| f(f32::NAN).is_nan()));
    }
}
