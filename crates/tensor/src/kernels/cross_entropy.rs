//! Cross-entropy of rows of logits with a class label each.

use super::for_each_part;
use super::reduce::sum_lanes;
use super::softmax::row_normaliser;
use crate::element::Element;

/// `loss = w ((1 - s) (L - x[t]) + s (L - mean x))`, `L = ln Σ e^x`, for each row; exactly 0 where the weight w is 0.
///
/// Of each row L is kept for the backward pass, as its two terms: the largest logit and `ln Σ e^(x - largest)`.
pub(crate) fn cross_entropy<T: Element>(
    logits: &[T],
    classes: usize,
    targets: &[u32],
    weights: &[T],
    smoothing: T,
    losses: &mut [T],
    normalisers: &mut [(T, T)],
) {
    for_each_part(normalisers, 1, classes * 4, |first, out| {
        for (row, out) in (first..).zip(out) {
            if weights[row] != T::zero() {
                *out = row_normaliser(&logits[row * classes..(row + 1) * classes]);
            }
        }
    });
    for (row, loss) in losses.iter_mut().enumerate() {
        if weights[row] == T::zero() {
            *loss = T::zero();
            continue;
        }
        let x = &logits[row * classes..(row + 1) * classes];
        let (max, log_sum) = normalisers[row];
        let mut error = (max - x[targets[row] as usize]) + log_sum;
        if smoothing != T::zero() {
            let mean = sum_lanes(x, |x| x - max) / T::from_f64(classes as f64);
            error = (T::one() - smoothing) * error + smoothing * (log_sum - mean);
        }
        *loss = weights[row] * error;
    }
}

/// `out = w (softmax x - (1 - s) onehot t - s / C)`, where w is the row's weight times its cotangent; zeros where w is 0.
pub(crate) fn cross_entropy_backward<T: Element>(
    logits: &[T],
    classes: usize,
    targets: &[u32],
    weights: &[T],
    smoothing: T,
    normalisers: &[(T, T)],
    out: &mut [T],
) {
    let spread = smoothing / T::from_f64(classes as f64);
    for_each_part(out, classes, classes * 4, |first, out| {
        for (row, out) in (first..).zip(out.chunks_exact_mut(classes.max(1))) {
            let weight = weights[row];
            if weight == T::zero() {
                out.fill(T::zero());
                continue;
            }
            let (max, log_sum) = normalisers[row];
            let x = &logits[row * classes..(row + 1) * classes];
            for (out, &x) in out.iter_mut().zip(x) {
                *out = weight * (((x - max) - log_sum).exp_() - spread);
            }
            out[targets[row] as usize] -= weight * (T::one() - smoothing);
        }
    });
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
            &[0.0, 1.0],
            0.0,
            &mut losses,
            &mut sums,
        );
        assert_eq!(losses[0], 0.0);
        assert!((losses[1] - 2.0_f32.ln()).abs() < 1e-6);
        cross_entropy_backward(&logits, 2, &[77, 0], &[0.0, 1.0], 0.0, &sums, &mut gradient);
        assert_eq!(gradient[..2], [0.0, 0.0]);
        assert!((gradient[2] + 0.5).abs() < 1e-6 && (gradient[3] - 0.5).abs() < 1e-6);
    }
}
