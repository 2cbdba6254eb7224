//! Training: sentences in chunks, a rate that falls, the same result with any number of threads.

use std::error::Error;

use clap::Args;
use lexigrad::prelude::*;
use lexigrad_text::Vocab;
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::Progress;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::model::{Chunk, Kind, WordVectorModel};

/// Words of a chunk, more or less: it ends with a sentence.
const CHUNK: usize = 64;
/// Chunks before each step, of which threads take one at a time.
const CHUNKS: usize = 8;
/// The share of the rate that is left at the end.
const LAST_RATE: f64 = 0.004;

/// How to learn.
#[derive(Args, Clone, Debug)]
pub struct Training {
    /// Tell the words around from a word, or a word from the words around.
    #[arg(long, value_enum, default_value_t = Kind::Skipgram)]
    pub model: Kind,
    /// Times to go through the text.
    #[arg(long, default_value_t = 5)]
    pub epochs: usize,
    /// The most words on each side; for each word, from one up to so many are drawn.
    #[arg(long, default_value_t = 5)]
    pub window: usize,
    /// The share of the text above which a word is left out now and then.
    #[arg(long, default_value_t = 1e-3)]
    pub subsample: f64,
    /// Learning rate at the start, from which it falls evenly to nearly nothing [default: 0.025, with --model cbow 0.1].
    #[arg(long)]
    pub lr: Option<f64>,
    /// Where the random numbers start: the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl Training {
    /// A word's neighbours share the gradient of their mean, which is the less for each the more they are; so CBOW takes longer steps.
    fn rate(&self) -> f64 {
        self.lr.unwrap_or(match self.model {
            Kind::Skipgram => 0.025,
            Kind::Cbow => 0.1,
        })
    }

    /// Sparse stochastic gradient descent; `seen` hears of each epoch and its mean loss a word.
    pub fn run(
        &self,
        model: &WordVectorModel,
        vocab: &Vocab,
        sentences: &[Vec<u32>],
        mut seen: impl FnMut(usize, f64),
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let kept = kept(vocab, self.subsample);
        let mut optimizer = Sgd::new(self.rate()).build(model);
        for epoch in 0..self.epochs {
            let seed = self.seed.wrapping_add((epoch as u64 + 1) << 32);
            let rng = &mut StdRng::seed_from_u64(seed);
            let chunks = chunks(sentences, &kept, self.window, rng);
            let batches = chunks.len().div_ceil(CHUNKS);
            let mut losses = Mean::default();
            let label = format!("epoch {}/{}", epoch + 1, self.epochs);
            for (index, batch) in Progress::new(chunks.chunks(CHUNKS), &label, true).enumerate() {
                let done = (epoch as f64 + index as f64 / batches as f64) / self.epochs as f64;
                optimizer.set_learning_rate(self.rate() * (1.0 - done).max(LAST_RATE));
                let (loss, grads) = data_parallel(batch, |chunk| model.loss(chunk, self.model))?;
                optimizer.step(&grads)?;
                let words: usize = batch.iter().map(|chunk| chunk.words.len()).sum();
                losses.add(loss / words as f32, 1);
            }
            seen(epoch + 1, losses.value());
        }
        Ok(())
    }
}

/// The probability with which each word is kept: `√(t/f) + t/f`, at most 1, of its share f of the text.
fn kept(vocab: &Vocab, threshold: f64) -> Vec<f64> {
    let total: u64 = vocab.counts().sum();
    let ratio = |count: u64| threshold * total as f64 / count as f64;
    vocab
        .counts()
        .map(|count| ratio(count).sqrt() + ratio(count))
        .collect()
}

/// The words that are kept this time, a few sentences in each chunk.
fn chunks(sentences: &[Vec<u32>], kept: &[f64], window: usize, rng: &mut StdRng) -> Vec<Chunk> {
    let (mut chunks, mut chunk) = (Vec::new(), Chunk::default());
    for (index, sentence) in sentences.iter().enumerate() {
        let words: Vec<u32> = sentence
            .iter()
            .copied()
            .filter(|&word| rng.random::<f64>() < kept[word as usize])
            .collect();
        for part in words.chunks(CHUNK).filter(|part| part.len() > 1) {
            chunk.words.extend(part);
            chunk.sentences.resize(chunk.words.len(), index);
            let reaches = part.iter().map(|_| rng.random_range(1..=window));
            chunk.reaches.extend(reaches);
        }
        if chunk.words.len() >= CHUNK {
            chunks.push(std::mem::take(&mut chunk));
        }
    }
    chunks.push(chunk);
    chunks.retain(|chunk| !chunk.words.is_empty());
    chunks
}
