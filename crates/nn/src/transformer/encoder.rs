//! The encoder: layers of self-attention.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Result, Tensor};
use rand::Rng;

use super::{TransformerConfig, check_cache, in_turn};
use crate::start;
use crate::{AttentionMask, KeyValueCache, LayerNorm, Linear, MultiheadAttention};

/// `h = norm1(x + attention(x, x, x))`, `y = norm2(h + linear2(relu(linear1(h))))`, `x` and `y: [L, B, D]`; with `norm_first`
/// `h = x + attention(norm1(x))`, `y = h + linear2(relu(linear1(norm2(h))))`.
///
/// ```
/// use lexigrad_nn::{AttentionMask, TransformerConfig, TransformerEncoderLayer};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = TransformerConfig { batch_first: true, ..TransformerConfig::new(8, 2) };
/// let layer: TransformerEncoderLayer = config.encoder_layer(&mut StdRng::seed_from_u64(1))?;
/// let mask = AttentionMask::lengths([5, 2]);
/// assert_eq!(*layer.forward(&Tensor::ones([2, 5, 8]), &mask)?.shape(), [2, 5, 8]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.TransformerEncoderLayer`, with the same names and layout of the parameters. Difference: truth values of masks mean
/// "may be seen".
#[derive(Clone, Debug, crate::Module)]
pub struct TransformerEncoderLayer<T: Element = f32> {
    /// The attention of each position to all.
    pub self_attn: MultiheadAttention<T>,
    /// D to the features between.
    pub linear1: Linear<T>,
    /// The features between to D.
    pub linear2: Linear<T>,
    /// The normalisation of the attention block.
    pub norm1: LayerNorm<T>,
    /// The normalisation of the other block.
    pub norm2: LayerNorm<T>,
    #[module(skip)]
    config: TransformerConfig,
}

impl TransformerConfig {
    /// A [`TransformerEncoderLayer`], with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If the heads do not divide D, `dropout` is not between 0 and 1, or there is no memory for the parameters.
    pub fn encoder_layer<T: Element>(
        &self,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<TransformerEncoderLayer<T>> {
        let self_attn = self.attention(rng)?;
        let [linear1, linear2] = self.feed_forward(rng)?;
        Ok(TransformerEncoderLayer {
            self_attn,
            linear1,
            linear2,
            norm1: self.norm()?,
            norm2: self.norm()?,
            config: self.clone(),
        })
    }

    /// A [`TransformerEncoder`] of so many layers, and a normalisation after the last if `norm`.
    ///
    /// # Errors
    /// As for [`encoder_layer`](Self::encoder_layer).
    pub fn encoder<T: Element>(
        &self,
        num_layers: usize,
        norm: bool,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<TransformerEncoder<T>> {
        let layers = start::repeat("transformer", num_layers, |_| self.encoder_layer(rng))?;
        Ok(TransformerEncoder {
            layers,
            norm: norm.then(|| self.norm()).transpose()?,
        })
    }
}

#[compiled]
impl<T: Element> TransformerEncoderLayer<T> {
    /// The layer's output, in the shape of x.
    ///
    /// # Errors
    /// If x or the mask does not fit.
    pub fn forward(&self, x: &Tensor<T>, mask: &AttentionMask<T>) -> Result<Tensor<T>> {
        self.blocks(x, |x| self.self_attn.forward(x, x, x, mask))
    }

    /// The outputs of new positions x that follow those in the cache, to which they are added; causal.
    ///
    /// # Errors
    /// If x or the mask does not fit.
    pub fn extend(
        &self,
        x: &Tensor<T>,
        cache: &mut KeyValueCache<T>,
        mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        self.blocks(x, |x| self.self_attn.extend(x, cache, mask))
    }

    fn blocks(
        &self,
        x: &Tensor<T>,
        attend: impl FnOnce(&Tensor<T>) -> Result<Tensor<T>>,
    ) -> Result<Tensor<T>> {
        let (config, linear1, linear2) = (&self.config, &self.linear1, &self.linear2);
        let h = config.residual(x, &self.norm1, attend)?;
        config.residual(&h, &self.norm2, |h| {
            config.apply_feed_forward(h, linear1, linear2)
        })
    }
}

/// `y = norm(layerₙ(.. layer₀(x)))`, `x` and `y: [L, B, D]`.
///
/// With a causal mask it is a language model, which [`extend`](Self::extend) runs word by word:
///
/// ```
/// use lexigrad_nn::{AttentionMask, EncoderCache, TransformerConfig, TransformerEncoder};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = TransformerConfig { dim_feedforward: 16, batch_first: true, norm_first: true, ..TransformerConfig::new(8, 2) };
/// let rng = &mut StdRng::seed_from_u64(1);
/// let model: TransformerEncoder = config.encoder(2, true, rng)?;
/// let x = Tensor::uniform([1, 3, 8], -1.0, 1.0, rng);
/// let whole = model.forward(&x, &AttentionMask::causal())?;
///
/// let mut cache = EncoderCache::new(&model);
/// for (word, expected) in x.split(&[1, 1, 1], 1)?.iter().zip(whole.split(&[1, 1, 1], 1)?) {
///     let y = model.extend(word, &mut cache, &AttentionMask::default())?;
///     assert!(y.sub(&expected)?.abs().max_axes(&[0, 1, 2])?.item()? < 1e-5);
/// }
/// assert_eq!(cache.len(), 3);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.TransformerEncoder`, with the same names and layout of the parameters. Differences: each layer is drawn anew, not
/// a copy of the first; truth values of masks mean "may be seen".
#[derive(Clone, Debug, crate::Module)]
pub struct TransformerEncoder<T: Element = f32> {
    /// The layers, the first one first.
    pub layers: Vec<TransformerEncoderLayer<T>>,
    /// The normalisation after the last.
    pub norm: Option<LayerNorm<T>>,
}

#[compiled]
impl<T: Element> TransformerEncoder<T> {
    /// The output of the last layer, in the shape of x.
    ///
    /// # Errors
    /// If x or the mask does not fit.
    pub fn forward(&self, x: &Tensor<T>, mask: &AttentionMask<T>) -> Result<Tensor<T>> {
        in_turn(&self.layers, x, self.norm.as_ref(), |layer, x| {
            layer.forward(x, mask)
        })
    }

    /// The outputs of new positions x that follow those in the cache, to which they are added; causal.
    ///
    /// The keys of `mask` are all positions so far, its queries the new ones. After an error the cache is as it was.
    ///
    /// # Errors
    /// If x or the mask does not fit, or the cache is one of another number of layers.
    pub fn extend(
        &self,
        x: &Tensor<T>,
        cache: &mut EncoderCache<T>,
        mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        check_cache("transformer_encoder", self.layers.len(), cache.layers.len())?;
        let known = cache.len();
        let layers = self.layers.iter().zip(&mut cache.layers);
        let y = in_turn(layers, x, self.norm.as_ref(), |(layer, cache), x| {
            layer.extend(x, cache, mask)
        });
        y.inspect_err(|_| {
            cache
                .layers
                .iter_mut()
                .for_each(|layer| layer.truncate(known))
        })
    }
}

/// What a [`TransformerEncoder`] keeps of the positions seen so far.
#[derive(Clone)]
pub struct EncoderCache<T: Element = f32> {
    layers: Vec<KeyValueCache<T>>,
}

#[compiled]
impl<T: Element> EncoderCache<T> {
    /// A cache of no position.
    pub fn new(encoder: &TransformerEncoder<T>) -> Self {
        let layers = vec![KeyValueCache::new(); encoder.layers.len()];
        Self { layers }
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, KeyValueCache::len)
    }

    /// Whether there is no position yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
