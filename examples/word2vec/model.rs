//! Skip-gram and CBOW with negative sampling, a few sentences at a time.

use clap::ValueEnum;
use lexigrad::nn::{SharedNegatives, SharedNegativesConfig};
use lexigrad::prelude::*;
use lexigrad::tensor::{EmbeddingOptions, embedding_bag};
use rand::Rng;

/// What is told by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The words around by a word.
    Skipgram,
    /// A word by the words around.
    Cbow,
}

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
        let near = chunk.neighbours()?;
        match kind {
            Kind::Skipgram => self.output.forward(&x, &words, &near),
            Kind::Cbow => {
                let means = embedding_bag(&x, &near, BagMode::Mean, &EmbeddingOptions::default())?;
                self.output.forward(&means, &words, &own_places(&near)?)
            }
        }
    }
}

impl Chunk {
    /// For each word the places within its reach, in its sentence, without its own.
    fn neighbours(&self) -> Result<Bags> {
        let (mut places, mut ends) = (Vec::new(), vec![0]);
        for (place, (&sentence, &reach)) in self.sentences.iter().zip(&self.reaches).enumerate() {
            let last = (place + reach).min(self.words.len() - 1);
            let near = (place.saturating_sub(reach)..=last)
                .filter(|&other| other != place && self.sentences[other] == sentence);
            places.extend(near.map(|other| other as u32));
            ends.push(places.len());
        }
        Bags::from_offsets_with_last(&Ids::new(places)?, &ends)
    }
}

/// For each word its own place; none for a word without neighbours, which is told by nothing.
fn own_places(near: &Bags) -> Result<Bags> {
    let (mut places, mut ends) = (Vec::new(), vec![0]);
    for (place, bag) in (0..).zip(near.offsets().windows(2)) {
        places.extend((bag[0] < bag[1]).then_some(place));
        ends.push(places.len());
    }
    Bags::from_offsets_with_last(&Ids::new(places)?, &ends)
}
