//! Waves of all lengths (Vaswani et al. 2017).

use lexigrad_tensor::{Element, Module, Result, Tensor, Visitor};

use super::{angles, length_of};

const NAME: &str = "sinusoidal_positions";

/// `y[.., p, :] = x[.., p, :] + P[p]`, `P[p, 2 i] = sin(p ω_i)`, `P[p, 2 i + 1] = cos(p ω_i)`, `ω_i = 10000^(-2 i / D)`,
/// `x: [.., L, D]`.
///
/// There is no longest sequence: the waves are computed as they are asked for.
///
/// ```
/// use lexigrad_nn::SinusoidalPositions;
/// use lexigrad_tensor::Tensor;
/// let positions = SinusoidalPositions::new(2);
/// let x = Tensor::<f32>::zeros([3, 5, 2]);
/// let y = positions.forward(&x, 0)?;
/// assert_eq!(y.narrow(1, 0, 1)?.narrow(0, 0, 1)?.to_vec(), [0.0, 1.0]);
/// let time_first = x.transpose(0, 1)?.add(&positions.table(0, 5)?.unsqueeze(1)?)?;
/// assert_eq!(time_first.transpose(0, 1)?.to_vec(), y.to_vec());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch has no such module; its tutorial's `PositionalEncoding` is this one before its dropout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinusoidalPositions {
    dim: usize,
}

impl SinusoidalPositions {
    /// Positions in D dimensions.
    pub fn new(dim: usize) -> Self {
        Self { dim }
    }

    /// x with its positions added, which count from `first`.
    ///
    /// # Errors
    /// If x is not `[.., L, D]`.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, first: usize) -> Result<Tensor<T>> {
        let length = length_of(NAME, x, self.dim)?;
        x.add(&self.table(first, length)?)
    }

    /// P, from position `first` on: `[length, D]`.
    ///
    /// # Errors
    /// If there are more positions than the memory holds, or than a number counts.
    pub fn table<T: Element>(&self, first: usize, length: usize) -> Result<Tensor<T>> {
        let waves = angles(NAME, first, length, self.dim, 10_000.0)?;
        let rows = waves.chunks_exact(self.dim.div_ceil(2).max(1));
        let values = rows.flat_map(|row| {
            let pairs = row.iter().flat_map(|angle| [angle.sin(), angle.cos()]);
            pairs.take(self.dim).map(T::from_f64)
        });
        Tensor::from_slice(&values.collect::<Vec<T>>(), [length, self.dim])
    }
}

impl<T: Element> Module<T> for SinusoidalPositions {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}
