//! Scores of candidates on the same folds.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::folds::Fold;
use crate::error::{Error, Result};

/// Up to so many folds, every way to flip the signs of the differences is counted; beyond, so many drawn ones.
const MOST_FOLDS_COUNTED: usize = 16;
const DRAWS: u64 = 100_000;

/// The scores of one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is called.
    pub name: String,
    /// A score for each fold; higher is better.
    pub scores: Vec<f64>,
}

/// Scores of candidates, each on the same folds.
///
/// ```
/// use lexigrad_text::validate::{Candidate, Comparison};
/// let candidate = |name: &str, scores: [f64; 4]| Candidate { name: name.into(), scores: scores.to_vec() };
/// let comparison = Comparison::new(vec![
///     candidate("2", [0.60, 0.62, 0.58, 0.60]),
///     candidate("8", [0.70, 0.73, 0.69, 0.70]),
///     candidate("64", [0.71, 0.72, 0.70, 0.70]),
/// ])?;
/// assert_eq!(comparison.best(), 2);
/// assert_eq!(comparison.simplest_within_one_standard_error(), 1); // in the order given, which is that of size
/// assert!(comparison.difference(0, 1).p_value <= 0.125);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    candidates: Vec<Candidate>,
}

/// How two candidates differ, fold by fold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean of the second's score less the first's.
    pub mean: f64,
    /// Standard error of that mean.
    pub standard_error: f64,
    /// How often a mean at least this far from 0 comes of the same differences with signs by chance (Fisher's permutation test,
    /// two-sided). Folds share training examples, so it is somewhat too small.
    pub p_value: f64,
}

/// Scores every candidate on every fold: `score(candidate, fold, index of the fold)`, higher being better.
///
/// # Errors
/// What `score` returns, or if a score is NaN.
pub fn cross_validate<C>(
    candidates: &[(String, C)],
    folds: &[Fold],
    mut score: impl FnMut(&C, &Fold, usize) -> Result<f64>,
) -> Result<Comparison> {
    let mut scored = Vec::with_capacity(candidates.len());
    for (name, candidate) in candidates {
        let scores = folds.iter().enumerate();
        let scores = scores.map(|(index, fold)| score(candidate, fold, index));
        scored.push(Candidate {
            name: name.clone(),
            scores: scores.collect::<Result<_>>()?,
        });
    }
    Comparison::new(scored)
}

impl Comparison {
    /// Candidates with their scores, the simplest first.
    ///
    /// # Errors
    /// If there is no candidate, they do not have equally many scores, at least two, or a score is NaN.
    pub fn new(candidates: Vec<Candidate>) -> Result<Self> {
        let folds = candidates.first().map_or(0, |first| first.scores.len());
        for Candidate { name, scores } in &candidates {
            if scores.len() != folds || folds < 2 || scores.iter().any(|score| score.is_nan()) {
                let rule = format!("each needs {} numbers", folds.max(2));
                let reason = format!("candidate {name:?} has the scores {scores:?}; {rule}");
                return Err(Error::argument("comparison", reason));
            }
        }
        if candidates.is_empty() {
            return Err(Error::argument("comparison", "no candidates"));
        }
        Ok(Self { candidates })
    }

    /// The candidates in the order given.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The mean score of a candidate.
    ///
    /// # Panics
    /// If there is no such candidate, as slices do; so do the others.
    pub fn mean(&self, candidate: usize) -> f64 {
        mean(&self.candidates[candidate].scores)
    }

    /// The standard error of the mean score: `σ / √k`, σ over the folds.
    pub fn standard_error(&self, candidate: usize) -> f64 {
        standard_error(&self.candidates[candidate].scores)
    }

    /// The candidate of the highest mean score, the first of equal ones.
    pub fn best(&self) -> usize {
        let better = |best, next| {
            if self.mean(next) > self.mean(best) {
                next
            } else {
                best
            }
        };
        (0..self.candidates.len()).fold(0, better)
    }

    /// The first candidate whose mean is at most one standard error of the best one's below it (Breiman et al. 1984): of
    /// candidates given in the order of their size, the smallest that is not clearly worse.
    pub fn simplest_within_one_standard_error(&self) -> usize {
        let best = self.best();
        let least = self.mean(best) - self.standard_error(best);
        let mut candidates = 0..self.candidates.len();
        candidates
            .find(|&candidate| self.mean(candidate) >= least)
            .unwrap_or(best)
    }

    /// How much better `second` is than `first`, by their scores on the same folds.
    pub fn difference(&self, first: usize, second: usize) -> Difference {
        let pairs = self.candidates[first]
            .scores
            .iter()
            .zip(&self.candidates[second].scores);
        let differences: Vec<f64> = pairs.map(|(first, second)| second - first).collect();
        Difference {
            mean: mean(&differences),
            standard_error: standard_error(&differences),
            p_value: sign_flip_test(&differences),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn standard_error(values: &[f64]) -> f64 {
    let (mean, count) = (mean(values), values.len() as f64);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

/// The share of ways to choose signs by which the sum is at least as far from 0.
fn sign_flip_test(differences: &[f64]) -> f64 {
    let signed_sum = |signs: &mut dyn FnMut(usize) -> bool| {
        let signed = |(place, value): (usize, &f64)| if signs(place) { -value } else { *value };
        differences.iter().enumerate().map(signed).sum::<f64>()
    };
    let observed = signed_sum(&mut |_| false).abs();
    // Sums of the same numbers in other signs may differ in their last bits.
    let is_as_far = |sum: f64| sum.abs() >= observed * (1.0 - 1e-12);
    if differences.len() <= MOST_FOLDS_COUNTED {
        let ways = 1_u64 << differences.len();
        let far = |way: &u64| is_as_far(signed_sum(&mut |place| way >> place & 1 == 1));
        return (0..ways).filter(far).count() as f64 / ways as f64;
    }
    let mut rng = StdRng::seed_from_u64(0);
    let far = |_: &u64| is_as_far(signed_sum(&mut |_| rng.random()));
    ((0..DRAWS).filter(far).count() + 1) as f64 / (DRAWS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(scores: &[&[f64]]) -> Result<Comparison> {
        let candidate = |scores: &&[f64]| Candidate {
            name: "c".into(),
            scores: scores.to_vec(),
        };
        Comparison::new(scores.iter().map(candidate).collect())
    }

    #[test]
    fn a_difference_in_every_fold_is_as_rare_as_one_way_in_two_to_the_folds() {
        let comparison = compare(&[&[0.5; 5], &[0.6, 0.7, 0.6, 0.61, 0.9]]).unwrap();
        let difference = comparison.difference(0, 1);
        assert!((difference.mean - 0.182).abs() < 1e-12);
        assert!(
            (difference.standard_error - 0.057_654_141).abs() < 1e-6,
            "{difference:?}"
        );
        assert_eq!(difference.p_value, 2.0 / 32.0);
        assert_eq!(comparison.difference(1, 1).p_value, 1.0);
    }

    #[test]
    fn many_folds_are_drawn_and_agree_with_what_is_counted() {
        let scores: Vec<f64> = (0..20).map(|i| if i < 15 { 0.1 } else { -0.1 }).collect();
        let comparison = compare(&[&[0.0; 20], &scores]).unwrap();
        // Binomial: 15 or more of 20, or 5 or fewer: 0.0414.
        let p_value = comparison.difference(0, 1).p_value;
        assert!((p_value - 0.0414).abs() < 0.003, "{p_value}");
    }

    #[test]
    fn scores_that_cannot_be_compared_are_refused() {
        assert!(compare(&[]).is_err());
        assert!(compare(&[&[0.5]]).is_err());
        assert!(compare(&[&[0.5, f64::NAN]]).is_err());
        let message = compare(&[&[0.5, 0.6], &[0.5]]).unwrap_err().to_string();
        assert_eq!(
            message,
            "comparison: candidate \"c\" has the scores [0.5]; each needs 2 numbers"
        );
    }
}
