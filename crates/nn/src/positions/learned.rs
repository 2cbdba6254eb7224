//! A trained vector for each position.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Param, Result, Tensor};
use rand::Rng;

use super::length_of;
use crate::start;

const NAME: &str = "learned_positions";

/// `y[.., p, :] = x[.., p, :] + W[p]`, `W: [longest, D]`, `x: [.., L, D]` with L up to the longest.
///
/// W starts drawn from N(0, 0.02²), as in BERT and GPT-2.
///
/// ```
/// use lexigrad_nn::LearnedPositions;
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let positions = LearnedPositions::new(512, 4, &mut StdRng::seed_from_u64(1));
/// let y = positions.forward(&Tensor::zeros([3, 5, 4]), 0)?;
/// assert_eq!(y.to_vec()[..4], positions.weight.value().to_vec()[..4]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: an `nn.Embedding` looked up at `arange(L)`, and added.
#[derive(Clone, Debug, crate::Module)]
pub struct LearnedPositions<T: Element = f32> {
    /// W: `[longest, D]`
    pub weight: Param<T>,
}

/// The sizes of [`LearnedPositions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedPositionsConfig {
    /// The number of positions.
    pub longest: usize,
    /// D, the size of a vector.
    pub dim: usize,
}

impl LearnedPositionsConfig {
    /// The positions, their vectors drawn from `rng`.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<LearnedPositions<T>> {
        let weight = start::normal(NAME, [self.longest, self.dim], 0.02, rng)?;
        Ok(LearnedPositions { weight })
    }
}

impl LearnedPositions {
    /// Up to `longest` positions in D dimensions, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(longest: usize, dim: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        start::or_panic(LearnedPositionsConfig { longest, dim }.build(rng))
    }
}

#[compiled]
impl<T: Element> LearnedPositions<T> {
    /// x with its positions added, which count from `first`.
    ///
    /// # Errors
    /// If x is not `[.., L, D]` or goes beyond the last position.
    pub fn forward(&self, x: &Tensor<T>, first: usize) -> Result<Tensor<T>> {
        let shape = self.weight.shape();
        let (longest, length) = (shape[0], length_of(NAME, x, shape[1])?);
        if first.checked_add(length).is_none_or(|end| end > longest) {
            let rest = longest.saturating_sub(first);
            let rule = format!("its length must be at most {rest}, the positions from {first} on");
            return Err(Error::shape(NAME, "the input", x.shape(), rule));
        }
        x.add(&self.weight.value().narrow(0, first, length)?)
    }
}
