//! Softmax and its kin on rows.

use lexigrad_macros::compiled;

use crate::lanes;
use crate::number::Number;
use crate::reduce::{dot_lanes, sum_lanes};
use crate::{PartKernel, for_each_part};

/// About what one exponential costs beside one addition.
const WORK_PER_ELEMENT: usize = 4;

/// The largest element; of a row without a number NaN, if one is there, else -inf.
///
/// A NaN beside numbers is passed over: it comes back in the sum of what is exponentiated, and checking here would cost as much
/// as the rest.
#[inline(always)]
pub(crate) fn row_max<T: Number>(x: &[T]) -> T {
    let larger = |max: T, x: T| if x > max { x } else { max };
    let lanes: [T; 16] = lanes::fold(x, T::neg_infinity(), larger);
    let max = lanes::combine(lanes, larger);
    if max == T::neg_infinity() {
        return x.iter().copied().find(|x| x.is_nan()).unwrap_or(max);
    }
    max
}

/// The largest element m of a row, and `ln Σ e^(x - m)`; kept apart, since their sum would lose the digits of the second.
///
/// Without a largest number they are as [`without_normaliser`] says.
#[inline(always)]
pub(crate) fn row_normaliser<T: Number>(x: &[T]) -> (T, T) {
    let max = row_max(x);
    if max.is_infinite() {
        return without_normaliser(max);
    }
    let lanes: [T; 16] = lanes::fold(x, T::zero(), |sum, x| sum + (x - max).exp_nonpositive_());
    (max, lanes::combine(lanes, |x, y| x + y).ln_())
}

/// The normaliser of a row whose largest element is infinite.
///
/// A row of -inf has no distribution: with infinity as the second term each probability is 0, and each logarithm -inf. A row that
/// holds +inf has no limit: with NaN everything is NaN, as in [`softmax`].
#[inline(always)]
pub(crate) fn without_normaliser<T: Number>(max: T) -> (T, T) {
    if max == T::neg_infinity() {
        (T::zero(), T::infinity())
    } else {
        (max, T::nan())
    }
}

/// `out = e^x / Σ e^x` for each row; zeros for a row of -inf.
#[compiled]
pub fn softmax<T: Number>(x: &[T], columns: usize, out: &mut [T]) {
    let work = columns * WORK_PER_ELEMENT;
    for_each_part(out, columns, work, &Softmax { x, columns });
}

struct Softmax<'a, T> {
    x: &'a [T],
    columns: usize,
}

impl<T: Number> PartKernel<T> for Softmax<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { x, columns } = self;
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns.max(1))) {
            let x = &x[row * columns..][..columns];
            let max = row_max(x);
            if max == T::neg_infinity() {
                out.fill(T::zero());
                continue;
            }
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - max).exp_nonpositive_();
            }
            divide_by_sum(out);
        }
    }
}

/// [`softmax`] of one row, in place.
#[inline(always)]
pub(crate) fn softmax_row<T: Number>(row: &mut [T]) {
    let max = row_max(row);
    if max == T::neg_infinity() {
        return row.fill(T::zero());
    }
    for x in row.iter_mut() {
        *x = (*x - max).exp_nonpositive_();
    }
    divide_by_sum(row);
}

/// The sum is a loop of its own: accumulators of one with an exponential in it do not stay in registers.
#[inline(always)]
fn divide_by_sum<T: Number>(row: &mut [T]) {
    let factor = sum_lanes(row).recip();
    for x in row {
        *x *= factor;
    }
}

/// `out = x - ln Σ e^x` for each row; -inf for a row of -inf.
#[compiled]
pub fn log_softmax<T: Number>(x: &[T], columns: usize, out: &mut [T]) {
    let work = columns * WORK_PER_ELEMENT;
    for_each_part(out, columns, work, &LogSoftmax { x, columns });
}

struct LogSoftmax<'a, T> {
    x: &'a [T],
    columns: usize,
}

impl<T: Number> PartKernel<T> for LogSoftmax<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { x, columns } = self;
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns.max(1))) {
            let x = &x[row * columns..][..columns];
            let (max, log_sum) = row_normaliser(x);
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (x - max) - log_sum;
            }
        }
    }
}

/// `out = ln Σ e^x`, one for each row; -inf of a row of -inf, infinity of one that holds it and no NaN.
#[compiled]
pub fn logsumexp<T: Number>(x: &[T], columns: usize, out: &mut [T]) {
    let work = columns * WORK_PER_ELEMENT;
    for_each_part(out, 1, work, &LogSumExp { x, columns });
}

struct LogSumExp<'a, T> {
    x: &'a [T],
    columns: usize,
}

impl<T: Number> PartKernel<T> for LogSumExp<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { x, columns } = self;
        for (row, out) in (first..).zip(out) {
            let x = &x[row * columns..][..columns];
            let (max, log_sum) = row_normaliser(x);
            *out = if log_sum.is_finite() {
                max + log_sum
            } else {
                let larger = |max: T, &x: &T| if x > max || x.is_nan() { x } else { max };
                x.iter().fold(T::neg_infinity(), larger)
            };
        }
    }
}

/// The function `y (g - Σ g y)` of each number of a softmax y and its cotangent g, which are one row.
#[inline(always)]
pub(crate) fn row_backward<T: Number>(y: &[T], g: &[T]) -> impl Fn(T, T) -> T + use<T> {
    let along = dot_lanes(y, g);
    move |y, g| y * (g - along)
}

/// `out = y (g - Σ g y)` for each row of a softmax y and its cotangent g.
#[compiled]
pub fn softmax_backward<T: Number>(y: &[T], grad: &[T], columns: usize, out: &mut [T]) {
    let kernel = SoftmaxBackward { y, grad, columns };
    for_each_part(out, columns, columns * 2, &kernel);
}

struct SoftmaxBackward<'a, T> {
    y: &'a [T],
    grad: &'a [T],
    columns: usize,
}

impl<T: Number> PartKernel<T> for SoftmaxBackward<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { y, grad, columns } = self;
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns.max(1))) {
            let (y, g) = (
                &y[row * columns..][..columns],
                &grad[row * columns..][..columns],
            );
            let backward = row_backward(y, g);
            for (out, (&y, &g)) in out.iter_mut().zip(y.iter().zip(g)) {
                *out = backward(y, g);
            }
        }
    }
}

/// `out = g - e^y Σ g` for each row of a log-softmax y and its cotangent g; zeros for a row of -inf.
#[compiled]
pub fn log_softmax_backward<T: Number>(y: &[T], grad: &[T], columns: usize, out: &mut [T]) {
    let kernel = LogSoftmaxBackward { y, grad, columns };
    for_each_part(out, columns, columns * WORK_PER_ELEMENT, &kernel);
}

struct LogSoftmaxBackward<'a, T> {
    y: &'a [T],
    grad: &'a [T],
    columns: usize,
}

impl<T: Number> PartKernel<T> for LogSoftmaxBackward<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { y, grad, columns } = self;
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns.max(1))) {
            let (y, g) = (
                &y[row * columns..][..columns],
                &grad[row * columns..][..columns],
            );
            if is_without_distribution(y) {
                out.fill(T::zero());
                continue;
            }
            let total = sum_lanes(g);
            for (out, (&y, &g)) in out.iter_mut().zip(y.iter().zip(g)) {
                *out = g - y.exp_nonpositive_() * total;
            }
        }
    }
}

/// Whether a log-softmax is -inf throughout. In most rows the first element already says no.
#[inline(always)]
pub fn is_without_distribution<T: Number>(y: &[T]) -> bool {
    y.iter().all(|&y| y == T::neg_infinity())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sum_to_one_and_the_logarithm_agrees() {
        for columns in [1, 2, 7, 33, 100] {
            let x: Vec<f64> = (0..columns * 3)
                .map(|i| ((i * 37) % 11) as f64 * 0.7 - 3.0)
                .collect();
            let (mut y, mut logs, mut sums) = (vec![0.0; x.len()], vec![0.0; x.len()], [0.0; 3]);
            softmax(&x, columns, &mut y);
            log_softmax(&x, columns, &mut logs);
            logsumexp(&x, columns, &mut sums);
            for (row, sum) in sums.iter().enumerate() {
                let range = row * columns..(row + 1) * columns;
                let total: f64 = x[range.clone()].iter().map(|x| x.exp()).sum();
                assert!((sum - total.ln()).abs() < 1e-12);
                for i in range {
                    assert!((y[i] - x[i].exp() / total).abs() < 1e-14);
                    assert!((logs[i] - y[i].ln()).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_row_of_minus_infinity_has_no_nan_and_a_nan_stays() {
        let mut out = [1.0_f32; 2];
        softmax(&[f32::NEG_INFINITY; 2], 2, &mut out);
        assert_eq!(out, [0.0, 0.0]);
        softmax(&[f32::NAN, 0.0], 2, &mut out);
        assert!(out.iter().all(|x| x.is_nan()));
        let mut sum = [0.0];
        logsumexp(&[f32::NEG_INFINITY; 2], 2, &mut sum);
        assert_eq!(sum, [f32::NEG_INFINITY]);
        softmax(&[1e4, -1e4], 2, &mut out);
        assert_eq!(out, [1.0, 0.0]);
    }
}
