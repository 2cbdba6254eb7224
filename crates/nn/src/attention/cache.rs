//! What an attention layer keeps of earlier positions.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Growing, Result, Tensor};

/// The keys and values `[B, heads, L, E / heads]` of the positions seen so far, so that a new one does not compute them again.
///
/// It is made and read by [`MultiheadAttention`](crate::MultiheadAttention); a clone is a way to go on in two directions, as beam
/// search does.
///
/// ```
/// use lexigrad_nn::{AttentionMask, KeyValueCache, MultiheadAttention, MultiheadAttentionConfig};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let attention: MultiheadAttention = MultiheadAttentionConfig::new(8, 2).build(&mut StdRng::seed_from_u64(1))?;
/// let mut cache = KeyValueCache::new();
/// for _word in 0..3 {
///     attention.extend(&Tensor::ones([1, 2, 8]), &mut cache, &AttentionMask::default())?;
/// }
/// assert_eq!(cache.len(), 3);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch has none.
#[derive(Clone)]
pub struct KeyValueCache<T: Element = f32> {
    keys: Growing<T>,
    values: Growing<T>,
}

/// The axis of the positions.
const POSITIONS: usize = 2;

#[compiled]
impl<T: Element> KeyValueCache<T> {
    /// A cache of no position.
    pub fn new() -> Self {
        Self {
            keys: Growing::new(POSITIONS),
            values: Growing::new(POSITIONS),
        }
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no position yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys and values, views of the cache, if any were added.
    ///
    /// # Errors
    /// If they belong to a tape that is alive on another thread.
    pub(super) fn entries(&self) -> Result<Option<(Tensor<T>, Tensor<T>)>> {
        Ok(self.keys.value()?.zip(self.values.value()?))
    }

    /// Adds keys and values at the end.
    pub(super) fn push(&mut self, keys: &Tensor<T>, values: &Tensor<T>) -> Result<()> {
        self.keys.push(keys)?;
        self.values.push(values)
    }

    /// Forgets all positions but the first `length`.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.keys.truncate(length);
        self.values.truncate(length);
    }
}

impl<T: Element> Default for KeyValueCache<T> {
    fn default() -> Self {
        Self::new()
    }
}
