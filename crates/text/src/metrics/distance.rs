//! How far a produced sequence is from the one that was wanted.

use std::collections::HashMap;
use std::hash::Hash;

/// The least number of tokens to insert, delete or exchange to make one sequence of the other (Levenshtein 1965).
///
/// ```
/// use lexigrad_text::metrics::edit_distance;
/// assert_eq!(edit_distance(b"kitten", b"sitting"), 3);
/// ```
pub fn edit_distance<T: PartialEq>(from: &[T], to: &[T]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, token) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let exchanged = diagonal + usize::from(token != other);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

/// `Σ edit distance / Σ reference length`, and the share of sequences that are right: word, phone or character error rates.
///
/// ```
/// use lexigrad_text::metrics::ErrorRate;
/// let mut phones = ErrorRate::default();
/// phones.add(&["K", "AE1", "T"], &[&["K", "AE1", "T"][..]]);
/// phones.add(&["D", "AO1"], &[&["D", "AO1", "G"][..], &["D", "AA1", "G"][..]]);
/// assert_eq!((phones.accuracy(), phones.rate()), (0.5, 1.0 / 6.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorRate {
    sequences: u64,
    right: u64,
    edits: u64,
    tokens: u64,
}

impl ErrorRate {
    /// Counts a sequence in, against the nearest of its references; without a reference, every token of it is an edit.
    pub fn add<T: PartialEq>(&mut self, found: &[T], references: &[&[T]]) {
        let distance = |reference: &&[T]| (edit_distance(found, reference), reference.len());
        let nearest = references.iter().map(distance).min();
        let (edits, tokens) = nearest.unwrap_or((found.len(), 0));
        self.sequences += 1;
        self.right += u64::from(edits == 0 && !references.is_empty());
        self.edits += edits as u64;
        self.tokens += tokens as u64;
    }

    /// Edits for each token of the references; 0 of none.
    pub fn rate(self) -> f64 {
        self.edits as f64 / self.tokens.max(1) as f64
    }

    /// The share of sequences that equal one of their references; 0 of none.
    pub fn accuracy(self) -> f64 {
        self.right as f64 / self.sequences.max(1) as f64
    }

    /// How many sequences were counted.
    pub fn sequences(self) -> u64 {
        self.sequences
    }
}

/// `BP · exp(¼ Σ ln pₙ)`, n = 1..4: the BLEU of a corpus, 0..1, one reference for each candidate (Papineni et al. 2002).
///
/// pₙ is the share of the candidates' runs of n tokens that occur in their reference, each as often at most as there; BP =
/// exp(1 - r/c) for candidates shorter in sum than references. Without smoothing, as in the paper: 0 where no run of four fits.
/// `sacrebleu` gives 100 times this, of tokens cut its own way. Surplus candidates or references are left out.
///
/// ```
/// use lexigrad_text::metrics::bleu;
/// let text: Vec<&str> = "the cat sat on the mat".split(' ').collect();
/// assert_eq!(bleu(&[&text[..]], &[&text[..]]), 1.0);
/// assert!(bleu(&[&text[..5]], &[&text[..]]) < 0.9);
/// ```
pub fn bleu<T: Eq + Hash>(candidates: &[&[T]], references: &[&[T]]) -> f64 {
    let pairs = || candidates.iter().zip(references);
    let mut sum_of_logarithms = 0.0;
    for n in 1..=4 {
        let (mut fitting, mut all) = (0, 0);
        for (candidate, reference) in pairs() {
            let available = runs(reference, n);
            for (run, count) in runs(candidate, n) {
                fitting += count.min(available.get(run).copied().unwrap_or(0));
                all += count;
            }
        }
        if fitting == 0 {
            return 0.0;
        }
        sum_of_logarithms += (fitting as f64 / all as f64).ln();
    }
    let found: usize = pairs().map(|(candidate, _)| candidate.len()).sum();
    let wanted: usize = pairs().map(|(_, reference)| reference.len()).sum();
    let brevity = (1.0 - wanted as f64 / found as f64).min(0.0);
    (brevity + sum_of_logarithms / 4.0).exp()
}

fn runs<T: Eq + Hash>(tokens: &[T], n: usize) -> HashMap<&[T], usize> {
    let mut counts = HashMap::new();
    for run in tokens.windows(n) {
        *counts.entry(run).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bleu_of_the_papers_kind() {
        let tokens = |text: &'static str| text.split(' ').collect::<Vec<_>>();
        let reference = tokens("the cat is on the mat");
        // Clipped: of seven "the", two are in the reference, and no run of two is.
        assert_eq!(
            bleu(
                &[&tokens("the the the the the the the")[..]],
                &[&reference[..]]
            ),
            0.0
        );
        // 5 of 6 words, 4 of 5 pairs, 3 of 4 threes, 2 of 3 fours, as long as the reference.
        let found = bleu(&[&tokens("a cat is on the mat")[..]], &[&reference[..]]);
        let expected = (5.0 / 6.0 * 4.0 / 5.0 * 3.0 / 4.0 * 2.0 / 3.0_f64).powf(0.25);
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        // The whole corpus is counted before it is divided.
        let short = bleu(&[&reference[..4]], &[&reference[..]]);
        assert!(
            (short - (1.0 - 6.0 / 4.0_f64).exp()).abs() < 1e-12,
            "{short}"
        );
        assert_eq!(bleu::<u32>(&[], &[]), 0.0);
    }

    proptest! {
        #[test]
        fn edit_distance_is_a_metric(
            a in prop::collection::vec(0u8..3, 0..8),
            b in prop::collection::vec(0u8..3, 0..8),
            c in prop::collection::vec(0u8..3, 0..8),
        ) {
            let distance = edit_distance(&a, &b);
            prop_assert_eq!(distance, edit_distance(&b, &a));
            prop_assert_eq!(distance == 0, a == b);
            prop_assert!(distance >= a.len().abs_diff(b.len()) && distance <= a.len().max(b.len()));
            prop_assert!(edit_distance(&a, &c) <= distance + edit_distance(&b, &c));
        }
    }
}
