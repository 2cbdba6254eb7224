//! The numbers of every kernel: `f32` and `f64`.

use std::fmt::{Debug, Display};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

use crate::math::Transcendental;
use crate::vector::Vectors;

/// A number that a kernel computes with: `f32` (the default everywhere) or `f64` (for gradient checks).
///
/// The trait is sealed: kernels are compiled for these two, in this crate.
///
/// ```
/// use lexigrad_kernels::Number;
/// assert_eq!(f32::NAME, "f32");
/// ```
pub trait Number:
    sealed::Sealed
    + Transcendental
    + Vectors
    + Float
    + NumAssign
    + Default
    + Debug
    + Display
    + Send
    + Sync
    + Sum
    + 'static
{
    /// The type's name as it is printed, `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Rounds an `f64` to this type.
    fn from_f64(value: f64) -> Self;

    /// Widens this value to `f64`, exactly.
    fn as_f64(self) -> f64;
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Number for f32 {
    const NAME: &'static str = "f32";

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Number for f64 {
    const NAME: &'static str = "f64";

    fn from_f64(value: f64) -> Self {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }
}
