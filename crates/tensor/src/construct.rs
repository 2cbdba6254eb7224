//! Making tensors, and turning them back into arrays.

use lexigrad_kernels::storage::Storage;
use lexigrad_macros::compiled;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::element::Element;
use crate::error::{Error, Result, or_panic};
use crate::shape::Shape;
use crate::tensor::Tensor;

#[compiled]
impl<T: Element> Tensor<T> {
    /// A tensor from a number or nested arrays: `[[a, b], [c, d]]` has shape `[2, 2]`.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(*x.shape(), [2, 3]);
    /// ```
    ///
    /// PyTorch: `torch.tensor`.
    pub fn new<A: NestedArray<T>>(array: A) -> Self {
        let mut values = Vec::with_capacity(A::shape().elements());
        array.append(&mut values);
        Self::from_storage(Storage::from_slice(&values), A::shape())
    }

    /// A tensor from a flat slice in row-major order.
    ///
    /// # Errors
    /// If the slice's length is not the shape's, or there is no memory for a copy.
    pub fn from_slice(values: &[T], shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.count().ok() != Some(values.len()) {
            let rule = format!("it does not fill shape {shape}");
            let message = format!("the data holds {} elements; {rule}", values.len());
            return Err(Error::other("from_slice", message));
        }
        let filled = Self::build(shape, |out| out.copy_from_slice(values));
        filled.map_err(|error| error.within("from_slice"))
    }

    /// Zeros.
    ///
    /// # Panics
    /// If the shape is larger than the memory.
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        or_panic("zeros", Self::try_zeros(shape))
    }

    /// Zeros, of a shape that the memory may not hold.
    ///
    /// # Errors
    /// If the shape is larger than the memory.
    pub fn try_zeros(shape: impl Into<Shape>) -> Result<Self> {
        Self::build_zeros(shape).map_err(|error| error.within("zeros"))
    }

    /// Ones.
    ///
    /// # Panics
    /// If the shape is larger than the memory.
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Self {
        Self::full(shape, T::one())
    }

    /// `value` everywhere.
    ///
    /// # Panics
    /// If the shape is larger than the memory.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        or_panic("full", Self::try_full(shape, value))
    }

    /// `value` everywhere, of a shape that the memory may not hold.
    ///
    /// # Errors
    /// If the shape is larger than the memory.
    pub fn try_full(shape: impl Into<Shape>, value: T) -> Result<Self> {
        Self::build(shape, |out| out.fill(value)).map_err(|error| error.within("full"))
    }

    /// The identity matrix `[n, n]`.
    ///
    /// # Panics
    /// If it is larger than the memory.
    #[track_caller]
    pub fn eye(n: usize) -> Self {
        let mut result = Self::zeros([n, n]);
        for value in result.values_mut().iter_mut().step_by(n + 1) {
            *value = T::one();
        }
        result
    }

    /// `start, start + step, ..` below `end` (above it for a negative step): `[ceil((end - start) / step)]`.
    ///
    /// # Errors
    /// If `step` is zero, a bound is not finite, or there are more numbers than the memory holds.
    pub fn arange(start: T, end: T, step: T) -> Result<Self> {
        let count = ((end - start) / step).ceil().as_f64();
        if !count.is_finite() {
            let message = format!(
                "no range from {start} to {end} by {step}; the step must not be 0 and the bounds finite"
            );
            return Err(Error::other("arange", message));
        }
        let numbers = Self::build([count.max(0.0) as usize], |out| {
            for (i, value) in out.iter_mut().enumerate() {
                *value = start + T::from_f64(i as f64) * step;
            }
        });
        numbers.map_err(|error| error.within("arange"))
    }

    /// `count` numbers from `start` to `end`, both included, at equal distances: `[count]`.
    ///
    /// # Panics
    /// If there are more numbers than the memory holds.
    #[track_caller]
    pub fn linspace(start: T, end: T, count: usize) -> Self {
        let numbers = Self::build([count], |out| {
            let steps = T::from_f64(count.saturating_sub(1).max(1) as f64);
            for (i, value) in out.iter_mut().enumerate() {
                let from_end = T::from_f64((count - 1 - i) as f64);
                let from_start = T::from_f64(i as f64);
                *value = if count > 1 {
                    (start * from_end + end * from_start) / steps
                } else {
                    start
                };
            }
        });
        or_panic("linspace", numbers)
    }

    /// Numbers drawn evenly from `low` (included) to `high` (excluded).
    ///
    /// # Panics
    /// If the shape is larger than the memory.
    #[track_caller]
    pub fn uniform<R: Rng + ?Sized>(shape: impl Into<Shape>, low: T, high: T, rng: &mut R) -> Self {
        or_panic("uniform", Self::try_uniform(shape, low, high, rng))
    }

    /// [`uniform`](Self::uniform), of a shape that the memory may not hold; then nothing is drawn.
    ///
    /// # Errors
    /// If the shape is larger than the memory.
    pub fn try_uniform<R: Rng + ?Sized>(
        shape: impl Into<Shape>,
        low: T,
        high: T,
        rng: &mut R,
    ) -> Result<Self> {
        let numbers = Self::build(shape, |out| {
            for value in out {
                *value = low + (high - low) * T::from_f64(rng.random::<f64>());
            }
        });
        numbers.map_err(|error| error.within("uniform"))
    }

    /// Numbers drawn from the normal distribution of this mean and standard deviation.
    ///
    /// # Panics
    /// If the shape is larger than the memory.
    #[track_caller]
    pub fn normal<R: Rng + ?Sized>(shape: impl Into<Shape>, mean: T, std: T, rng: &mut R) -> Self {
        or_panic("normal", Self::try_normal(shape, mean, std, rng))
    }

    /// [`normal`](Self::normal), of a shape that the memory may not hold; then nothing is drawn.
    ///
    /// # Errors
    /// If the shape is larger than the memory.
    pub fn try_normal<R: Rng + ?Sized>(
        shape: impl Into<Shape>,
        mean: T,
        std: T,
        rng: &mut R,
    ) -> Result<Self> {
        let numbers = Self::build(shape, |out| {
            for value in out {
                let standard: f64 = rng.sample(StandardNormal);
                *value = mean + std * T::from_f64(standard);
            }
        });
        numbers.map_err(|error| error.within("normal"))
    }

    /// The elements as nested arrays of the tensor's shape.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::eye(2);
    /// assert_eq!(x.to_array::<[[f32; 2]; 2]>()?, [[1.0, 0.0], [0.0, 1.0]]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the array's shape is not the tensor's.
    pub fn to_array<A: NestedArray<T>>(&self) -> Result<A> {
        if *self.shape() != A::shape() {
            let rule = format!("the array has shape {}", A::shape());
            return Err(Error::shape("to_array", "the tensor", self.shape(), rule));
        }
        Ok(A::read(&self.values()))
    }
}

/// One axis `[n]` from a vector.
impl<T: Element> From<Vec<T>> for Tensor<T> {
    fn from(values: Vec<T>) -> Self {
        Self::from_storage(Storage::from_slice(&values), Shape::from(values.len()))
    }
}

/// A number, or arrays of them nested to any depth.
pub trait NestedArray<T: Element>: Sized {
    /// The sizes of the axes.
    fn shape() -> Shape;
    /// Appends the elements in row-major order.
    fn append(&self, values: &mut Vec<T>);
    /// The array of these elements.
    fn read(values: &[T]) -> Self;
}

impl<T: Element> NestedArray<T> for T {
    fn shape() -> Shape {
        Shape::default()
    }

    fn append(&self, values: &mut Vec<T>) {
        values.push(*self);
    }

    fn read(values: &[T]) -> Self {
        values[0]
    }
}

impl<T: Element, A: NestedArray<T>, const N: usize> NestedArray<T> for [A; N] {
    fn shape() -> Shape {
        let mut shape = A::shape();
        shape.insert(0, N);
        shape
    }

    fn append(&self, values: &mut Vec<T>) {
        for inner in self {
            inner.append(values);
        }
    }

    fn read(values: &[T]) -> Self {
        let size = A::shape().elements();
        std::array::from_fn(|i| A::read(&values[i * size..(i + 1) * size]))
    }
}
