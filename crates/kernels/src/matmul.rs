//! Matrix products: the `gemm` crate behind one function, and a plain loop for products so small that calling it costs more.

#![allow(unsafe_code)]

use gemm::Parallelism;
use lexigrad_macros::compiled;

use crate::number::Number;
use crate::storage::Storage;
use crate::transpose::transpose;
use crate::view::Matrix;
use crate::{Kernel, PARALLEL_PRODUCTS, dispatch, repetitions, threads};

/// Up to so many multiplications a plain loop is faster: `gemm` takes a third of a microsecond to start.
const SMALL: usize = 128;

/// From so many multiplications on a right operand that stands in columns is turned first, since `gemm` reads it at half the speed;
/// but not for a left operand of few rows, when turning it takes longer than the product.
const TURNED: usize = 1 << 20;
const FEW_ROWS: usize = 16;

/// Up to so many numbers of a right operand each thread turns for itself.
const OWN_COPY: usize = 1 << 18;

/// Numbers of a left operand that stand a multiple of this apart fall on the same few places of the cache: 4 KiB of `f32`.
const PAGE: usize = 1 << 10;

/// `out (+)= a b`, `a: [m, k]`, `b: [k, n]`, `out: [m, n]`; adds if `accumulate`.
///
/// The result comes with the distance between its rows, at least n: row i begins at `i * distance`, and what is between the rows stays.
///
/// Threads share the rows and columns of the result, never the sum over k, so that their number does not change the bits.
#[compiled]
pub fn product<T: Number>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    (out, row): (&mut [T], usize),
    accumulate: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= row, "the rows of the result overlap");
    if k == 0 {
        if !accumulate {
            let rows = out.chunks_mut(row).take(m);
            rows.for_each(|row| row[..n].fill(T::zero()));
        }
        return;
    }
    if repetitions(&[m, k, n]) <= SMALL {
        return dispatch(Small {
            sizes: [m, k, n],
            a,
            b,
            out,
            row,
            accumulate,
        });
    }
    if flips([m, k, n], a.strides, b.strides) && row == n {
        return flipped([m, k, n], a, b, out, accumulate);
    }
    if is_turned([m, k, n], b.strides) {
        return turned([m, k, n], a, b, (out, row), accumulate);
    }
    multiply([m, k, n], a, b, (out, row), accumulate);
}

/// Whether the right operand stands in columns and is turned first: `gemm` reads it at half the speed. Columns that overlap are not:
/// a copy of them would be larger than the operand.
fn is_turned([m, k, n]: [usize; 3], b: [usize; 2]) -> bool {
    let in_columns = b[0] == 1 && b[1] >= k.max(2) && n > 1;
    in_columns && m >= FEW_ROWS && repetitions(&[m, k, n]) >= TURNED
}

/// Whether `outᵀ = bᵀ aᵀ` is faster: b is column-major and larger than the other operands, or the columns of a are a multiple of 4 KiB
/// apart, which `gemm` packs slowly.
fn flips([m, k, n]: [usize; 3], a: [usize; 2], b: [usize; 2]) -> bool {
    let in_pages = |stride: usize| stride.is_multiple_of(PAGE);
    let is_far = a[0] == 1 && in_pages(a[1]) && !in_pages(b[0]);
    let is_long = is_far && k >= PAGE / 2 && repetitions(&[m, k, n]) >= TURNED;
    is_long || is_turned([m, k, n], b) && m.saturating_mul(k + n) < k.saturating_mul(n)
}

/// [`product`] as `outᵀ = bᵀ aᵀ`.
fn flipped<T: Number>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    out: &mut [T],
    accumulate: bool,
) {
    let mut transposed = Storage::scratch(m * n);
    let result = transposed.make_mut();
    if accumulate {
        transpose(out, m, n, n, result);
    }
    let (left, right) = (b.transposed(), a.transposed());
    product([n, k, m], left, right, (&mut *result, m), accumulate);
    transpose(result, n, m, m, out);
}

/// [`product`] with a right operand that is turned from columns into rows first; a small one by each thread for itself, since what
/// one has just written reaches another slowly.
fn turned<T: Number>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    (out, row): (&mut [T], usize),
    accumulate: bool,
) {
    let part = |a: Matrix<'_, T>, m: usize, out: &mut [T]| {
        let mut rows = Storage::scratch(k * n);
        transpose(b.values, n, k, b.strides[1], rows.make_mut());
        let in_rows = Matrix::rows(rows.as_slice(), n);
        multiply([m, k, n], a, in_rows, (out, row), accumulate);
    };
    // Of small results `gemm` cuts a longer sum elsewhere, so that parts of one would have other bits than the whole.
    let cuts_alike = k <= 512 || n > 64;
    let is_shared = repetitions(&[m, k, n]) >= PARALLEL_PRODUCTS && k * n <= OWN_COPY && cuts_alike;
    if !is_shared || !threads::has_company() {
        return part(a, m, out);
    }
    // Cut evenly: to a part of one row `gemm` would add in another order.
    let parts = threads::count().min(m / FEW_ROWS).max(1);
    let mut rest = out;
    let cut = (0..parts).map(|index| {
        let (first, end) = (m * index / parts, m * (index + 1) / parts);
        let length = ((end - first) * row).min(rest.len());
        let (own, others) = std::mem::take(&mut rest).split_at_mut(length);
        rest = others;
        (first, end - first, own)
    });
    threads::for_each_alone(
        cut,
        true,
        |_, (first, rows, out): (usize, usize, &mut [T])| {
            part(a.from_row(first), rows, out);
        },
    );
}

/// [`product`] by `gemm`.
fn multiply<T: Number>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    (out, row): (&mut [T], usize),
    accumulate: bool,
) {
    check_bounds([m, n], &Matrix::rows(out, row));
    check_bounds([m, k], &a);
    check_bounds([k, n], &b);
    let beta = if accumulate { T::one() } else { T::zero() };
    let mut call = |parallelism| {
        // SAFETY: every index of both operands and of the result was checked to lie in its slice, and the result
        // does not overlap the operands, since it is borrowed mutably; `T` is f32 or f64, which gemm knows.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.as_mut_ptr(),
                1,
                row as isize,
                accumulate,
                a.values.as_ptr(),
                a.strides[1] as isize,
                a.strides[0] as isize,
                b.values.as_ptr(),
                b.strides[1] as isize,
                b.strides[0] as isize,
                beta,
                T::one(),
                false,
                false,
                false,
                parallelism,
            );
        }
    };
    if repetitions(&[m, k, n]) >= PARALLEL_PRODUCTS && threads::has_company() {
        threads::section(&mut || call(Parallelism::Rayon(0)));
    } else {
        call(Parallelism::None);
    }
}

struct Small<'a, T> {
    sizes: [usize; 3],
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    out: &'a mut [T],
    row: usize,
    accumulate: bool,
}

impl<T: Number> Kernel for Small<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [m, k, n] = self.sizes;
        for (i, row) in self.out.chunks_mut(self.row).take(m).enumerate() {
            for (j, out) in row[..n].iter_mut().enumerate() {
                let mut sum = if self.accumulate { *out } else { T::zero() };
                for p in 0..k {
                    sum = self.a.at(i, p).mul_add(self.b.at(p, j), sum);
                }
                *out = sum;
            }
        }
    }
}

/// Asserts that the last number of a matrix lies in its buffer.
fn check_bounds<T>([rows, columns]: [usize; 2], matrix: &Matrix<'_, T>) {
    let row = (rows - 1).checked_mul(matrix.strides[0]);
    let column = (columns - 1).checked_mul(matrix.strides[1]);
    let last = row
        .zip(column)
        .and_then(|(row, column)| row.checked_add(column));
    assert!(
        last.is_some_and(|last| last < matrix.values.len()),
        "a matrix reaches beyond its data"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_same_bits;

    fn view<T>(values: &[T], strides: [usize; 2]) -> Matrix<'_, T> {
        Matrix { values, strides }
    }

    fn numbers(count: usize, factor: usize) -> Vec<f64> {
        (0..count)
            .map(|i| ((i * factor) % 19) as f64 - 9.0)
            .collect()
    }

    #[test]
    fn every_layout_and_size_gives_the_product() {
        let sizes = [
            (1, 1, 1),
            (2, 5, 3),
            (3, 64, 2),
            (64, 3, 64),
            (17, 33, 9),
            (40, 40, 40),
            (20, 130, 500),
            (120, 100, 110),
            (1024, 520, 3),
            (1, 0, 2),
        ];
        for (m, k, n) in sizes {
            let (a, b) = (numbers(m * k, 7), numbers(k * n, 5));
            for (a_strides, b_strides) in [
                ([k, 1], [n, 1]),
                ([1, m], [n, 1]),
                ([k, 1], [1, k]),
                ([1, m], [1, k]),
                ([0, 1], [1, 0]),
            ] {
                for accumulate in [false, true] {
                    let mut out = vec![100.0; m * n];
                    let [left, right] = [view(&a, a_strides), view(&b, b_strides)];
                    product([m, k, n], left, right, (&mut out, n), accumulate);
                    for (position, &found) in out.iter().enumerate() {
                        let (i, j) = (position / n, position % n);
                        let term = |p: usize| left.at(i, p) * right.at(p, j);
                        let before = if accumulate { 100.0 } else { 0.0 };
                        let expected = before + (0..k).map(term).sum::<f64>();
                        assert!(
                            (found - expected).abs() < 1e-9,
                            "{m} {k} {n} {a_strides:?} {b_strides:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_lies_between_the_rows_of_a_result_stays() {
        for [m, k, n] in [[2, 3, 2], [3, 0, 2], [9, 20, 30]] {
            let (a, b) = (numbers(m * k, 7), numbers(k * n, 5));
            let (a, b) = (Matrix::rows(&a, k), Matrix::rows(&b, n));
            let mut dense = vec![0.0; m * n];
            product([m, k, n], a, b, (&mut dense, n), false);
            let mut apart = vec![7.0; (m + 1) * (n + 3)];
            product([m, k, n], a, b, (&mut apart, n + 3), false);
            assert_eq!(apart.split_off(m * (n + 3)), vec![7.0; n + 3]);
            for (row, dense) in apart.chunks(n + 3).zip(dense.chunks(n)) {
                assert_eq!((&row[..n], &row[n..]), (dense, &[7.0; 3][..]));
            }
        }
    }

    #[test]
    fn threads_never_change_the_bits() {
        for (m, k, n) in [
            (128, 128, 128),
            (300, 1000, 70),
            (33, 4000, 65),
            (70, 1000, 60),
            (49, 50, 430),
            (97, 100, 110),
            (2048, 512, 1),
            (1000, 128, 512),
            (2048, 600, 40),
        ] {
            let a: Vec<f32> = (0..m * k).map(|i| (i as f32).sin()).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i as f32).cos()).collect();
            for (a_strides, b_strides) in [([k, 1], [n, 1]), ([k, 1], [1, k]), ([1, m], [n, 1])] {
                assert_same_bits(|| {
                    let mut out = vec![0.0; m * n];
                    for accumulate in [false, true] {
                        let [left, right] = [view(&a, a_strides), view(&b, b_strides)];
                        product([m, k, n], left, right, (&mut out, n), accumulate);
                    }
                    out
                });
            }
        }
    }
}
