//! Embeddings that start from pretrained vectors.

use std::cell::LazyCell;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;

use lexigrad_nn::{Embedding, EmbeddingConfig};
use lexigrad_tensor::Tensor;
use lexigrad_tensor::message::printable_name;
use rand::Rng;

use super::table::WordVectors;
use crate::error::{Error, Result};
use crate::vocab::Vocab;

/// What the rows of words without a vector start with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingRows {
    /// Zeros.
    Zero,
    /// Drawn evenly, each column with the mean and spread that the known rows have in it.
    Uniform,
    /// Drawn from a normal distribution, each column with the mean and spread that the known rows have in it.
    #[default]
    Normal,
}

/// Which words of a vocabulary have a vector; in one line as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// Words that stand among the vectors as they are.
    pub matched: usize,
    /// Words that stand there in another case.
    pub case_folded: usize,
    /// Words whose vector was put together from subwords of a fastText model.
    pub composed: usize,
    /// Words without a vector, in the order of their ids; the padding is not among them.
    pub missing: Vec<String>,
}

impl fmt::Display for Matching {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            matched,
            case_folded,
            composed,
            missing,
        } = self;
        let words = matched + case_folded + composed + missing.len();
        write!(formatter, "{matched} of {words} words matched")?;
        for (count, what) in [
            (*case_folded, "in another case"),
            (*composed, "from subwords"),
        ] {
            if count > 0 {
                write!(formatter, ", {count} {what}")?;
            }
        }
        write!(formatter, ", {} missing", missing.len())?;
        if let Some((first, others)) = missing.split_first() {
            let others = others.iter().take(4);
            let named = std::iter::once(first).chain(others);
            let named: Vec<_> = named.map(|word| printable_name(word)).collect();
            write!(formatter, ": {}", named.join(" "))?;
            if missing.len() > named.len() {
                write!(formatter, " ..")?;
            }
        }
        Ok(())
    }
}

impl WordVectors {
    /// An embedding with a row for each word of `vocab`: its vector; that of the same word in another case, lower case first; or
    /// the one from its subwords. The other rows are `missing`'s, and that of the padding is zero.
    ///
    /// It is frozen unless `trainable`.
    ///
    /// ```
    /// use lexigrad_text::{Vocab, vectors::{MissingRows, VectorOptions}};
    /// use rand::{SeedableRng, rngs::StdRng};
    ///
    /// let (vectors, _) = VectorOptions::default().read(b"the 1 2\ncat 3 4\n", "a.txt")?;
    /// let vocab = Vocab::from_tokens(["The", "cat", "axolotl"])?;
    /// let mut rng = StdRng::seed_from_u64(1);
    /// let (embed, matching) = vectors.embedding(&vocab, MissingRows::Normal, true, &mut rng)?;
    /// assert_eq!(*embed.weight.shape(), [5, 2]); // <pad>, <unk> and the three words
    /// assert_eq!(matching.to_string(), "1 of 4 words matched, 1 in another case, 2 missing: <unk> axolotl");
    /// # Ok::<(), lexigrad_text::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the vocabulary is empty, or none of its words has a vector whose mean and spread the missing rows could have.
    ///
    /// PyTorch: `nn.Embedding.from_pretrained` of a table put together by hand.
    pub fn embedding(
        &self,
        vocab: &Vocab,
        missing: MissingRows,
        trainable: bool,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<(Embedding, Matching)> {
        if vocab.is_empty() {
            return Err(Error::argument("embedding", "the vocabulary is empty"));
        }
        let dim = self.dim();
        let mut values = vec![0.0; vocab.len() * dim];
        let mut matching = Matching::default();
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let folded = LazyCell::new(|| self.first_by_lower_case());
        for (id, (word, row)) in vocab.words().zip(values.chunks_exact_mut(dim)).enumerate() {
            if Some(id) == vocab.padding().map(|padding| padding as usize) {
                continue;
            }
            if self.copy_vector(word, &folded, row, &mut matching) {
                known.push(id);
            } else {
                matching.missing.push(word.to_owned());
                unknown.push(id);
            }
        }
        fill(&mut values, dim, &known, &unknown, missing, rng)?;
        let config = EmbeddingConfig {
            padding_idx: vocab.padding().map(i64::from),
            ..EmbeddingConfig::new(vocab.len(), dim)
        };
        let embedding =
            config.from_pretrained(&Tensor::from_slice(&values, [vocab.len(), dim])?)?;
        embedding.weight.set_requires_grad(trainable);
        Ok((embedding, matching))
    }

    /// Copies the vector that a word has, in whatever way, and counts it; whether it has one.
    fn copy_vector(
        &self,
        word: &str,
        folded: &impl Deref<Target = HashMap<String, usize>>,
        row: &mut [f32],
        matching: &mut Matching,
    ) -> bool {
        let lower = word.to_lowercase();
        let in_other_case = || {
            let first = || folded.get(&lower).map(|&place| self.row(place));
            self.get(&lower).or_else(first)
        };
        if let Some(vector) = self.get(word) {
            matching.matched += 1;
            row.copy_from_slice(vector);
        } else if let Some(vector) = in_other_case() {
            matching.case_folded += 1;
            row.copy_from_slice(vector);
        } else if let Some(vector) = self.compose(word) {
            matching.composed += 1;
            row.copy_from_slice(&vector);
        } else {
            return false;
        }
        true
    }

    /// The first row of each word in lower case.
    fn first_by_lower_case(&self) -> HashMap<String, usize> {
        let mut first = HashMap::new();
        for (row, word) in self.words().enumerate() {
            first.entry(word.to_lowercase()).or_insert(row);
        }
        first
    }
}

/// Fills the rows `unknown` of a table of which the rows `known` have their numbers.
fn fill(
    values: &mut [f32],
    dim: usize,
    known: &[usize],
    unknown: &[usize],
    missing: MissingRows,
    rng: &mut (impl Rng + ?Sized),
) -> Result<()> {
    // Numbers of mean 0 and variance 1.
    let (shape, edge) = ([unknown.len(), dim], 3.0_f32.sqrt());
    let standard = match missing {
        MissingRows::Zero => return Ok(()),
        MissingRows::Uniform => Tensor::try_uniform(shape, -edge, edge, rng)?,
        MissingRows::Normal => Tensor::try_normal(shape, 0.0, 1.0, rng)?,
    };
    if known.is_empty() && !unknown.is_empty() {
        let reason = "no word of the vocabulary has a vector, so there is no mean and spread for missing rows";
        return Err(Error::argument("embedding", reason));
    }
    for column in 0..dim {
        let numbers = || {
            known
                .iter()
                .map(|row| f64::from(values[row * dim + column]))
        };
        let mean = numbers().sum::<f64>() / known.len() as f64;
        let squares: f64 = numbers().map(|number| (number - mean).powi(2)).sum();
        let (mean, spread) = (mean as f32, (squares / known.len() as f64).sqrt() as f32);
        for (row, standard) in unknown.iter().zip(standard.values().chunks_exact(dim)) {
            values[row * dim + column] = mean + spread * standard[column];
        }
    }
    Ok(())
}
