//! Layers of attention, which candle has none of, from what it has.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::{layer_norm_slow, softmax};
use candle_nn::{Embedding, Linear, Module, VarBuilder, embedding, linear};

use super::models::Model;
use crate::case::Transformer;

/// Words and their places through layers of attention; then one answer a text, or one a place.
pub struct Attention {
    embed: Embedding,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    out: Linear,
    /// What is added to the scores of places that come later.
    mask: Option<Tensor>,
}

impl Attention {
    pub fn new(sizes: &Transformer, causal: bool, values: VarBuilder) -> Result<Self> {
        let dim = sizes.dim;
        let classes = if causal { sizes.rows } else { 2 };
        let layer = |index| Layer::new(sizes, values.pp(format!("encoder.layers.{index}")));
        Ok(Self {
            embed: embedding(sizes.rows, dim, values.pp("embed"))?,
            positions: values.get((sizes.time, dim), "positions.weight")?,
            layers: (0..sizes.layers).map(layer).collect::<Result<_>>()?,
            norm: Norm::new(dim, values.pp("encoder.norm"))?,
            out: linear(dim, classes, values.pp("out"))?,
            mask: causal.then(|| later(sizes.time)).transpose()?,
        })
    }
}

impl Model for Attention {
    fn loss(&self, ids: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let x = self.embed.forward(ids)?.broadcast_add(&self.positions)?;
        let apply = |x: Tensor, layer: &Layer| layer.forward(&x, self.mask.as_ref());
        let y = self.norm.forward(&self.layers.iter().try_fold(x, apply)?)?;
        if self.mask.is_some() {
            let scores = self.out.forward(&y)?.flatten_to(1)?;
            return cross_entropy(&scores, &labels.flatten_all()?);
        }
        cross_entropy(&self.out.forward(&y.mean(1)?)?, labels)
    }
}

/// `[time, time]`, minus infinity above the diagonal.
fn later(time: usize) -> Result<Tensor> {
    let row = |query| (0..time).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 });
    let mask: Vec<f32> = (0..time).flat_map(row).collect();
    Tensor::from_vec(mask, (time, time), &Device::Cpu)
}

struct Layer {
    heads: usize,
    attention_norm: Norm,
    inputs: [Linear; 3],
    output: Linear,
    features_norm: Norm,
    inner: Linear,
    outer: Linear,
}

impl Layer {
    fn new(sizes: &Transformer, values: VarBuilder) -> Result<Self> {
        let dim = sizes.dim;
        let attention = values.pp("self_attn");
        // Parts of one parameter in the file, views of it here.
        let weight = attention.get((3 * dim, dim), "in_proj_weight")?;
        let bias = attention.get(3 * dim, "in_proj_bias")?;
        let input = |index: usize| -> Result<Linear> {
            let part = |whole: &Tensor| whole.narrow(0, index * dim, dim);
            Ok(Linear::new(part(&weight)?, Some(part(&bias)?)))
        };
        Ok(Self {
            heads: sizes.heads,
            attention_norm: Norm::new(dim, values.pp("norm1"))?,
            inputs: [input(0)?, input(1)?, input(2)?],
            output: linear(dim, dim, attention.pp("out_proj"))?,
            features_norm: Norm::new(dim, values.pp("norm2"))?,
            inner: linear(dim, sizes.features, values.pp("linear1"))?,
            outer: linear(sizes.features, dim, values.pp("linear2"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let x = (x + self.attend(&self.attention_norm.forward(x)?, mask)?)?;
        let inner = self.inner.forward(&self.features_norm.forward(&x)?)?;
        x + self.outer.forward(&inner.gelu_erf()?)?
    }

    fn attend(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, time, dim) = x.dims3()?;
        let width = dim / self.heads;
        // [B, H, T, W]
        let heads = |input: &Linear| {
            let y = input.forward(x)?;
            y.reshape((batch, time, self.heads, width))?
                .transpose(1, 2)?
                .contiguous()
        };
        let [query, key, value] = &self.inputs;
        let scores = heads(query)?.matmul(&heads(key)?.t()?)?;
        let mut scores = (scores / (width as f64).sqrt())?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let context = softmax(&scores, D::Minus1)?.matmul(&heads(value)?)?;
        let context = context.transpose(1, 2)?.reshape((batch, time, dim))?;
        self.output.forward(&context)
    }
}

/// The library's layer has no way back; this function of its has one.
struct Norm {
    weight: Tensor,
    bias: Tensor,
}

impl Norm {
    fn new(dim: usize, values: VarBuilder) -> Result<Self> {
        Ok(Self {
            weight: values.get(dim, "weight")?,
            bias: values.get(dim, "bias")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        layer_norm_slow(x, &self.weight, &self.bias, 1e-5)
    }
}
