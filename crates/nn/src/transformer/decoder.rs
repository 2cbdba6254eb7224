//! The decoder: layers of causal self-attention and of attention to a memory.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Result, Tensor};
use rand::Rng;

use super::{TransformerConfig, check_cache, in_turn};
use crate::start;
use crate::{AttentionMask, KeyValueCache, LayerNorm, Linear, MultiheadAttention};

/// `g = norm1(x + attention(x, x, x))`, `h = norm2(g + attention(g, memory, memory))`,
/// `y = norm3(h + linear2(relu(linear1(h))))`, `x` and `y: [L, B, D]`, `memory: [M, B, D]`; with `norm_first` the input of each
/// block is normalised instead.
///
/// ```
/// use lexigrad_nn::{AttentionMask, TransformerConfig, TransformerDecoderLayer};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = TransformerConfig { batch_first: true, ..TransformerConfig::new(8, 2) };
/// let layer: TransformerDecoderLayer = config.decoder_layer(&mut StdRng::seed_from_u64(1))?;
/// let (x, memory) = (Tensor::ones([2, 3, 8]), Tensor::ones([2, 5, 8]));
/// let y = layer.forward(&x, &memory, &AttentionMask::causal(), &AttentionMask::default())?;
/// assert_eq!(*y.shape(), [2, 3, 8]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.TransformerDecoderLayer`, with the same names and layout of the parameters. Difference: truth values of masks mean
/// "may be seen".
#[derive(Clone, Debug, crate::Module)]
pub struct TransformerDecoderLayer<T: Element = f32> {
    /// The attention of each position to those of the target.
    pub self_attn: MultiheadAttention<T>,
    /// The attention of each position to the memory.
    pub multihead_attn: MultiheadAttention<T>,
    /// D to the features between.
    pub linear1: Linear<T>,
    /// The features between to D.
    pub linear2: Linear<T>,
    /// The normalisation of the block of self-attention.
    pub norm1: LayerNorm<T>,
    /// The normalisation of the block of attention to the memory.
    pub norm2: LayerNorm<T>,
    /// The normalisation of the last block.
    pub norm3: LayerNorm<T>,
    #[module(skip)]
    config: TransformerConfig,
}

impl TransformerConfig {
    /// A [`TransformerDecoderLayer`], with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If the heads do not divide D, `dropout` is not between 0 and 1, or there is no memory for the parameters.
    pub fn decoder_layer<T: Element>(
        &self,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<TransformerDecoderLayer<T>> {
        let (self_attn, multihead_attn) = (self.attention(rng)?, self.attention(rng)?);
        let [linear1, linear2] = self.feed_forward(rng)?;
        Ok(TransformerDecoderLayer {
            self_attn,
            multihead_attn,
            linear1,
            linear2,
            norm1: self.norm()?,
            norm2: self.norm()?,
            norm3: self.norm()?,
            config: self.clone(),
        })
    }

    /// A [`TransformerDecoder`] of so many layers, and a normalisation after the last if `norm`.
    ///
    /// # Errors
    /// As for [`decoder_layer`](Self::decoder_layer).
    pub fn decoder<T: Element>(
        &self,
        num_layers: usize,
        norm: bool,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<TransformerDecoder<T>> {
        let layers = start::repeat("transformer", num_layers, |_| self.decoder_layer(rng))?;
        Ok(TransformerDecoder {
            layers,
            norm: norm.then(|| self.norm()).transpose()?,
        })
    }
}

#[compiled]
impl<T: Element> TransformerDecoderLayer<T> {
    /// The layer's output, in the shape of x. Later positions are hidden only if `mask` is causal.
    ///
    /// # Errors
    /// If x, the memory or a mask does not fit.
    pub fn forward(
        &self,
        x: &Tensor<T>,
        memory: &Tensor<T>,
        mask: &AttentionMask<T>,
        memory_mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        self.blocks(
            x,
            |x| self.self_attn.forward(x, x, x, mask),
            |x| self.multihead_attn.forward(x, memory, memory, memory_mask),
        )
    }

    fn blocks(
        &self,
        x: &Tensor<T>,
        attend: impl FnOnce(&Tensor<T>) -> Result<Tensor<T>>,
        attend_memory: impl FnOnce(&Tensor<T>) -> Result<Tensor<T>>,
    ) -> Result<Tensor<T>> {
        let (config, linear1, linear2) = (&self.config, &self.linear1, &self.linear2);
        let g = config.residual(x, &self.norm1, attend)?;
        let h = config.residual(&g, &self.norm2, attend_memory)?;
        config.residual(&h, &self.norm3, |h| {
            config.apply_feed_forward(h, linear1, linear2)
        })
    }
}

/// `y = norm(layerₙ(.. layer₀(x, memory), memory))`, `x` and `y: [L, B, D]`, `memory: [M, B, D]`.
///
/// Word by word, with what the words before left in a cache:
///
/// ```
/// use lexigrad_nn::{AttentionMask, TransformerConfig, TransformerDecoder};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = TransformerConfig { dim_feedforward: 16, batch_first: true, ..TransformerConfig::new(8, 2) };
/// let rng = &mut StdRng::seed_from_u64(1);
/// let decoder: TransformerDecoder = config.decoder(2, false, rng)?;
/// let (x, memory) = (Tensor::uniform([1, 3, 8], -1.0, 1.0, rng), Tensor::ones([1, 4, 8]));
/// let no_mask = AttentionMask::default();
/// let whole = decoder.forward(&x, &memory, &AttentionMask::causal(), &no_mask)?;
///
/// let mut cache = decoder.start(&memory)?;
/// for (word, expected) in x.split(&[1, 1, 1], 1)?.iter().zip(whole.split(&[1, 1, 1], 1)?) {
///     let y = decoder.extend(word, &mut cache, &no_mask, &no_mask)?;
///     assert!(y.sub(&expected)?.abs().max_axes(&[0, 1, 2])?.item()? < 1e-5);
/// }
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.TransformerDecoder`, with the same names and layout of the parameters. Differences: each layer is drawn anew, not
/// a copy of the first; truth values of masks mean "may be seen"; there is a cache.
#[derive(Clone, Debug, crate::Module)]
pub struct TransformerDecoder<T: Element = f32> {
    /// The layers, the first one first.
    pub layers: Vec<TransformerDecoderLayer<T>>,
    /// The normalisation after the last.
    pub norm: Option<LayerNorm<T>>,
}

#[compiled]
impl<T: Element> TransformerDecoder<T> {
    /// The output of the last layer, in the shape of x. Later positions are hidden only if `mask` is causal.
    ///
    /// # Errors
    /// If x, the memory or a mask does not fit.
    pub fn forward(
        &self,
        x: &Tensor<T>,
        memory: &Tensor<T>,
        mask: &AttentionMask<T>,
        memory_mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        in_turn(&self.layers, x, self.norm.as_ref(), |layer, x| {
            layer.forward(x, memory, mask, memory_mask)
        })
    }

    /// A cache that knows the memory and no position yet.
    ///
    /// # Errors
    /// If the memory does not fit.
    pub fn start(&self, memory: &Tensor<T>) -> Result<DecoderCache<T>> {
        let layers = self.layers.iter().map(|layer| {
            Ok(LayerCache {
                target: KeyValueCache::new(),
                memory: layer.multihead_attn.remember(memory, memory)?,
            })
        });
        let layers = layers.collect::<Result<_>>()?;
        Ok(DecoderCache { layers })
    }

    /// The outputs of new positions x that follow those in the cache, to which they are added; causal.
    ///
    /// The keys of `mask` are all positions so far, its queries the new ones. After an error the cache is as it was.
    ///
    /// # Errors
    /// If x or a mask does not fit, or the cache is one of another number of layers.
    pub fn extend(
        &self,
        x: &Tensor<T>,
        cache: &mut DecoderCache<T>,
        mask: &AttentionMask<T>,
        memory_mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        check_cache("transformer_decoder", self.layers.len(), cache.layers.len())?;
        let known = cache.len();
        let layers = self.layers.iter().zip(&mut cache.layers);
        let y = in_turn(layers, x, self.norm.as_ref(), |(layer, cache), x| {
            let LayerCache { target, memory } = cache;
            layer.blocks(
                x,
                |x| layer.self_attn.extend(x, target, mask),
                |x| layer.multihead_attn.recall(x, memory, memory_mask),
            )
        });
        y.inspect_err(|_| {
            let layers = cache.layers.iter_mut();
            layers.for_each(|layer| layer.target.truncate(known));
        })
    }
}

/// What a [`TransformerDecoder`] keeps of a memory and of the positions seen so far.
#[derive(Clone)]
pub struct DecoderCache<T: Element = f32> {
    layers: Vec<LayerCache<T>>,
}

#[derive(Clone)]
struct LayerCache<T: Element> {
    target: KeyValueCache<T>,
    memory: KeyValueCache<T>,
}

#[compiled]
impl<T: Element> DecoderCache<T> {
    /// The number of positions.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.target.len())
    }

    /// Whether there is no position yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
