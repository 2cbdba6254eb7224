//! Layers of attention.

use burn::module::{Module, Param};
use burn::nn::attention::{MultiHeadAttention, generate_autoregressive_mask};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, LayerNorm, Linear};
use burn::tensor::{Int, Tensor};

use super::models::{Model, cross_entropy};
use super::values::{Part, Result, Values};
use crate::case::Transformer;

/// Words and their places through layers of attention; then one answer a text, or one a place.
#[derive(Module, Debug)]
pub struct Attention {
    embed: Embedding,
    positions: Param<Tensor<2>>,
    encoder: TransformerEncoder,
    norm: LayerNorm,
    out: Linear,
    causal: bool,
}

impl Attention {
    pub fn new(sizes: &Transformer, causal: bool, values: &Values) -> Result<Self> {
        Ok(Self {
            embed: values.embedding("embed")?,
            positions: values.parameter("positions.weight")?,
            encoder: encoder(sizes, values)?,
            norm: values.norm("encoder.norm")?,
            out: values.linear("out")?,
            causal,
        })
    }
}

impl Model for Attention {
    fn loss(&self, ids: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let x = self.embed.forward(ids) + self.positions.val().unsqueeze();
        let [batch, time, _] = x.dims();
        let device = x.device();
        let mut input = TransformerEncoderInput::new(x);
        if self.causal {
            input = input.mask_attn(generate_autoregressive_mask(batch, time, &device));
        }
        let y = self.norm.forward(self.encoder.forward(input));
        let scores = if self.causal {
            self.out.forward(y).flatten(0, 1)
        } else {
            self.out.forward(y.mean_dim(1).squeeze_dim(1))
        };
        cross_entropy(scores, labels)
    }
}

fn encoder(sizes: &Transformer, values: &Values) -> Result<TransformerEncoder> {
    let config =
        TransformerEncoderConfig::new(sizes.dim, sizes.features, sizes.heads, sizes.layers)
            .with_dropout(0.0)
            .with_norm_first(true);
    let mut encoder = config.init(&values.device);
    for (index, layer) in encoder.layers.iter_mut().enumerate() {
        let name = |part: &str| format!("encoder.layers.{index}.{part}");
        attention(&mut layer.mha, &name("self_attn"), values)?;
        layer.pwff.linear_inner = values.linear(&name("linear1"))?;
        layer.pwff.linear_outer = values.linear(&name("linear2"))?;
        // Where norms come first, burn's second one is before the attention.
        layer.norm_2 = values.norm(&name("norm1"))?;
        layer.norm_1 = values.norm(&name("norm2"))?;
    }
    Ok(encoder)
}

fn attention(layer: &mut MultiHeadAttention, name: &str, values: &Values) -> Result<()> {
    let names = ["weight", "bias"].map(|kind| format!("{name}.in_proj_{kind}"));
    let input = |index| values.linear_of([&names[0], &names[1]], Part { index, of: 3 });
    layer.query = input(0)?;
    layer.key = input(1)?;
    layer.value = input(2)?;
    layer.output = values.linear(&format!("{name}.out_proj"))?;
    Ok(())
}
