//! The element types of tensors: `f32` and `f64`.

use lexigrad_kernels::Number;

use crate::tape::Taped;

/// A number that a tensor can hold: `f32` (the default everywhere) or `f64` (for gradient checks).
///
/// What a [`Number`] is, and on which of a tape's lists its tensors are recorded. The trait is sealed as that is.
pub trait Element: Number + sealed::Sealed {}

pub(crate) mod sealed {
    /// What only this crate can implement, and only this crate can call.
    #[allow(private_bounds, reason = "that is what seals it")]
    pub trait Sealed: super::Taped {}
}

impl sealed::Sealed for f32 {}
impl sealed::Sealed for f64 {}

impl Element for f32 {}
impl Element for f64 {}
