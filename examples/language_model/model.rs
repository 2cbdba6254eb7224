//! Two LSTM layers between an embedding and a softmax (Zaremba et al. 2014; dropout as Gal and Ghahramani 2016).

use lexigrad::nn::{AdaptiveSoftmax, AdaptiveSoftmaxConfig, LstmState};
use lexigrad::prelude::*;
use lexigrad::tensor::linear;
use rand::Rng;

use crate::args::{Args, Output};

/// The share of words whose whole vector is dropped in training.
const WORD_DROPOUT: f64 = 0.1;
/// The number of words from which scoring all of them costs more than twice what the layers below do.
const ADAPTIVE_FROM: usize = 10_000;

#[derive(Module)]
pub struct LanguageModel {
    embed: Embedding,
    words: WordDropout,
    inputs: LockedDropout,
    layers: Vec<Lstm>,
    states: LockedDropout,
    /// Scores by the embedding table and this bias, where there is no other head.
    bias: Option<Param>,
    adaptive: Option<AdaptiveSoftmax>,
}

impl LanguageModel {
    /// Ids must be sorted by falling frequency for the adaptive output.
    pub fn new(words: usize, args: &Args, rng: &mut impl Rng) -> Result<Self> {
        let dim = args.dim;
        let embed = Embedding::from_pretrained(&Tensor::uniform([words, dim], -0.1, 0.1, rng))?;
        embed.weight.set_requires_grad(true);
        let config = RecurrentConfig {
            batch_first: true,
            ..RecurrentConfig::new(dim, dim)
        };
        let adaptive = match args.output {
            None if words < ADAPTIVE_FROM => None,
            Some(Output::Tied) => None,
            _ => Some(AdaptiveSoftmaxConfig {
                div_value: 2.0,
                head_bias: true,
                ..AdaptiveSoftmaxConfig::new(dim, words, [words / 9, words * 4 / 9])
            }),
        };
        Ok(Self {
            embed,
            words: WordDropout::new(WORD_DROPOUT)?,
            inputs: LockedDropout::new(0.75 * args.dropout, 1)?,
            layers: vec![config.lstm(rng)?, config.lstm(rng)?],
            states: LockedDropout::new(args.dropout, 1)?,
            bias: adaptive
                .is_none()
                .then(|| Param::new(Tensor::zeros([words]))),
            adaptive: adaptive.map(|config| config.build(rng)).transpose()?,
        })
    }

    /// What each layer makes of `ids: [B, L]`, going on from `states`: `[B L, D]`, and the states after it.
    fn hidden(&self, ids: &Ids, states: &[LstmState]) -> Result<(Tensor, Vec<LstmState>)> {
        let mut x = self
            .inputs
            .forward(&self.words.forward(&self.embed.forward(ids)?, ids)?)?;
        let mut after = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let (y, state) = layer.forward_with(&x, None, states.get(index))?;
            x = self.states.forward(&y)?;
            after.push(state);
        }
        let dim = x.shape()[2];
        Ok((x.reshape([ids.len(), dim])?, after))
    }

    fn scores(&self, hidden: &Tensor) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(Param::value);
        linear(hidden, &self.embed.weight, bias.as_ref())
    }

    /// The mean of `-ln p(target | what came before)`, and the states to go on from.
    pub fn loss(
        &self,
        inputs: &Ids,
        targets: &Ids,
        states: &[LstmState],
    ) -> Result<(Tensor, Vec<LstmState>)> {
        let (hidden, states) = self.hidden(inputs, states)?;
        let targets = targets.reshape([targets.len()])?;
        let loss = match &self.adaptive {
            Some(head) => head.forward(&hidden, &targets)?,
            None => cross_entropy(&self.scores(&hidden)?, &targets)?,
        };
        Ok((loss, states))
    }

    /// `ln p` of each word after the last of `ids`, up to a constant, and the states to go on from.
    pub fn next(&self, ids: &[u32], states: &[LstmState]) -> Result<(Tensor, Vec<LstmState>)> {
        let (hidden, states) = self.hidden(&Ids::new([ids])?, states)?;
        let last = hidden.narrow(0, ids.len() - 1, 1)?;
        let scores = match &self.adaptive {
            Some(head) => head.log_probabilities(&last)?,
            None => self.scores(&last)?,
        };
        Ok((scores.squeeze(0)?, states))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use clap::Parser;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const WORDS: usize = 30;

    fn model(output: &str) -> LanguageModel {
        let args = Args::parse_from(["language_model", "--dim", "8", "--output", output]);
        LanguageModel::new(WORDS, &args, &mut StdRng::seed_from_u64(1)).unwrap()
    }

    #[test]
    fn the_loss_is_that_of_the_probabilities_word_by_word() {
        let text = [3, 1, 29, 0, 17, 4];
        for output in ["tied", "adaptive"] {
            let model = model(output);
            let (mut sum, mut states) = (0.0, Vec::new());
            for pair in text.windows(2) {
                let (scores, after) = model.next(&pair[..1], &states).unwrap();
                let scores = scores.log_softmax(-1).unwrap().to_vec();
                sum -= scores[pair[1] as usize];
                states = after;
            }
            let inputs = Ids::new([&text[..5]]).unwrap();
            let targets = Ids::new([&text[1..]]).unwrap();
            let (loss, _) = model.loss(&inputs, &targets, &[]).unwrap();
            let difference = loss.item().unwrap() - sum / 5.0;
            assert!(difference.abs() < 1e-5, "{output}: {difference}");
        }
    }

    #[test]
    fn every_parameter_learns_whatever_the_output() {
        for output in ["tied", "adaptive"] {
            let model = model(output);
            let tape = Tape::new();
            let (inputs, targets) = (Ids::new([[0, 12, 25]]), Ids::new([[12, 25, 1]]));
            let (loss, _) = model
                .loss(&inputs.unwrap(), &targets.unwrap(), &[])
                .unwrap();
            let grads = tape.backward(&loss).unwrap();
            let missing = grads.missing(&model);
            assert!(missing.is_empty(), "{output}: {missing:?}");
        }
    }
}
