//! Skip-gram and CBOW with negative sampling, a few sentences at a time.

use lexigrad::nn::{SharedNegatives, SharedNegativesConfig};
use lexigrad::prelude::*;
use lexigrad::tensor::{EmbeddingOptions, embedding_bag};
use rand::Rng;

use crate::args::Kind;

#[derive(Module)]
pub struct WordVectorModel {
    pub input: Embedding,
    output: SharedNegatives,
}

/// Sentences one after another.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub words: Vec<u32>,
    /// The sentence of each word.
    pub sentences: Vec<usize>,
    /// How many words on each side go with each word.
    pub reaches: Vec<usize>,
}

impl WordVectorModel {
    /// Words start near zero, and what they are told by at zero.
    pub fn new(counts: &[u64], dim: usize, negatives: usize, rng: &mut impl Rng) -> Result<Self> {
        let bound = 0.5 / dim as f32;
        let input =
            Embedding::from_pretrained(&Tensor::uniform([counts.len(), dim], -bound, bound, rng))?;
        input.weight.set_requires_grad(true);
        let output = SharedNegativesConfig {
            negatives: negatives as f64,
            ..SharedNegativesConfig::new(dim)
        };
        let output = output.build(counts)?;
        Ok(Self { input, output })
    }

    /// The loss of telling each neighbour by a word, or each word by the mean of its neighbours; summed.
    pub fn loss(&self, chunk: &Chunk, kind: Kind) -> Result<Tensor> {
        let words = Ids::new(&chunk.words[..])?;
        let x = self.input.forward(&words)?;
        let near = chunk.neighbours();
        match kind {
            Kind::Skipgram => self.output.forward(&x, &words, &Bags::from_lists(&near)?),
            Kind::Cbow => {
                let around = Bags::from_lists(&near)?;
                let means =
                    embedding_bag(&x, &around, BagMode::Mean, &EmbeddingOptions::default())?;
                // A word without neighbours is told by nothing.
                let own = (0..).zip(&near).map(|(place, near)| match near[..] {
                    [] => vec![],
                    _ => vec![place],
                });
                let own = Bags::from_lists(&own.collect::<Vec<Vec<u32>>>())?;
                self.output.forward(&means, &words, &own)
            }
        }
    }
}

impl Chunk {
    /// For each word the places within its reach, in its sentence, without its own.
    fn neighbours(&self) -> Vec<Vec<u32>> {
        let count = self.words.len();
        let near = |place: usize| {
            let reach = self.reaches[place];
            let places = place.saturating_sub(reach)..(place + reach + 1).min(count);
            places
                .filter(|&other| other != place && self.sentences[other] == self.sentences[place])
                .map(|other| other as u32)
                .collect()
        };
        (0..count).map(near).collect()
    }
}
