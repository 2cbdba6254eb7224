//! The models, as a user writes them.

use lexigrad::nn::{LearnedPositions, LearnedPositionsConfig};
use lexigrad::prelude::*;
use rand::Rng;

use crate::case::{Case, Cell, Transformer};

/// A model of ids, with the loss of a batch.
pub trait Model: Module + Sync {
    fn loss(&self, ids: &Ids, labels: &Ids) -> Result<Tensor>;
}

#[derive(Module)]
pub struct Tiny {
    embed: Embedding,
    out: Linear,
}

impl Tiny {
    pub fn new(rng: &mut impl Rng) -> Self {
        Self {
            embed: Embedding::new(6, 3, rng),
            out: Linear::new(3, 2, rng),
        }
    }
}

impl Model for Tiny {
    fn loss(&self, ids: &Ids, labels: &Ids) -> Result<Tensor> {
        cross_entropy(&self.out.forward(&self.embed.forward(ids)?)?, labels)
    }
}

#[derive(Module)]
pub struct Bag {
    embed: EmbeddingBag,
    out: Linear,
}

impl Bag {
    pub fn new(rows: usize, dim: usize, rng: &mut impl Rng) -> Self {
        Self {
            embed: EmbeddingBag::new(rows, dim, rng),
            out: Linear::new(dim, 2, rng),
        }
    }
}

impl Model for Bag {
    fn loss(&self, ids: &Ids, labels: &Ids) -> Result<Tensor> {
        let means = self.embed.forward(&Bags::from_rows(ids)?)?;
        cross_entropy(&self.out.forward(&means)?, labels)
    }
}

/// A table, and what its vectors are multiplied by to make a loss that costs next to nothing.
#[derive(Module)]
pub struct Rows {
    embed: Embedding,
    direction: Buffer,
}

impl Rows {
    pub fn new(rows: usize, dim: usize, ids: usize, rng: &mut impl Rng) -> Self {
        let direction = Tensor::normal([ids, dim], 0.0, 1.0, rng);
        Self {
            embed: Embedding::new(rows, dim, rng),
            direction: Buffer::new(direction),
        }
    }
}

impl Model for Rows {
    fn loss(&self, ids: &Ids, _labels: &Ids) -> Result<Tensor> {
        Ok(self.embed.forward(ids)?.mul(&self.direction.value())?.sum())
    }
}

#[derive(Module)]
pub struct TextCnn {
    embed: Embedding,
    windows: Vec<Conv1d>,
    dropout: Dropout,
    out: Linear,
}

impl TextCnn {
    pub fn new(case: &Case, rng: &mut impl Rng) -> Result<Self> {
        let &Case::TextCnn {
            rows,
            dim,
            widths,
            maps,
            dropout,
            ..
        } = case
        else {
            return Err(Error::other("textcnn", "another case"));
        };
        Ok(Self {
            embed: Embedding::new(rows, dim, rng),
            windows: widths
                .map(|width| Conv1d::new(dim, maps, width, rng))
                .into(),
            dropout: Dropout::new(dropout)?,
            out: Linear::new(widths.len() * maps, 2, rng),
        })
    }
}

impl Model for TextCnn {
    fn loss(&self, ids: &Ids, labels: &Ids) -> Result<Tensor> {
        let x = self.embed.forward(ids)?.transpose(1, 2)?; // [B, D, L]
        let strongest = |window: &Conv1d| window.forward(&x)?.relu().max_axes(&[2]);
        let features: Vec<Tensor> = self.windows.iter().map(strongest).collect::<Result<_>>()?;
        let features = cat(&features.iter().collect::<Vec<_>>(), 1)?;
        cross_entropy(
            &self.out.forward(&self.dropout.forward(&features)?)?,
            labels,
        )
    }
}

#[derive(Module)]
pub struct Recurrent {
    embed: Embedding,
    lstm: Option<Lstm>,
    gru: Option<Gru>,
    out: Linear,
}

impl Recurrent {
    pub fn new(
        cell: Cell,
        rows: usize,
        dim: usize,
        hidden: usize,
        rng: &mut impl Rng,
    ) -> Result<Self> {
        let config = RecurrentConfig {
            batch_first: true,
            ..RecurrentConfig::new(dim, hidden)
        };
        Ok(Self {
            embed: Embedding::new(rows, dim, rng),
            lstm: (cell == Cell::Lstm).then(|| config.lstm(rng)).transpose()?,
            gru: (cell == Cell::Gru).then(|| config.gru(rng)).transpose()?,
            out: Linear::new(hidden, 2, rng),
        })
    }
}

impl Model for Recurrent {
    fn loss(&self, ids: &Ids, labels: &Ids) -> Result<Tensor> {
        let x = self.embed.forward(ids)?;
        let last = match (&self.lstm, &self.gru) {
            (Some(lstm), _) => lstm.forward(&x)?.1.hidden,
            (_, Some(gru)) => gru.forward(&x)?.1,
            _ => return Err(Error::other("recurrent", "no cell")),
        };
        cross_entropy(
            &self.out.forward(&last.narrow(0, 0, 1)?.squeeze(0)?)?,
            labels,
        )
    }
}

/// Words and their places through layers of attention; then one answer a text, or one a place.
#[derive(Module)]
pub struct Attention {
    embed: Embedding,
    positions: LearnedPositions,
    encoder: TransformerEncoder,
    out: Linear,
    #[module(skip)]
    causal: bool,
}

impl Attention {
    pub fn new(sizes: &Transformer, causal: bool, rng: &mut impl Rng) -> Result<Self> {
        let config = TransformerConfig {
            dim_feedforward: sizes.features,
            dropout: 0.0,
            activation: lexigrad::nn::FeedForwardActivation::Gelu,
            batch_first: true,
            norm_first: true,
            ..TransformerConfig::new(sizes.dim, sizes.heads)
        };
        let classes = if causal { sizes.rows } else { 2 };
        Ok(Self {
            embed: Embedding::new(sizes.rows, sizes.dim, rng),
            positions: LearnedPositionsConfig {
                longest: sizes.time,
                dim: sizes.dim,
            }
            .build(rng)?,
            encoder: config.encoder(sizes.layers, true, rng)?,
            out: Linear::new(sizes.dim, classes, rng),
            causal,
        })
    }
}

impl Model for Attention {
    fn loss(&self, ids: &Ids, labels: &Ids) -> Result<Tensor> {
        let x = self.positions.forward(&self.embed.forward(ids)?, 0)?;
        if self.causal {
            let y = self.encoder.forward(&x, &AttentionMask::causal())?;
            return cross_entropy(&self.out.forward(&y)?, labels);
        }
        let y = self.encoder.forward(&x, &AttentionMask::default())?;
        cross_entropy(&self.out.forward(&y.mean_axes(&[1])?)?, labels)
    }
}
