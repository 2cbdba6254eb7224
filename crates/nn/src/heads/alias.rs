//! Drawing from any discrete distribution in constant time.

use lexigrad_tensor::{Error, Result};
use rand::{Rng, RngExt};

/// Draws i with probability `weights[i] / Σ weights`, in constant time a draw: each place holds its own index up to a threshold, and
/// one other beyond it (Walker 1977, Vose 1991).
///
/// ```
/// use lexigrad_nn::AliasTable;
/// use rand::{SeedableRng, rngs::StdRng};
/// let table = AliasTable::new(&[1.0, 0.0, 3.0])?;
/// let mut rng = StdRng::seed_from_u64(1);
/// assert!((0..100).all(|_| table.draw(&mut rng) != 1));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AliasTable {
    /// The part of each place that is its own, and the index that has the rest.
    places: Vec<(f64, u32)>,
}

impl AliasTable {
    /// A table for these weights, which need not add up to 1.
    ///
    /// # Errors
    /// If there is none, one is negative or not finite, or all are 0.
    pub fn new(weights: &[f64]) -> Result<Self> {
        const NAME: &str = "alias_table";
        let wrong = weights
            .iter()
            .position(|weight| !weight.is_finite() || *weight < 0.0);
        if let Some(index) = wrong {
            let message = format!(
                "weight {} at [{index}] must be finite and not negative",
                weights[index]
            );
            return Err(Error::other(NAME, message));
        }
        let total: f64 = weights.iter().sum();
        if total <= 0.0 || u32::try_from(weights.len()).is_err() {
            let message = format!(
                "{} weights of sum {total}; the sum must be positive",
                weights.len()
            );
            return Err(Error::other(NAME, message));
        }
        let mean = total / weights.len() as f64;
        let mut places: Vec<(f64, u32)> = weights
            .iter()
            .zip(0..)
            .map(|(weight, index)| (weight / mean, index))
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..places.len()).partition(|&index| places[index].0 < 1.0);
        // What a small place leaves free is taken from a large one.
        while let (Some(below), Some(&above)) = (small.pop(), large.last()) {
            places[below].1 = above as u32;
            places[above].0 -= 1.0 - places[below].0;
            if places[above].0 < 1.0 {
                large.pop();
                small.push(above);
            }
        }
        Ok(Self { places })
    }

    /// An index.
    pub fn draw(&self, rng: &mut (impl Rng + ?Sized)) -> u32 {
        let index = rng.random_range(0..self.places.len());
        let (own, other) = self.places[index];
        if rng.random::<f64>() < own {
            index as u32
        } else {
            other
        }
    }

    /// The number of weights.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none; never, since a table has at least one weight.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}
