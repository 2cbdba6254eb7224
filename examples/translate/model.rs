//! A recurrent encoder and decoder with attention (Bahdanau et al. 2015, Luong et al. 2015).

use lexigrad::nn::{
    AttentionOptions, CrossEntropyOptions, LstmState, cross_entropy_with,
    scaled_dot_product_attention,
};
use lexigrad::prelude::*;
use lexigrad::tensor::attention_with_weights;
use lexigrad_text::batch::Padded;
use rand::Rng;

/// So much of a label's weight is spread over all others, so that the model is never quite sure.
const LABEL_SMOOTHING: f64 = 0.1;

/// The sizes of a [`Translator`].
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub source: usize,
    pub target: usize,
    pub dim: usize,
    pub hidden: usize,
    pub dropout: f64,
}

#[derive(Module)]
pub struct Translator {
    source: Embedding,
    target: Embedding,
    encoder: Lstm,
    decoder: Lstm,
    key: Linear,
    combine: Linear,
    out: Linear,
    dropout: Dropout,
}

/// What the decoder reads: `[B, S, 2H]` of the source, keys of it for the attention, and which of them are no padding.
pub struct Memory {
    values: Tensor,
    keys: Tensor,
    mask: AttentionMask,
}

impl Translator {
    pub fn new(sizes: Sizes, rng: &mut impl Rng) -> Result<Self> {
        let Sizes {
            dim,
            hidden,
            dropout,
            ..
        } = sizes;
        let recurrent = |input_size, hidden_size, bidirectional| RecurrentConfig {
            batch_first: true,
            bidirectional,
            ..RecurrentConfig::new(input_size, hidden_size)
        };
        Ok(Self {
            source: Embedding::new(sizes.source, dim, rng),
            target: Embedding::new(sizes.target, dim, rng),
            encoder: recurrent(dim, hidden, true).lstm(rng)?,
            decoder: recurrent(dim, 2 * hidden, false).lstm(rng)?,
            key: Linear::new(2 * hidden, 2 * hidden, rng),
            combine: Linear::new(4 * hidden, 2 * hidden, rng),
            out: Linear::new(2 * hidden, sizes.target, rng),
            dropout: Dropout::new(dropout)?,
        })
    }

    /// Reads the source. The decoder starts from the last states of both directions, side by side.
    pub fn encode(&self, source: &Padded) -> Result<(Memory, LstmState)> {
        let x = self.dropout.forward(&self.source.forward(&source.ids)?)?;
        let (values, last) = self.encoder.forward_with(&x, Some(&source.lengths), None)?;
        let memory = Memory {
            keys: self.key.forward(&values)?,
            values,
            mask: AttentionMask::lengths(&source.lengths[..]),
        };
        let state = LstmState {
            hidden: both(&last.hidden)?,
            cell: both(&last.cell)?,
        };
        Ok((memory, state))
    }

    /// Scores of what comes after each token of `target: [B, T]`: `[B, T, V]`, with the state after the last.
    pub fn decode(
        &self,
        target: &Ids,
        memory: &Memory,
        state: &LstmState,
    ) -> Result<(Tensor, LstmState)> {
        let x = self.dropout.forward(&self.target.forward(target)?)?;
        let (hidden, state) = self.decoder.forward_with(&x, None, Some(state))?;
        let options = AttentionOptions {
            mask: memory.mask.clone(),
            ..AttentionOptions::default()
        };
        let context =
            scaled_dot_product_attention(&hidden, &memory.keys, &memory.values, &options)?;
        let combined = self
            .combine
            .forward(&cat(&[&hidden, &context], -1)?)?
            .tanh();
        Ok((self.out.forward(&self.dropout.forward(&combined)?)?, state))
    }

    /// How much each token of `target` looks at each token of one source: `[T, S]`.
    pub fn attention(&self, source: &Padded, target: &Ids) -> Result<Tensor> {
        let (memory, state) = self.encode(source)?;
        let x = self.target.forward(target)?;
        let (hidden, _) = self.decoder.forward_with(&x, None, Some(&state))?;
        let options = AttentionOptions::default();
        let (_, weights) = attention_with_weights(&hidden, &memory.keys, &memory.values, &options)?;
        Ok(weights)
    }

    /// The summed loss of what comes next in the targets, with smoothed labels; padding counts nothing.
    pub fn loss(&self, source: &Padded, input: &Padded, wanted: &Padded) -> Result<Tensor> {
        let (memory, state) = self.encode(source)?;
        let (scores, _) = self.decode(&input.ids, &memory, &state)?;
        let options = CrossEntropyOptions {
            ignore_index: Some(0),
            label_smoothing: LABEL_SMOOTHING,
            reduction: Reduction::Sum,
            ..CrossEntropyOptions::default()
        };
        cross_entropy_with(&scores, &wanted.ids, &options)
    }
}

impl Memory {
    /// The memory of one source, for so many sequences that are decoded side by side.
    pub fn repeated(&self, count: usize) -> Result<Self> {
        let repeat = |x: &Tensor| x.expand([count, x.shape()[1], x.shape()[2]]);
        Ok(Self {
            values: repeat(&self.values)?,
            keys: repeat(&self.keys)?,
            mask: AttentionMask::default(),
        })
    }
}

/// `[2 layers, B, H] -> [layers, B, 2H]`: the two directions of each layer side by side.
fn both(state: &Tensor) -> Result<Tensor> {
    let [rows, batch, hidden] = state.shape()[..] else {
        unreachable!("a recurrent state has three axes")
    };
    let by_layer = state.reshape([rows / 2, 2, batch, hidden])?;
    by_layer
        .permute(&[0, 2, 1, 3])?
        .reshape([rows / 2, batch, 2 * hidden])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn model() -> Translator {
        let sizes = Sizes {
            source: 7,
            target: 9,
            dim: 5,
            hidden: 4,
            dropout: 0.5,
        };
        Translator::new(sizes, &mut StdRng::seed_from_u64(1)).unwrap()
    }

    fn padded(lists: &[&[u32]]) -> Padded {
        Padded::new(lists, 0).unwrap()
    }

    #[test]
    fn token_by_token_as_all_at_once() {
        let (model, target) = (model(), [2_u32, 5, 4, 8]);
        let (memory, start) = model.encode(&padded(&[&[3, 6, 4]])).unwrap();
        let whole = model
            .decode(&Ids::new([target]).unwrap(), &memory, &start)
            .unwrap()
            .0
            .to_vec();
        let (mut state, mut stepped) = (start, Vec::new());
        for token in target {
            let ids = Ids::new([[token]; 2]).unwrap();
            // Two alike, side by side as in a beam.
            let rows = Ids::new([0_u32, 0]).unwrap();
            let of = |x: &Tensor| x.narrow(1, 0, 1).unwrap().index_select(1, &rows).unwrap();
            let two = LstmState {
                hidden: of(&state.hidden),
                cell: of(&state.cell),
            };
            let (scores, next) = model
                .decode(&ids, &memory.repeated(2).unwrap(), &two)
                .unwrap();
            stepped.extend(scores.narrow(0, 1, 1).unwrap().to_vec());
            state = next;
        }
        assert_eq!(whole.len(), stepped.len());
        assert!(
            whole
                .iter()
                .zip(&stepped)
                .all(|(whole, stepped)| (whole - stepped).abs() < 1e-5)
        );
    }

    #[test]
    fn padding_counts_nothing() {
        let model = model();
        let loss = |sources: &[&[u32]], given: &[&[u32]], wanted: &[&[u32]]| {
            let loss = model
                .loss(&padded(sources), &padded(given), &padded(wanted))
                .unwrap();
            loss.item().unwrap()
        };
        let (short, long): ([&[u32]; 3], [&[u32]; 3]) =
            ([&[4], &[2], &[3]], [&[5, 3, 6, 4], &[2, 6, 8], &[6, 8, 3]]);
        let alone =
            loss(&[short[0]], &[short[1]], &[short[2]]) + loss(&[long[0]], &[long[1]], &[long[2]]);
        let together = loss(
            &[short[0], long[0]],
            &[short[1], long[1]],
            &[short[2], long[2]],
        );
        assert!((alone - together).abs() < 1e-4, "{alone} {together}");
    }

    #[test]
    fn all_that_is_looked_at_is_the_source() {
        let weights = model().attention(&padded(&[&[3, 6, 4]]), &Ids::new([[2_u32, 5]]).unwrap());
        let weights = weights.unwrap().to_vec();
        assert_eq!(weights.len(), 2 * 3);
        assert!(
            weights
                .chunks(3)
                .all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6)
        );
    }
}
