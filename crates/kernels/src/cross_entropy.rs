//! Cross-entropy of rows of logits with a class label each.

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::reduce::sum_lanes;
use crate::softmax::{row_normaliser, without_normaliser};
use crate::{PartKernel, for_each_part};

/// `loss = w ((1 - s) (L - x[t]) + s (L - mean x))`, `L = ln Σ e^x`, for each row; exactly 0 where the weight w is 0.
///
/// Without weights each is 1. Of each row L is kept for the backward pass, as its two terms: the largest logit and `ln Σ e^(x - largest)`.
#[compiled]
pub fn cross_entropy<T: Number>(
    logits: &[T],
    classes: usize,
    targets: &[u32],
    weights: Option<&[T]>,
    smoothing: T,
    losses: &mut [T],
    normalisers: &mut [(T, T)],
) {
    let kernel = Normalisers {
        logits,
        classes,
        weights,
    };
    for_each_part(normalisers, 1, classes * 4, &kernel);
    for (row, loss) in losses.iter_mut().enumerate() {
        let weight = weights.map_or(T::one(), |weights| weights[row]);
        if weight == T::zero() {
            *loss = T::zero();
            continue;
        }
        let x = &logits[row * classes..(row + 1) * classes];
        let (max, log_sum) = normalisers[row];
        let mut error = (max - x[targets[row] as usize]) + log_sum;
        if smoothing != T::zero() {
            let mean = sum_lanes(x) / T::from_f64(classes as f64) - max;
            error = (T::one() - smoothing) * error + smoothing * (log_sum - mean);
        }
        *loss = weight * error;
    }
}

/// Up to so many classes vectors would be filled for the most part with nothing.
const FEW_CLASSES: usize = 4;

/// [`row_normaliser`], number by number.
#[inline(always)]
fn short_row_normaliser<T: Number>(x: &[T]) -> (T, T) {
    let larger = |max: T, &x: &T| if x > max || x.is_nan() { x } else { max };
    let max = x.iter().fold(T::neg_infinity(), larger);
    if max.is_infinite() {
        return without_normaliser(max);
    }
    let sum = x
        .iter()
        .fold(T::zero(), |sum, &x| sum + (x - max).exp_nonpositive_());
    (max, sum.ln_())
}

struct Normalisers<'a, T> {
    logits: &'a [T],
    classes: usize,
    weights: Option<&'a [T]>,
}

impl<T: Number> PartKernel<(T, T)> for Normalisers<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [(T, T)]) {
        let &Self {
            logits,
            classes,
            weights,
        } = self;
        for (row, out) in (first..).zip(out) {
            if weights.is_none_or(|weights| weights[row] != T::zero()) {
                let x = &logits[row * classes..(row + 1) * classes];
                *out = if classes <= FEW_CLASSES {
                    short_row_normaliser(x)
                } else {
                    row_normaliser(x)
                };
            }
        }
    }
}

/// What the backward pass reads, row by row.
pub struct Forward<'a, T> {
    /// `[rows, classes]`
    pub logits: &'a [T],
    /// How many classes there are.
    pub classes: usize,
    /// The class of each row.
    pub targets: &'a [u32],
    /// The weight of each row times its cotangent.
    pub weights: &'a [T],
    /// s
    pub smoothing: T,
    /// The largest number of each row, and `ln Σ e^(x - max)`.
    pub normalisers: &'a [(T, T)],
}

/// `out = w (softmax x - (1 - s) onehot t - s / C)`; zeros where w is 0, and for a row of -inf.
#[compiled]
pub fn cross_entropy_backward<T: Number>(forward: &Forward<'_, T>, out: &mut [T]) {
    let classes = forward.classes;
    for_each_part(out, classes, classes * 4, forward);
}

impl<T: Number> PartKernel<T> for Forward<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let classes = self.classes;
        let spread = self.smoothing / T::from_f64(classes as f64);
        for (row, out) in (first..).zip(out.chunks_exact_mut(classes.max(1))) {
            let weight = self.weights[row];
            let (max, log_sum) = self.normalisers[row];
            if weight == T::zero() || log_sum == T::infinity() {
                out.fill(T::zero());
                continue;
            }
            let x = &self.logits[row * classes..(row + 1) * classes];
            for (out, &x) in out.iter_mut().zip(x) {
                *out = weight * (((x - max) - log_sum).exp_nonpositive_() - spread);
            }
            out[self.targets[row] as usize] -= weight * (T::one() - self.smoothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_row_is_nothing_whatever_it_holds() {
        let logits = [f32::NAN, f32::INFINITY, 1.0, 1.0];
        let (mut losses, mut sums, mut gradient) = ([9.0; 2], [(9.0, 9.0); 2], [9.0; 4]);
        cross_entropy(
            &logits,
            2,
            &[77, 0],
            Some(&[0.0, 1.0]),
            0.0,
            &mut losses,
            &mut sums,
        );
        assert_eq!(losses[0], 0.0);
        assert!((losses[1] - 2.0_f32.ln()).abs() < 1e-6);
        let forward = Forward {
            logits: &logits,
            classes: 2,
            targets: &[77, 0],
            weights: &[0.0, 1.0],
            smoothing: 0.0,
            normalisers: &sums,
        };
        cross_entropy_backward(&forward, &mut gradient);
        assert_eq!(gradient[..2], [0.0, 0.0]);
        assert!((gradient[2] + 0.5).abs() < 1e-6 && (gradient[3] - 0.5).abs() < 1e-6);
    }
}
