//! Words with a vector each.

use std::borrow::Cow;

use lexigrad_tensor::Tensor;

use super::fasttext::Subwords;
use super::words::Words;
use crate::error::{Error, Result};
use crate::vocab::Vocab;

/// A vector for each of V words: words, and numbers `[V, D]`.
///
/// ```
/// use lexigrad_text::vectors::VectorOptions;
/// let (vectors, _) = VectorOptions::default().read(b"cat 1 2\ndog 3 4\n", "a.txt")?;
/// assert_eq!((vectors.len(), vectors.dim()), (2, 2));
/// assert_eq!(vectors.get("dog"), Some(&[3.0, 4.0][..]));
/// assert_eq!(vectors.words().collect::<Vec<_>>(), ["cat", "dog"]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
///
/// gensim: `KeyedVectors`, and for a fastText model `FastTextKeyedVectors`.
#[derive(Clone, Debug)]
pub struct WordVectors {
    words: Words,
    values: Vec<f32>,
    dim: usize,
    subwords: Option<Subwords>,
}

impl WordVectors {
    /// `values` holds `dim` numbers for each word.
    pub(super) fn new(
        words: Words,
        values: Vec<f32>,
        dim: usize,
        subwords: Option<Subwords>,
    ) -> Self {
        Self {
            words,
            values,
            dim,
            subwords,
        }
    }

    /// The rows of `table: [V, D]`, which are those of the words of `vocab`.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// use lexigrad_text::{VocabOptions, vectors::WordVectors};
    /// let vocab = VocabOptions::plain().build(["cat", "dog"])?;
    /// let vectors = WordVectors::from_table(&vocab, &Tensor::new([[1.0, 2.0], [3.0, 4.0]]))?;
    /// assert_eq!(vectors.get("dog"), Some(&[3.0, 4.0][..]));
    /// # Ok::<(), lexigrad_text::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the table is not a matrix with a row for each word and a column at least, or a number is not finite.
    #[track_caller]
    pub fn from_table(vocab: &Vocab, table: &Tensor) -> Result<Self> {
        let fail = |reason: String| Error::argument("from_table", reason);
        let (&[rows, dim], values) = (&table.shape()[..], table.to_vec()) else {
            let shape = table.shape();
            return Err(fail(format!(
                "the table has shape {shape}; it must be [V, D]"
            )));
        };
        if rows != vocab.len() || dim == 0 {
            let words = vocab.len();
            let rule = "there must be a row for each word, and a number in each";
            return Err(fail(format!(
                "a table [{rows}, {dim}] for {words} words; {rule}"
            )));
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let (row, value) = (place / dim, values[place]);
            return Err(fail(format!(
                "row {row} holds {value}; numbers must be finite"
            )));
        }
        let mut words = Words::default();
        vocab.words().for_each(|word| {
            words.insert(word);
        });
        Ok(Self::new(words, values, dim, None))
    }

    /// V, how many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// D, how many numbers a vector has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The words, in the order of their rows.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter()
    }

    /// The vectors, in the order of their words.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.dim)
    }

    /// The row of a word.
    pub fn row_of(&self, word: &str) -> Option<usize> {
        self.words.find(word)
    }

    /// The vector of a word.
    pub fn get(&self, word: &str) -> Option<&[f32]> {
        Some(self.row(self.row_of(word)?))
    }

    /// The vector of a word, put together from its subwords if it has none of its own and these are of a fastText model.
    pub fn compose(&self, word: &str) -> Option<Cow<'_, [f32]>> {
        let own = self.get(word).map(Cow::Borrowed);
        own.or_else(|| Some(Cow::Owned(self.subwords.as_ref()?.compose(word)?)))
    }

    /// The subwords of a fastText model, by which unseen words have vectors too.
    pub fn subwords(&self) -> Option<&Subwords> {
        self.subwords.as_ref()
    }

    /// All numbers, `[V, D]`.
    ///
    /// # Errors
    /// None.
    pub fn table(&self) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.values, [self.len(), self.dim])?)
    }

    /// The vector at a row below [`len`](Self::len).
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dim..][..self.dim]
    }

    /// The word of a row below [`len`](Self::len).
    pub(super) fn word(&self, row: usize) -> &str {
        self.words.at(row)
    }
}
