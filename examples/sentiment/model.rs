//! The classifier: a bag of word runs and word beginnings, and one of four views of the words.

use lexigrad::prelude::*;
use lexigrad_text::HashedFeatures;
use lexigrad_text::batch::Padded;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::args::Kind;

/// Numbers for each word run and word beginning.
pub const FEATURES_DIM: usize = 16;

/// All that fixes the shapes of a [`Classifier`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub kind: Kind,
    pub words: usize,
    pub dim: usize,
    pub hidden: usize,
    pub labels: usize,
    pub features: HashedFeatures,
}

/// `scores = W_w view(vectors of the words) + W_f mean(vectors of runs and beginnings) + b`.
#[derive(Module)]
pub struct Classifier {
    pub words: Embedding,
    pub features: EmbeddingBag,
    windows: Vec<Conv1d>,
    lstm: Option<Lstm>,
    attention: Option<TransformerEncoder>,
    word_dropout: Dropout,
    dropout: Dropout,
    pub of_words: Linear,
    pub of_features: Linear,
}

/// Texts as the model reads them.
pub struct Texts {
    pub words: Padded,
    pub features: Bags,
}

impl Classifier {
    /// Words start as `words`, if given; the rest is drawn small, so that what is seen once or twice weighs little.
    pub fn new(settings: &Settings, words: Option<Embedding>, rng: &mut impl Rng) -> Result<Self> {
        let Settings {
            kind,
            dim,
            hidden,
            labels,
            ..
        } = *settings;
        let words = match words {
            Some(words) => words,
            None => {
                let config = EmbeddingConfig {
                    padding_idx: Some(0),
                    ..EmbeddingConfig::new(0, 0)
                };
                config.from_pretrained(&drawn(settings.words, dim, rng))?
            }
        };
        let features = EmbeddingBag::from_pretrained(&drawn(
            settings.features.buckets as usize,
            FEATURES_DIM,
            rng,
        ))?;
        words.weight.set_requires_grad(true);
        features.weight.set_requires_grad(true);
        let (mut windows, mut lstm, mut attention, mut width) = (Vec::new(), None, None, dim);
        match kind {
            Kind::Bag => {}
            Kind::Cnn => {
                windows = (1..=3)
                    .map(|size| Conv1d::new(dim, hidden, size, rng))
                    .collect();
                width = 3 * hidden;
            }
            Kind::Lstm => {
                let config = RecurrentConfig {
                    bidirectional: true,
                    batch_first: true,
                    ..RecurrentConfig::new(dim, hidden)
                };
                (lstm, width) = (Some(config.lstm(rng)?), 2 * hidden);
            }
            Kind::Attention => {
                let config = TransformerConfig {
                    dim_feedforward: hidden,
                    batch_first: true,
                    norm_first: true,
                    ..TransformerConfig::new(dim, 1)
                };
                attention = Some(config.encoder(1, true, rng)?);
            }
        }
        let [word_dropout, dropout] = if kind == Kind::Bag {
            [0.0, 0.0]
        } else {
            [0.2, 0.5]
        };
        Ok(Self {
            words,
            features,
            windows,
            lstm,
            attention,
            word_dropout: Dropout::new(word_dropout)?,
            dropout: Dropout::new(dropout)?,
            of_words: Linear::new(width, labels, rng),
            of_features: Linear::new(FEATURES_DIM, labels, rng),
        })
    }

    /// A score for each label of each text: `[B, labels]`.
    pub fn forward(&self, texts: &Texts) -> Result<Tensor> {
        let words = self.words.forward(&texts.words.ids)?;
        self.scores(
            &words,
            &self.features.forward(&texts.features)?,
            &texts.words.lengths,
        )
    }

    /// The scores of texts whose words, `[B, L, D]`, and whose features' mean, `[B, F]`, were looked up.
    pub fn scores(&self, words: &Tensor, features: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let view = self.view(&self.word_dropout.forward(words)?, lengths)?;
        let scores = self.of_words.forward(&self.dropout.forward(&view)?)?;
        scores.add(&self.of_features.forward(features)?)
    }

    fn view(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        if let Some(lstm) = &self.lstm {
            return PoolOverTime::Max
                .forward(&lstm.forward_with(x, Some(lengths), None)?.0, Some(lengths));
        }
        if let Some(attention) = &self.attention {
            let mask = AttentionMask::lengths(lengths);
            return PoolOverTime::Max.forward(&attention.forward(x, &mask)?, Some(lengths));
        }
        if self.windows.is_empty() {
            return PoolOverTime::Mean.forward(x, Some(lengths));
        }
        // Zeros on both sides, so that the shortest text has a window of every size.
        let x = x.transpose(1, 2)?.pad(2, 1, 1, 0.0)?;
        let strongest = |window: &Conv1d| window.forward(&x)?.relu().max_axes(&[2]);
        let views: Vec<Tensor> = self.windows.iter().map(strongest).collect::<Result<_>>()?;
        cat(&views.iter().collect::<Vec<_>>(), 1)
    }
}

fn drawn(rows: usize, dim: usize, rng: &mut impl Rng) -> Tensor {
    let bound = 1.0 / dim as f32;
    Tensor::uniform([rows, dim], -bound, bound, rng)
}
