//! Sums and extrema, with several accumulators in a fixed order.

use lexigrad_macros::compiled;

use crate::lanes::{self, LANES};
use crate::number::Number;
use crate::{Kernel, PartKernel, dispatch, for_each_part, is_worth_sharing, share, threads};

/// Long sums are cut into blocks of this size, whose sums are added in order.
const BLOCK: usize = 1 << 14;

/// `Σ x` of a block or row.
#[inline(always)]
pub(crate) fn sum_lanes<T: Number>(x: &[T]) -> T {
    lanes::sum(&lanes::fold(x, T::zero(), |sum, x| sum + x))
}

/// `Σ x y` for two rows of the same length.
#[inline(always)]
pub(crate) fn dot_lanes<T: Number>(x: &[T], y: &[T]) -> T {
    lanes::sum(&lanes::fold_pairs(x, y, T::zero(), |sum, x, y| sum + x * y))
}

struct Sum<'a, T>(&'a [T]);

impl<T: Number> Kernel for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        sum_lanes(self.0)
    }
}

struct SumOfSquares<'a, T>(&'a [T]);

impl<T: Number> Kernel for SumOfSquares<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        dot_lanes(self.0, self.0)
    }
}

/// `Σ x`
#[compiled]
pub fn sum<T: Number>(x: &[T]) -> T {
    sum_blocks(x, |block| dispatch(Sum(block)))
}

/// `Σ x²`
#[compiled]
pub fn sum_of_squares<T: Number>(x: &[T]) -> T {
    sum_blocks(x, |block| dispatch(SumOfSquares(block)))
}

fn sum_blocks<T: Number>(x: &[T], block_sum: impl Fn(&[T]) -> T + Sync + Send) -> T {
    if !is_worth_sharing(x.len()) {
        let sums = x.chunks(BLOCK).map(block_sum);
        return sums.fold(T::zero(), |sum, block| sum + block);
    }
    let block = |index: usize| &x[index * BLOCK..x.len().min((index + 1) * BLOCK)];
    let sums = threads::map(x.len().div_ceil(BLOCK), |index| block_sum(block(index)));
    sums.into_iter().fold(T::zero(), |sum, block| sum + block)
}

/// `out[o, i] = Σ x[o, a, i]`, `x: [outer, axis, inner]`
#[compiled]
pub fn sum_axis<T: Number>(x: &[T], outer: usize, axis: usize, inner: usize, out: &mut [T]) {
    debug_assert_eq!(x.len(), outer * axis * inner);
    if inner == 1 {
        return for_each_part(out, 1, axis, &SumRows { x, axis });
    }
    let add = |sum, x| sum + x;
    let rows = rows_of_a_block(inner);
    if axis <= rows || inner == 0 {
        return fold_axis(x, axis, inner, out, T::zero(), add);
    }
    let blocks = axis.div_ceil(rows);
    let mut sums = vec![T::zero(); outer * blocks * inner];
    let parts = x.chunks(axis * inner).flat_map(|x| x.chunks(rows * inner));
    share(sums.chunks_mut(inner).zip(parts), x.len(), |(sum, x)| {
        fold_axis(x, x.len() / inner, inner, sum, T::zero(), add);
    });
    fold_axis(&sums, blocks, inner, out, T::zero(), add);
}

/// How many rows are summed into one before the sums are summed: so many that those cost little.
pub(crate) fn rows_of_a_block(columns: usize) -> usize {
    (BLOCK / columns.max(1)).max(16)
}

struct SumRows<'a, T> {
    x: &'a [T],
    axis: usize,
}

impl<T: Number> PartKernel<T> for SumRows<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { x, axis } = self;
        for (row, out) in (first..).zip(out) {
            *out = sum_lanes(&x[row * axis..(row + 1) * axis]);
        }
    }
}

/// `out[o, i] = max x[o, a, i]`; NaN if there is one.
#[compiled]
pub fn max_axis<T: Number>(x: &[T], outer: usize, axis: usize, inner: usize, out: &mut [T]) {
    debug_assert_eq!(x.len(), outer * axis * inner);
    fold_axis(x, axis, inner, out, T::neg_infinity(), |max, x| {
        if x > max || x.is_nan() { x } else { max }
    });
}

/// `out[o, i] = min x[o, a, i]`; NaN if there is one.
#[compiled]
pub fn min_axis<T: Number>(x: &[T], outer: usize, axis: usize, inner: usize, out: &mut [T]) {
    debug_assert_eq!(x.len(), outer * axis * inner);
    fold_axis(x, axis, inner, out, T::infinity(), |min, x| {
        if x < min || x.is_nan() { x } else { min }
    });
}

/// Folds the middle axis in order, whole rows of `inner` at a time.
fn fold_axis<T: Number>(
    x: &[T],
    axis: usize,
    inner: usize,
    out: &mut [T],
    start: T,
    fold: impl Fn(T, T) -> T + Sync + Copy,
) {
    if inner == 1 {
        let kernel = FoldRows {
            x,
            axis,
            start,
            fold,
        };
        return for_each_part(out, 1, axis, &kernel);
    }
    let kernel = Fold {
        x,
        axis,
        inner,
        start,
        fold,
    };
    for_each_part(out, inner, axis * inner, &kernel);
}

/// Folds whole rows, lane by lane; for a fold whose order does not matter.
struct FoldRows<'a, T, F> {
    x: &'a [T],
    axis: usize,
    start: T,
    fold: F,
}

impl<T: Number, F: Fn(T, T) -> T + Sync + Copy> PartKernel<T> for FoldRows<'_, T, F> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self {
            x,
            axis,
            start,
            fold,
        } = self;
        for (row, out) in (first..).zip(out) {
            let x = &x[row * axis..(row + 1) * axis];
            let lanes: [T; LANES] = lanes::fold(x, start, fold);
            *out = lanes.into_iter().fold(start, fold);
        }
    }
}

struct Fold<'a, T, F> {
    x: &'a [T],
    axis: usize,
    inner: usize,
    start: T,
    fold: F,
}

impl<T: Number, F: Fn(T, T) -> T + Sync + Copy> PartKernel<T> for Fold<'_, T, F> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self {
            x,
            axis,
            inner,
            start,
            fold,
        } = self;
        for (o, out) in (first..).zip(out.chunks_exact_mut(inner.max(1))) {
            out.fill(start);
            let block = &x[o * axis * inner..(o + 1) * axis * inner];
            for row in block.chunks_exact(inner) {
                for (out, &x) in out.iter_mut().zip(row) {
                    *out = fold(*out, x);
                }
            }
        }
    }
}

/// The index along the middle axis of its largest element, the first of equal ones; NaN counts as largest.
#[compiled]
pub fn argmax_axis<T: Number>(x: &[T], outer: usize, axis: usize, inner: usize, out: &mut [u32]) {
    for o in 0..outer {
        for i in 0..inner {
            let at = |a: usize| x[(o * axis + a) * inner + i];
            let mut best = 0;
            for a in 1..axis {
                let (found, held) = (at(a), at(best));
                if !held.is_nan() && (found > held || found.is_nan()) {
                    best = a;
                }
            }
            out[o * inner + i] = best as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PARALLEL_WORK, assert_same_bits};

    #[test]
    fn sums_are_right_for_every_length() {
        for length in [0, 1, 7, 31, 32, 33, 1000, BLOCK + 5, PARALLEL_WORK + 3] {
            let x: Vec<f64> = (0..length).map(|i| (i % 7) as f64).collect();
            assert_eq!(sum(&x), x.iter().sum::<f64>());
            assert_eq!(dot_lanes(&x, &x), x.iter().map(|x| x * x).sum::<f64>());
        }
    }

    #[test]
    fn each_axis_is_reduced() {
        let x: Vec<f32> = (0..24).map(|i| ((i * 7) % 24) as f32).collect();
        for (outer, axis, inner) in [(1, 24, 1), (2, 3, 4), (6, 4, 1), (1, 2, 12), (24, 1, 1)] {
            let at = |o: usize, a: usize, i: usize| x[(o * axis + a) * inner + i];
            let (mut sums, mut largest) = (vec![0.0; outer * inner], vec![0.0; outer * inner]);
            let (mut smallest, mut winners) = (vec![0.0; outer * inner], vec![0; outer * inner]);
            sum_axis(&x, outer, axis, inner, &mut sums);
            max_axis(&x, outer, axis, inner, &mut largest);
            min_axis(&x, outer, axis, inner, &mut smallest);
            argmax_axis(&x, outer, axis, inner, &mut winners);
            for o in 0..outer {
                for i in 0..inner {
                    let column: Vec<f32> = (0..axis).map(|a| at(o, a, i)).collect();
                    let index = o * inner + i;
                    assert_eq!(sums[index], column.iter().sum::<f32>());
                    assert_eq!(
                        largest[index],
                        column.iter().copied().fold(f32::MIN, f32::max)
                    );
                    assert_eq!(
                        smallest[index],
                        column.iter().copied().fold(f32::MAX, f32::min)
                    );
                    assert_eq!(column[winners[index] as usize], largest[index]);
                }
            }
        }
    }

    #[test]
    fn the_extremes_of_a_row_are_found_wherever_they_stand() {
        for length in [1, 7, 31, 32, 33, 64, 100] {
            for place in 0..length {
                let at_place = |value| {
                    let mut row = vec![0.5_f32; length];
                    row[place] = value;
                    let (mut largest, mut smallest) = ([0.0], [0.0]);
                    max_axis(&row, 1, length, 1, &mut largest);
                    min_axis(&row, 1, length, 1, &mut smallest);
                    (largest[0], smallest[0])
                };
                assert_eq!(at_place(2.0).0, 2.0);
                assert_eq!(at_place(-2.0).1, -2.0);
                let (largest, smallest) = at_place(f32::NAN);
                assert!(largest.is_nan() && smallest.is_nan());
            }
        }
    }

    #[test]
    fn long_columns_are_summed_in_blocks() {
        let (outer, axis, inner) = (2, 40_000, 3);
        let x: Vec<f64> = (0..outer * axis * inner).map(|i| (i % 5) as f64).collect();
        let mut sums = vec![0.0; outer * inner];
        sum_axis(&x, outer, axis, inner, &mut sums);
        for (index, &sum) in sums.iter().enumerate() {
            let column = x[index / inner * axis * inner + index % inner..].iter();
            let expected: f64 = column.step_by(inner).take(axis).sum();
            assert_eq!(sum, expected);
        }
    }

    #[test]
    fn a_nan_wins() {
        let mut out = [0.0];
        max_axis(&[1.0, f32::NAN, 2.0], 1, 3, 1, &mut out);
        assert!(out[0].is_nan());
        let mut winner = [0];
        argmax_axis(&[1.0, f32::NAN, 2.0], 1, 3, 1, &mut winner);
        assert_eq!(winner, [1]);
    }

    #[test]
    fn threads_never_change_the_bits() {
        let x: Vec<f32> = (0..PARALLEL_WORK * 3).map(|i| (i as f32).sin()).collect();
        assert_same_bits(|| {
            let mut out = vec![0.0; x.len() / 3];
            sum_axis(&x, x.len() / 3, 3, 1, &mut out);
            out.push(sum(&x));
            for inner in [2, 96] {
                let mut columns = vec![0.0; inner];
                sum_axis(&x, 1, x.len() / inner, inner, &mut columns);
                out.extend(columns);
            }
            out
        });
    }
}
