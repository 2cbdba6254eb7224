//! The element types of tensors: `f32` and `f64`.

use lexigrad_kernels::Number;

/// A number that a tensor can hold: `f32` (the default everywhere) or `f64` (for gradient checks).
///
/// The trait is sealed, so that the engine is compiled once for each, in this crate.
///
/// ```
/// use lexigrad_tensor::{Element, Tensor};
/// fn half<T: Element>(x: &Tensor<T>) -> Tensor<T> {
///     x.mul_scalar(T::from_f64(0.5))
/// }
/// assert_eq!(half(&Tensor::new([3.0_f64])).to_vec(), [1.5]);
/// ```
pub trait Element: Number + sealed::Sealed {}

impl Element for f32 {}
impl Element for f64 {}

pub(crate) use sealed::{Both, Family};

/// What only this crate can name.
mod sealed {
    use super::Element;

    /// A type that each element type has its own of, such as the list of a tape's records.
    pub trait Family {
        type Of<T: Element>: Default;
    }

    /// One of a family for each element type.
    pub struct Both<F: Family> {
        single: F::Of<f32>,
        double: F::Of<f64>,
    }

    impl<F: Family> Default for Both<F> {
        fn default() -> Self {
            Self {
                single: Default::default(),
                double: Default::default(),
            }
        }
    }

    impl<F: Family> Both<F> {
        /// That of an element type.
        pub fn of<T: Element>(&mut self) -> &mut F::Of<T> {
            T::of(self)
        }
    }

    pub trait Sealed: Sized {
        fn of<F: Family>(both: &mut Both<F>) -> &mut F::Of<Self>
        where
            Self: Element;
    }

    impl Sealed for f32 {
        fn of<F: Family>(both: &mut Both<F>) -> &mut F::Of<f32> {
            &mut both.single
        }
    }

    impl Sealed for f64 {
        fn of<F: Family>(both: &mut Both<F>) -> &mut F::Of<f64> {
            &mut both.double
        }
    }
}
