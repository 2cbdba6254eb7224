//! Positions as rotations (Su et al. 2021).

use lexigrad_tensor::{Element, Error, Module, Result, Tensor, Visitor, cat, stack};

use super::{angles, length_of};

const NAME: &str = "rotary_positions";

/// Which features are rotated together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Feature i and i + E / 2, as in GPT-NeoX and Llama's published weights.
    #[default]
    Halves,
    /// Feature 2 i and 2 i + 1, as in the paper and GPT-J.
    Neighbours,
}

/// `(y_a, y_b) = (x_a cos θ - x_b sin θ, x_a sin θ + x_b cos θ)` for each pair (a, b) of features, `θ = p base^(-2 i / E)` at
/// position p for pair i, `x: [.., L, E]`.
///
/// Applied to queries and keys, it makes their products depend on the distance of their positions alone.
///
/// ```
/// use lexigrad_nn::{AttentionMask, AttentionOptions, RotaryPositions, scaled_dot_product_attention};
/// use lexigrad_tensor::Tensor;
/// let rotary = RotaryPositions::new(4)?;
/// let (q, k, v) = (Tensor::ones([2, 3, 5, 4]), Tensor::ones([2, 3, 5, 4]), Tensor::ones([2, 3, 5, 4]));
/// let (q, k) = (rotary.forward(&q, 0)?, rotary.forward(&k, 0)?);
/// let options = AttentionOptions { mask: AttentionMask::causal(), ..AttentionOptions::default() };
/// # let _: Tensor =
/// scaled_dot_product_attention(&q, &k, &v, &options)?;
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch has no such module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotaryPositions {
    dim: usize,
    base: f64,
    pairs: RotaryPairs,
}

/// The size and options of [`RotaryPositions`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotaryConfig {
    /// E, the number of features of a head, which is even.
    pub dim: usize,
    /// How much slower each pair turns than the one before: the last by about 1 / base.
    pub base: f64,
    /// Which features are rotated together.
    pub pairs: RotaryPairs,
}

impl RotaryConfig {
    /// E features with base 10000, in halves.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            base: 10_000.0,
            pairs: RotaryPairs::default(),
        }
    }

    /// The rotations.
    ///
    /// # Errors
    /// If E is odd, or `base` is not positive.
    pub fn build(&self) -> Result<RotaryPositions> {
        let Self { dim, base, pairs } = *self;
        if dim % 2 == 1 {
            return Err(Error::value(NAME, "dim", dim as f64, "even"));
        }
        if base.is_nan() || base <= 0.0 {
            return Err(Error::value(NAME, "base", base, "positive"));
        }
        Ok(RotaryPositions { dim, base, pairs })
    }
}

impl RotaryPositions {
    /// Rotations of E features with base 10000, in halves.
    ///
    /// # Errors
    /// If E is odd.
    pub fn new(dim: usize) -> Result<Self> {
        RotaryConfig::new(dim).build()
    }

    /// x rotated by its positions, which count from `first`.
    ///
    /// # Errors
    /// If x is not `[.., L, E]`.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, first: usize) -> Result<Tensor<T>> {
        let length = length_of(NAME, x, self.dim)?;
        let half = self.dim / 2;
        let angles = angles(NAME, first, length, self.dim, self.base)?;
        let table = |function: fn(f64) -> f64| {
            let values: Vec<T> = angles.iter().map(|&x| T::from_f64(function(x))).collect();
            Tensor::from_slice(&values, [length, half])
        };
        let (cosine, sine) = (table(f64::cos)?, table(f64::sin)?);
        let rotate = |a: &Tensor<T>, b: &Tensor<T>| -> Result<[Tensor<T>; 2]> {
            let first = a.mul(&cosine)?.sub(&b.mul(&sine)?)?;
            let second = a.mul(&sine)?.add(&b.mul(&cosine)?)?;
            Ok([first, second])
        };
        match self.pairs {
            RotaryPairs::Halves => {
                let [a, b] = rotate(&x.narrow(-1, 0, half)?, &x.narrow(-1, half, half)?)?;
                cat(&[&a, &b], -1)
            }
            RotaryPairs::Neighbours => {
                let mut pairs = x.shape()[..x.rank() - 1].to_vec();
                pairs.extend([half, 2]);
                let pairs = x.reshape(pairs)?;
                let member = |index| pairs.narrow(-1, index, 1)?.squeeze(-1);
                let [a, b] = rotate(&member(0)?, &member(1)?)?;
                stack(&[&a, &b], -1)?.reshape(x.shape())
            }
        }
    }
}

impl<T: Element> Module<T> for RotaryPositions {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}
