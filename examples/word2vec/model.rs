//! Skip-gram and CBOW with negative sampling, a few sentences at a time as matrix products.
//!
//! Every pair of neighbours in a chunk of text is an element of one product of the chunk's vectors, and every word of it is told
//! apart from the same drawn words: the expected gradient is that of words drawn for each pair (Ji et al. 2016), at the cost of
//! two rows read and written for each word.

use lexigrad::nn::AliasTable;
use lexigrad::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use crate::args::Kind;

/// Words drawn at random for each chunk, which all pairs in it share.
pub const NOISE: usize = 64;

#[derive(Module)]
pub struct WordVectorModel {
    pub input: Embedding,
    output: Embedding,
}

/// Sentences one after another, with the sentence of each word.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    pub words: Vec<u32>,
    pub sentences: Vec<usize>,
}

/// How pairs are drawn.
pub struct Sampler {
    pub kind: Kind,
    pub window: usize,
    pub negatives: usize,
    /// Words by their count to the power of 3/4.
    pub noise: AliasTable,
}

impl WordVectorModel {
    /// Words start near zero, and what they are told by at zero.
    pub fn new(words: usize, dim: usize, rng: &mut impl Rng) -> Result<Self> {
        let bound = 0.5 / dim as f32;
        let table = |rows: &Tensor| -> Result<Embedding> {
            let embed = Embedding::from_pretrained(rows)?;
            embed.weight.set_requires_grad(true);
            Ok(embed)
        };
        Ok(Self {
            input: table(&Tensor::uniform([words, dim], -bound, bound, rng))?,
            output: table(&Tensor::zeros([words, dim]))?,
        })
    }

    /// `Σ -ln σ(x·y)` over neighbours, and `Σ -ln σ(-x·n)` over drawn words.
    pub fn loss(&self, chunk: &Chunk, sampler: &Sampler, rng: &mut StdRng) -> Result<Tensor> {
        let words = Ids::new(&chunk.words[..])?;
        let (x, y) = (self.input.forward(&words)?, self.output.forward(&words)?);
        let drawn: Vec<u32> = (0..NOISE).map(|_| sampler.noise.draw(rng)).collect();
        let noise = self.output.forward(&Ids::new(drawn)?)?.transpose(0, 1)?;
        let near = near(chunk, sampler.window, rng);
        let count = chunk.words.len();
        let neighbours: Vec<f32> = near.chunks(count).map(|row| row.iter().sum()).collect();
        let near = Tensor::from_slice(&near, [count, count])?;
        let sums = Tensor::from_slice(&neighbours, [count, 1])?;
        let share = sampler.negatives as f32 / NOISE as f32;
        let (told, x, pairs) = match sampler.kind {
            Kind::Skipgram => {
                let scores = x.matmul(&y.transpose(0, 1)?)?;
                (scores.log_sigmoid().mul(&near)?.sum(), x, sums)
            }
            Kind::Cbow => {
                let around = near.matmul(&x)?.div(&sums.clamp(1.0, f32::MAX)?)?;
                let scores = around.mul(&y)?.sum_keep(&[-1])?;
                let present = sums.clamp(0.0, 1.0)?;
                (scores.log_sigmoid().mul(&present)?.sum(), around, present)
            }
        };
        let apart = x.matmul(&noise)?.neg().log_sigmoid().mul(&pairs)?.sum();
        Ok(told.add(&apart.mul_scalar(share))?.neg())
    }
}

/// `[L, L]`: 1 where word j stands within the window drawn for word i, in its sentence.
fn near(chunk: &Chunk, window: usize, rng: &mut StdRng) -> Vec<f32> {
    let count = chunk.words.len();
    let mut near = vec![0.0; count * count];
    for (i, row) in near.chunks_mut(count).enumerate() {
        let reach = rng.random_range(1..=window);
        for j in i.saturating_sub(reach)..(i + reach + 1).min(count) {
            row[j] = f32::from(u8::from(i != j && chunk.sentences[i] == chunk.sentences[j]));
        }
    }
    near
}
