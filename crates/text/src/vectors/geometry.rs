//! What lies near what: cosines, neighbours, analogies, and how well they agree with people.

use lexigrad_tensor::message::quoted;

use super::table::WordVectors;
use crate::error::{Error, Result};
use crate::statistics::spearman;

/// How well cosines agree with the judgement of people.
#[derive(Clone, Debug, PartialEq)]
pub struct SimilarityCorrelation {
    /// Spearman's rank correlation of cosines and scores; `None` if fewer than two pairs are known, or one side does not vary.
    pub spearman: Option<f64>,
    /// Pairs of which both words have a vector.
    pub pairs: usize,
    /// Pairs left out, as a word of them has none.
    pub left_out: usize,
}

impl WordVectors {
    /// `cos(a, b)`, in -1..1; 0 if one is the zero vector.
    ///
    /// # Errors
    /// If a word has no vector.
    pub fn similarity(&self, a: &str, b: &str) -> Result<f64> {
        let a = self.vector_of("similarity", a)?;
        let b = self.vector_of("similarity", b)?;
        Ok(cosine(&a, &b))
    }

    /// The `n` words whose vectors have the largest cosine with that of `word`, which is not among them, the nearest first.
    ///
    /// ```
    /// use lexigrad_text::vectors::VectorOptions;
    /// let text = b"cat 1 0\ndog 4 1\ncar 0 1\n";
    /// let (vectors, _) = VectorOptions::default().read(text, "a.txt")?;
    /// assert_eq!(vectors.nearest("cat", 1)?[0].0, "dog");
    /// # Ok::<(), lexigrad_text::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the word has no vector.
    ///
    /// gensim: `most_similar`.
    pub fn nearest(&self, word: &str, n: usize) -> Result<Vec<(&str, f64)>> {
        let vector = self.vector_of("nearest", word)?;
        Ok(self.nearest_but(&vector, n, &[word]))
    }

    /// [`nearest`](Self::nearest) of a vector `[D]`.
    ///
    /// # Errors
    /// If the vector does not have D finite numbers.
    pub fn nearest_to(&self, vector: &[f32], n: usize) -> Result<Vec<(&str, f64)>> {
        if vector.len() != self.dim() || vector.iter().any(|value| !value.is_finite()) {
            let (length, dim) = (vector.len(), self.dim());
            let reason = format!("a vector of {length} numbers; it must have {dim} finite ones");
            return Err(Error::argument("nearest_to", reason));
        }
        Ok(self.nearest_but(vector, n, &[]))
    }

    /// a is to b as c is to what: the `n` words nearest to `b/|b| - a/|a| + c/|c|`, a, b and c left out (3CosAdd, Mikolov et al. 2013).
    ///
    /// ```
    /// use lexigrad_text::vectors::VectorOptions;
    /// let text = b"man 1 0 0\nking 1 0 1\nwoman 0 1 0\nqueen 0 1 1\n";
    /// let (vectors, _) = VectorOptions::default().read(text, "a.txt")?;
    /// assert_eq!(vectors.analogy("man", "king", "woman", 1)?[0].0, "queen");
    /// # Ok::<(), lexigrad_text::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a word has no vector.
    ///
    /// gensim: `most_similar(positive=[b, c], negative=[a])`.
    pub fn analogy(&self, a: &str, b: &str, c: &str, n: usize) -> Result<Vec<(&str, f64)>> {
        let mut sum = vec![0.0; self.dim()];
        for (word, sign) in [(a, -1.0), (b, 1.0), (c, 1.0)] {
            let vector = self.vector_of("analogy", word)?;
            let factor = sign / norm(&vector).max(f64::MIN_POSITIVE);
            for (sum, &value) in sum.iter_mut().zip(vector.iter()) {
                *sum += (f64::from(value) * factor) as f32;
            }
        }
        Ok(self.nearest_but(&sum, n, &[a, b, c]))
    }

    /// How the cosines of pairs go together with the scores that people gave them: WordSim-353, SimLex-999.
    ///
    /// ```
    /// use lexigrad_text::vectors::VectorOptions;
    /// let text = b"cat 1 0\ndog 4 1\ncar 0 1\n";
    /// let (vectors, _) = VectorOptions::default().read(text, "a.txt")?;
    /// let pairs = [("cat", "dog", 7.5), ("dog", "car", 2.0), ("cat", "car", 1.0), ("cat", "emu", 4.0)];
    /// let agreement = vectors.similarity_correlation(&pairs);
    /// assert_eq!((agreement.pairs, agreement.left_out), (3, 1));
    /// assert!((agreement.spearman.unwrap() - 1.0).abs() < 1e-12);
    /// # Ok::<(), lexigrad_text::Error>(())
    /// ```
    ///
    /// gensim: `evaluate_word_pairs`, which folds case; here a word must stand there as it is.
    pub fn similarity_correlation<W: AsRef<str>>(
        &self,
        pairs: &[(W, W, f64)],
    ) -> SimilarityCorrelation {
        let known = pairs.iter().filter_map(|(a, b, score)| {
            let cosine = cosine(&self.compose(a.as_ref())?, &self.compose(b.as_ref())?);
            Some((cosine, *score))
        });
        let (cosines, scores): (Vec<f64>, Vec<f64>) = known.unzip();
        SimilarityCorrelation {
            spearman: spearman(&cosines, &scores),
            pairs: cosines.len(),
            left_out: pairs.len() - cosines.len(),
        }
    }

    fn vector_of(
        &self,
        operation: &'static str,
        word: &str,
    ) -> Result<std::borrow::Cow<'_, [f32]>> {
        let reason = || Error::argument(operation, format!("{} has no vector", quoted(word)));
        self.compose(word).ok_or_else(reason)
    }

    fn nearest_but(&self, vector: &[f32], n: usize, but: &[&str]) -> Vec<(&str, f64)> {
        let mut found: Vec<(usize, f64)> = self
            .rows()
            .map(|row| cosine(vector, row))
            .enumerate()
            .filter(|&(row, _)| !but.contains(&self.word(row)))
            .collect();
        let order = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if n < found.len() {
            found.select_nth_unstable_by(n, order);
            found.truncate(n);
        }
        found.sort_unstable_by(order);
        found
            .into_iter()
            .map(|(row, cosine)| (self.word(row), cosine))
            .collect()
    }
}

/// `a · b / (|a| |b|)`, or 0 if one is zero.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let lengths = norm(a) * norm(b);
    if lengths == 0.0 {
        return 0.0;
    }
    (dot(a, b) / lengths).clamp(-1.0, 1.0)
}

fn norm(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

/// In f64, where no finite numbers overflow; with several sums, so that it is fast.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += f64::from(a) * f64::from(b);
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    sums.iter().sum::<f64>()
        + rest
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum::<f64>()
}
