//! Transformers (Vaswani et al. 2017): attention and a small network for each position, in layers with residual connections.

mod decoder;
mod encoder;

pub use decoder::{DecoderCache, TransformerDecoder, TransformerDecoderLayer};
pub use encoder::{EncoderCache, TransformerEncoder, TransformerEncoderLayer};

use lexigrad_tensor::{Element, Error, Result, Tensor, dropout};
use rand::Rng;

use crate::{
    LayerNorm, LayerNormConfig, Linear, LinearConfig, MultiheadAttention, MultiheadAttentionConfig,
};

/// The function between the two linear maps of a transformer layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedForwardActivation {
    /// `max(x, 0)`
    #[default]
    Relu,
    /// `x Φ(x)`, Φ the standard normal's distribution function.
    Gelu,
}

/// The sizes and options of the layers of a transformer, with PyTorch's names and defaults.
///
/// ```
/// use lexigrad_nn::{AttentionMask, TransformerConfig, TransformerEncoder};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = TransformerConfig { dim_feedforward: 16, batch_first: true, ..TransformerConfig::new(8, 2) };
/// let encoder: TransformerEncoder = config.encoder(2, false, &mut StdRng::seed_from_u64(1))?;
/// let y = encoder.forward(&Tensor::ones([3, 5, 8]), &AttentionMask::default())?;
/// assert_eq!(*y.shape(), [3, 5, 8]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TransformerConfig {
    /// D, the size of an input and of an output.
    pub d_model: usize,
    /// Into how many heads D is cut.
    pub nhead: usize,
    /// The size between the two linear maps.
    pub dim_feedforward: usize,
    /// The probability that a number is dropped in training: attention weights, within and after each block.
    pub dropout: f64,
    /// The function between the two linear maps.
    pub activation: FeedForwardActivation,
    /// What the normalisations add to the variance.
    pub layer_norm_eps: f64,
    /// Whether sequences are `[B, L, D]`; else they are `[L, B, D]`.
    pub batch_first: bool,
    /// Whether the input of each block is normalised; else the sum after it is.
    pub norm_first: bool,
    /// Whether linear maps and normalisations have biases.
    pub bias: bool,
}

impl TransformerConfig {
    /// Layers with relu between 2048 features, dropout 0.1, normalisation after each block, time first.
    pub fn new(d_model: usize, nhead: usize) -> Self {
        Self {
            d_model,
            nhead,
            dim_feedforward: 2048,
            dropout: 0.1,
            activation: FeedForwardActivation::default(),
            layer_norm_eps: 1e-5,
            batch_first: false,
            norm_first: false,
            bias: true,
        }
    }

    fn attention<T: Element>(
        &self,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<MultiheadAttention<T>> {
        let config = MultiheadAttentionConfig {
            dropout: self.dropout,
            bias: self.bias,
            batch_first: self.batch_first,
            ..MultiheadAttentionConfig::new(self.d_model, self.nhead)
        };
        config.build(rng)
    }

    /// The linear maps to the features between and back.
    fn feed_forward<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<[Linear<T>; 2]> {
        let mut linear = |inputs, outputs| {
            let bias = self.bias;
            let config = LinearConfig {
                bias,
                ..LinearConfig::new(inputs, outputs)
            };
            config.build(rng)
        };
        let (size, features) = (self.d_model, self.dim_feedforward);
        Ok([linear(size, features)?, linear(features, size)?])
    }

    fn norm<T: Element>(&self) -> Result<LayerNorm<T>> {
        let config = LayerNormConfig {
            eps: self.layer_norm_eps,
            bias: self.bias,
            ..LayerNormConfig::new(self.d_model)
        };
        config.build()
    }

    /// `linear2(activation(linear1(x)))`, with dropout between.
    fn apply_feed_forward<T: Element>(
        &self,
        x: &Tensor<T>,
        linear1: &Linear<T>,
        linear2: &Linear<T>,
    ) -> Result<Tensor<T>> {
        let features = linear1.forward(x)?;
        let active = match self.activation {
            FeedForwardActivation::Relu => features.relu(),
            FeedForwardActivation::Gelu => features.gelu(),
        };
        linear2.forward(&dropout(&active, self.dropout)?)
    }

    /// `x + block(norm(x))` if the norm comes first, else `norm(x + block(x))`, with dropout after the block.
    fn residual<T: Element>(
        &self,
        x: &Tensor<T>,
        norm: &LayerNorm<T>,
        block: impl FnOnce(&Tensor<T>) -> Result<Tensor<T>>,
    ) -> Result<Tensor<T>> {
        if self.norm_first {
            let change = block(&norm.forward(x)?)?;
            x.add(&dropout(&change, self.dropout)?)
        } else {
            let change = block(x)?;
            norm.forward(&x.add(&dropout(&change, self.dropout)?)?)
        }
    }
}

/// `norm(forward(layerₙ, .. forward(layer₀, x)))`
fn in_turn<T: Element, L>(
    layers: impl IntoIterator<Item = L>,
    x: &Tensor<T>,
    norm: Option<&LayerNorm<T>>,
    mut forward: impl FnMut(L, &Tensor<T>) -> Result<Tensor<T>>,
) -> Result<Tensor<T>> {
    let y = layers
        .into_iter()
        .try_fold(x.clone(), |x, layer| forward(layer, &x))?;
    match norm {
        Some(norm) => norm.forward(&y),
        None => Ok(y),
    }
}

/// Checks that a cache was made for as many layers.
fn check_cache(name: &'static str, layers: usize, cached: usize) -> Result<()> {
    if layers == cached {
        return Ok(());
    }
    let message = format!("the cache is for {cached} layers; there are {layers}");
    Err(Error::other(name, message))
}
