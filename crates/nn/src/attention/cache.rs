//! What an attention layer keeps of earlier positions.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Result, Tensor, cat};

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
    entries: Option<(Tensor<T>, Tensor<T>)>,
}

#[compiled]
impl<T: Element> KeyValueCache<T> {
    /// A cache of no position.
    pub fn new() -> Self {
        Self { entries: None }
    }

    pub(super) fn of(keys: Tensor<T>, values: Tensor<T>) -> Self {
        let entries = Some((keys, values));
        Self { entries }
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |(keys, _)| keys.shape()[2])
    }

    /// Whether there is no position yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys and values, if there is any.
    pub(super) fn entries(&self) -> Option<(&Tensor<T>, &Tensor<T>)> {
        self.entries.as_ref().map(|(keys, values)| (keys, values))
    }

    /// The keys and values with new ones at the end.
    pub(super) fn with(
        &self,
        keys: Tensor<T>,
        values: Tensor<T>,
    ) -> Result<(Tensor<T>, Tensor<T>)> {
        match &self.entries {
            Some((old_keys, old_values)) => {
                Ok((cat(&[old_keys, &keys], 2)?, cat(&[old_values, &values], 2)?))
            }
            None => Ok((keys, values)),
        }
    }
}

impl<T: Element> Default for KeyValueCache<T> {
    fn default() -> Self {
        Self::new()
    }
}
