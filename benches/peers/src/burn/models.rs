//! The models of `ours/models.rs`.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Dropout, DropoutConfig, Embedding, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

use super::values::{Result, Values};
use crate::case::Case;

/// A model of ids, with the loss of a batch.
pub trait Model: Module {
    fn loss(&self, ids: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1>;
}

pub fn cross_entropy(scores: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let loss = CrossEntropyLossConfig::new().init(&scores.device());
    loss.forward(scores, labels)
}

#[derive(Module, Debug)]
pub struct Tiny {
    embed: Embedding,
    out: Linear,
}

impl Tiny {
    pub fn new(values: &Values) -> Result<Self> {
        Ok(Self {
            embed: values.embedding("embed")?,
            out: values.linear("out")?,
        })
    }
}

impl Model for Tiny {
    fn loss(&self, ids: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let x = self.embed.forward(ids).flatten(0, 1);
        cross_entropy(self.out.forward(x), labels)
    }
}

/// There is no layer of bags: all vectors are looked up, then averaged.
#[derive(Module, Debug)]
pub struct Bag {
    embed: Embedding,
    out: Linear,
}

impl Bag {
    pub fn new(values: &Values) -> Result<Self> {
        Ok(Self {
            embed: values.embedding("embed")?,
            out: values.linear("out")?,
        })
    }
}

impl Model for Bag {
    fn loss(&self, ids: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let means = self.embed.forward(ids).mean_dim(1).squeeze_dim(1);
        cross_entropy(self.out.forward(means), labels)
    }
}

#[derive(Module, Debug)]
pub struct Rows {
    embed: Embedding,
    direction: Tensor<2>,
}

impl Rows {
    pub fn new(values: &Values) -> Result<Self> {
        Ok(Self {
            embed: values.embedding("embed")?,
            direction: values.tensor("direction")?,
        })
    }
}

impl Model for Rows {
    fn loss(&self, ids: Tensor<2, Int>, _labels: Tensor<1, Int>) -> Tensor<1> {
        let vectors: Tensor<2> = self.embed.forward(ids).squeeze_dim(0);
        (vectors * self.direction.clone()).sum()
    }
}

#[derive(Module, Debug)]
pub struct TextCnn {
    embed: Embedding,
    windows: Vec<Conv1d>,
    dropout: Dropout,
    out: Linear,
}

impl TextCnn {
    pub fn new(case: &Case, values: &Values) -> Result<Self> {
        let &Case::TextCnn {
            dim,
            widths,
            maps,
            dropout,
            ..
        } = case
        else {
            return Err("another case".into());
        };
        let window = |(index, &width): (usize, &usize)| -> Result<Conv1d> {
            let mut window = Conv1dConfig::new(dim, maps, width).init(&values.device);
            window.weight = values.parameter(&format!("windows.{index}.weight"))?;
            window.bias = Some(values.parameter(&format!("windows.{index}.bias"))?);
            Ok(window)
        };
        Ok(Self {
            embed: values.embedding("embed")?,
            windows: widths
                .iter()
                .enumerate()
                .map(window)
                .collect::<Result<_>>()?,
            dropout: DropoutConfig::new(dropout).init(),
            out: values.linear("out")?,
        })
    }
}

impl Model for TextCnn {
    fn loss(&self, ids: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let x = self.embed.forward(ids).swap_dims(1, 2); // [B, D, L]
        let strongest = |window: &Conv1d| relu(window.forward(x.clone())).max_dim(2).squeeze_dim(2);
        let features = Tensor::cat(self.windows.iter().map(strongest).collect(), 1);
        cross_entropy(self.out.forward(self.dropout.forward(features)), labels)
    }
}
