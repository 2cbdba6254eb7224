//! Rows folded in lanes: independent accumulators, enough to fill the vector units, and put together in a fixed order.

use crate::number::Number;

/// How many lanes a sum has.
pub(crate) const LANES: usize = 32;

/// `lane[i mod N] = fold(lane[i mod N], x[i])` for each number of a row.
#[inline(always)]
pub(crate) fn fold<T: Copy, const N: usize>(x: &[T], start: T, fold: impl Fn(T, T) -> T) -> [T; N] {
    let (chunks, rest) = x.as_chunks::<N>();
    let mut lanes = [start; N];
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = fold(*lane, x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = fold(*lane, x);
    }
    lanes
}

/// `lane[i mod N] = fold(lane[i mod N], x[i], y[i])` for each pair of two rows of the same length.
#[inline(always)]
pub(crate) fn fold_pairs<T: Copy, const N: usize>(
    x: &[T],
    y: &[T],
    start: T,
    fold: impl Fn(T, T, T) -> T,
) -> [T; N] {
    let (x_chunks, x_rest) = x.as_chunks::<N>();
    let (y_chunks, y_rest) = y.as_chunks::<N>();
    let mut lanes = [start; N];
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        lanes = std::array::from_fn(|i| fold(lanes[i], x[i], y[i]));
    }
    for (lane, (&x, &y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane = fold(*lane, x, y);
    }
    lanes
}

/// Sixteen lanes put together: each of the lower half with the one that stands as far into the upper half, and so on.
#[inline(always)]
pub(crate) fn combine<T: Copy>(lanes: [T; 16], fold: impl Fn(T, T) -> T + Copy) -> T {
    let lanes: [T; 8] = halve(lanes, fold);
    let lanes: [T; 4] = halve(lanes, fold);
    let [x, y] = halve(lanes, fold);
    fold(x, y)
}

/// The sum of all lanes, as [`combine`] has it.
///
/// Never inlined: else the compiler arranges the lanes of the loop for this, with shuffles at each of its steps, and some loops take
/// three times the instructions.
#[inline(never)]
pub(crate) fn sum<T: Number>(lanes: &[T; LANES]) -> T {
    let add = |x: T, y: T| x + y;
    combine(halve(*lanes, add), add)
}

#[inline(always)]
fn halve<T: Copy, const N: usize, const HALF: usize>(
    lanes: [T; N],
    fold: impl Fn(T, T) -> T,
) -> [T; HALF] {
    std::array::from_fn(|i| fold(lanes[i], lanes[i + HALF]))
}
