//! A bidirectional LSTM under a conditional random field (Huang et al. 2015), over words and their letters.

use lexigrad::nn::LinearChainCrf;
use lexigrad::prelude::*;
use lexigrad_text::batch::Padded;
use rand::Rng;

/// Rows that the beginnings and endings of all words share.
pub const BUCKETS: u32 = 1 << 16;
const WORD_DIM: usize = 100;
const LETTERS_DIM: usize = 64;
/// The most letters in a beginning or an ending.
const LONGEST_AFFIX: usize = 5;

#[derive(Module)]
pub struct Tagger {
    words: Embedding,
    letters: EmbeddingBag,
    word_dropout: WordDropout,
    dropout: Dropout,
    lstm: Lstm,
    out: Linear,
    crf: LinearChainCrf,
}

/// Sentences side by side, with the affixes of each word.
pub struct Batch {
    pub words: Padded,
    pub letters: Bags,
    pub tags: Padded,
}

impl Tagger {
    pub fn new(words: usize, tags: usize, hidden: usize, rng: &mut impl Rng) -> Result<Self> {
        let table = |rows, dim, rng: &mut _| Tensor::uniform([rows, dim], -0.1, 0.1, rng);
        let embed = Embedding::from_pretrained(&table(words, WORD_DIM, rng))?;
        let letters = EmbeddingBag::from_pretrained(&table(BUCKETS as usize, LETTERS_DIM, rng))?;
        embed.weight.set_requires_grad(true);
        letters.weight.set_requires_grad(true);
        let config = RecurrentConfig {
            bidirectional: true,
            batch_first: true,
            ..RecurrentConfig::new(WORD_DIM + LETTERS_DIM, hidden)
        };
        Ok(Self {
            words: embed,
            letters,
            // A word that is dropped is known by its letters and its neighbours alone, as unseen words are.
            word_dropout: WordDropout::new(0.1)?,
            dropout: Dropout::new(0.4)?,
            lstm: config.lstm(rng)?,
            out: Linear::new(2 * hidden, tags, rng),
            crf: LinearChainCrf::new(tags, rng),
        })
    }

    /// A score for each tag of each word: `[B, L, tags]`.
    fn scores(&self, words: &Padded, letters: &Bags) -> Result<Tensor> {
        let [batch, length] = [words.ids.shape()[0], words.ids.shape()[1]];
        let embedded = self
            .word_dropout
            .forward(&self.words.forward(&words.ids)?, &words.ids)?;
        let letters = self
            .letters
            .forward(letters)?
            .reshape([batch, length, LETTERS_DIM])?;
        let x = self.dropout.forward(&cat(&[&embedded, &letters], -1)?)?;
        let (states, _) = self.lstm.forward_with(&x, Some(&words.lengths), None)?;
        self.out.forward(&self.dropout.forward(&states)?)
    }

    /// `-Σ ln p(tags | words)`.
    pub fn loss(&self, batch: &Batch) -> Result<Tensor> {
        let scores = self.scores(&batch.words, &batch.letters)?;
        let likelihood = self
            .crf
            .log_likelihood(&scores, &batch.tags.ids, &batch.words.lengths)?;
        Ok(likelihood.sum().neg())
    }

    /// The most likely tags of each sentence.
    pub fn tag(&self, words: &Padded, letters: &Bags) -> Result<Vec<Vec<u32>>> {
        let best = self
            .crf
            .viterbi(&self.scores(words, letters)?, &words.lengths)?;
        Ok(best.into_iter().map(|path| path.tags).collect())
    }
}

/// The beginnings and endings of a word, of up to five letters each; the whole word's edges are marked.
pub fn affixes(word: &str) -> Vec<String> {
    let marked = format!("<{word}>");
    let ends: Vec<usize> = marked
        .char_indices()
        .map(|(place, _)| place)
        .chain([marked.len()])
        .collect();
    let letters = ends.len() - 1;
    let mut affixes = Vec::new();
    for count in 2..=(LONGEST_AFFIX + 1).min(letters) {
        affixes.push(marked[..ends[count]].to_owned());
        affixes.push(marked[ends[letters - count]..].to_owned());
    }
    affixes
}
