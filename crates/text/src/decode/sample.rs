//! A token drawn by its probability.

use lexigrad_tensor::Tensor;
use rand::{Rng, RngExt};

use crate::error::{Error, Result};

/// How freely [`sample`] draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleOptions {
    /// What scores are divided by: below 1 the likely gets likelier, towards 0 it is the best token alone.
    pub temperature: f64,
    /// Draw among so many of the most likely tokens; among all, if `None`.
    pub top: Option<usize>,
}

impl Default for SampleOptions {
    /// The model's own probabilities.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top: None,
        }
    }
}

/// A token drawn from `softmax(scores / temperature)`, `scores: [V]`; a token of score -∞ is never drawn.
///
/// ```
/// use lexigrad_tensor::Tensor;
/// use lexigrad_text::decode::{SampleOptions, sample};
/// use rand::{SeedableRng, rngs::StdRng};
/// let scores = Tensor::new([0.0, 2.0, 1.0]);
/// let options = SampleOptions { top: Some(1), ..SampleOptions::default() };
/// assert_eq!(sample(&scores, &options, &mut StdRng::seed_from_u64(1))?, 1);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
///
/// # Errors
/// If the temperature is not above 0, or there is no token of a finite score.
#[track_caller]
pub fn sample(
    scores: &Tensor,
    options: &SampleOptions,
    rng: &mut (impl Rng + ?Sized),
) -> Result<u32> {
    let fail = |reason: String| Err(Error::argument("sample", reason));
    if options.temperature.is_nan() || options.temperature <= 0.0 {
        return fail(format!(
            "the temperature is {}; it must be above 0",
            options.temperature
        ));
    }
    let mut tokens: Vec<(u32, f64)> = (0..)
        .zip(scores.to_vec().into_iter().map(f64::from))
        .collect();
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1));
    tokens.truncate(options.top.unwrap_or(usize::MAX).max(1));
    let Some(&(_, best)) = tokens.first().filter(|(_, best)| best.is_finite()) else {
        return fail(format!(
            "the best of {} scores is not finite",
            scores.elements()
        ));
    };
    let weight = |score: f64| ((score - best) / options.temperature).exp();
    let whole: f64 = tokens.iter().map(|&(_, score)| weight(score)).sum();
    let mut left = rng.random::<f64>() * whole;
    let drawn = tokens.iter().find(|&&(_, score)| {
        left -= weight(score);
        left < 0.0
    });
    // Rounding may leave a little over: then it is the best.
    Ok(drawn.unwrap_or(&tokens[0]).0)
}

#[cfg(test)]
mod tests {
    use lexigrad_tensor::{MissingReason, Param, Tape};
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn tokens_come_as_often_as_they_are_likely() {
        let scores = Tensor::new([0.5_f32, 0.2, 0.3, 0.0]).ln();
        let mut rng = StdRng::seed_from_u64(3);
        let mut counts = [0_u32; 4];
        for _ in 0..20_000 {
            counts[sample(&scores, &SampleOptions::default(), &mut rng).unwrap() as usize] += 1;
        }
        for (count, wanted) in counts.iter().zip([10_000.0, 4_000.0, 6_000.0, 0.0]) {
            assert!(
                (f64::from(*count) - wanted).abs() <= 0.02 * 20_000.0 * f64::from(wanted > 0.0),
                "{counts:?}"
            );
        }
        let cold = SampleOptions {
            temperature: 0.01,
            top: None,
        };
        assert!((0..100).all(|_| sample(&scores, &cold, &mut rng).unwrap() == 0));
    }

    #[test]
    fn scores_without_a_best_are_refused() {
        let rng = &mut StdRng::seed_from_u64(1);
        let options = SampleOptions::default();
        for scores in [vec![], vec![f32::NAN, 1.0], vec![f32::NEG_INFINITY]] {
            assert!(sample(&Tensor::from(scores), &options, rng).is_err());
        }
        let cold = SampleOptions {
            temperature: 0.0,
            top: None,
        };
        assert!(sample(&Tensor::new([1.0, 2.0]), &cold, rng).is_err());
    }

    /// The scores leave the tape in the line of the caller.
    #[test]
    fn a_draw_is_a_cut_of_the_callers() {
        let weight: Param = Param::new(Tensor::new([1.0, 2.0]));
        let (rng, options) = (&mut StdRng::seed_from_u64(1), SampleOptions::default());
        let tape = Tape::new().record_cuts();
        let other = tape.watch(&Tensor::new([1.0]));
        let (token, line) = (sample(&weight.value(), &options, rng).unwrap(), line!());
        let loss = other.mul_scalar(token as f32).sum();
        let missing = tape.backward(&loss).unwrap().missing(&weight);
        let MissingReason::Cut(cuts) = &missing[0].reason else {
            panic!("{}", missing[0]);
        };
        let places = cuts
            .iter()
            .map(|cut| (cut.location.file(), cut.location.line()));
        assert_eq!(places.collect::<Vec<_>>(), [(file!(), line)]);
    }
}
