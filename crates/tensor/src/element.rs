//! The element types of tensors: `f32` and `f64`.

use std::fmt::{Debug, Display};
use std::iter::Sum;

use num_traits::{Float, NumAssign};

use crate::kernels::math::Real;
use crate::tape::Taped;

/// A number that a tensor can hold: `f32` (the default everywhere) or `f64` (for gradient checks).
///
/// The trait is sealed, so that every kernel is compiled once, in this crate.
///
/// ```
/// use lexigrad_tensor::Element;
/// assert_eq!(<f32 as Element>::NAME, "f32");
/// ```
pub trait Element:
    sealed::Sealed + Float + NumAssign + Default + Debug + Display + Send + Sync + Sum + 'static
{
    /// The type's name as it is printed, `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Rounds an `f64` to this type.
    fn from_f64(value: f64) -> Self;

    /// Widens this value to `f64`, exactly.
    fn as_f64(self) -> f64;
}

pub(crate) mod sealed {
    /// What only this crate can implement, and only this crate can call.
    #[allow(private_bounds, reason = "that is what seals it")]
    pub trait Sealed: super::Real + super::Taped {}
}

impl sealed::Sealed for f32 {}

impl Element for f32 {
    const NAME: &'static str = "f32";

    fn from_f64(value: f64) -> Self {
        value as f32
    }

    fn as_f64(self) -> f64 {
        f64::from(self)
    }
}

impl sealed::Sealed for f64 {}

impl Element for f64 {
    const NAME: &'static str = "f64";

    fn from_f64(value: f64) -> Self {
        value
    }

    fn as_f64(self) -> f64 {
        self
    }
}
