//! Matrix products: the `gemm` crate behind one function, and a plain loop for products so small that calling it costs more.

#![allow(unsafe_code)]

use gemm::Parallelism;

use super::transpose::transpose;
use super::{Kernel, dispatch};
use crate::element::Element;
use crate::storage::Storage;

/// The distances between neighbouring rows and columns of a matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix {
    pub(crate) rs: usize,
    pub(crate) cs: usize,
}

impl Matrix {
    fn transposed(self) -> Self {
        Self {
            rs: self.cs,
            cs: self.rs,
        }
    }
}

/// Up to so many multiplications a plain loop is faster: `gemm` takes a third of a microsecond to start.
const SMALL: usize = 128;

/// From so many multiplications on a right operand that stands in columns is turned first, since `gemm` reads it at half the speed;
/// but not for a left operand of few rows, when turning it takes longer than the product.
const TURNED: usize = 1 << 20;
const FEW_ROWS: usize = 16;

/// From so many multiplications on a product is shared among the threads: 2 MFLOP, some 20 µs on one core.
const PARALLEL: usize = 1 << 20;

/// `out (+)= a b`, `a: [m, k]`, `b: [k, n]`, `out: [m, n]` in row-major order; adds if `accumulate`. Strides of 0 are allowed.
///
/// Threads share the rows and columns of the result, never the sum over k, so that their number does not change the bits.
#[allow(
    clippy::too_many_arguments,
    reason = "three sizes, two strided operands and a result"
)]
pub(crate) fn matmul<T: Element>(
    m: usize,
    k: usize,
    n: usize,
    a: &[T],
    a_strides: Matrix,
    b: &[T],
    b_strides: Matrix,
    out: &mut [T],
    accumulate: bool,
) {
    product(m, k, n, a, a_strides, b, b_strides, out, accumulate, true);
}

/// [`matmul`] on this thread alone, for a part of work that threads share already.
#[allow(clippy::too_many_arguments, reason = "as for `matmul`")]
pub(crate) fn matmul_alone<T: Element>(
    m: usize,
    k: usize,
    n: usize,
    a: &[T],
    a_strides: Matrix,
    b: &[T],
    b_strides: Matrix,
    out: &mut [T],
    accumulate: bool,
) {
    product(m, k, n, a, a_strides, b, b_strides, out, accumulate, false);
}

/// [`matmul`], on all threads if the work is to be shared.
#[allow(clippy::too_many_arguments, reason = "as for `matmul`")]
fn product<T: Element>(
    m: usize,
    k: usize,
    n: usize,
    a: &[T],
    a_strides: Matrix,
    b: &[T],
    b_strides: Matrix,
    out: &mut [T],
    accumulate: bool,
    shared: bool,
) {
    let out = &mut out[..m * n];
    if out.is_empty() || k == 0 {
        if !accumulate {
            out.fill(T::zero());
        }
        return;
    }
    check_bounds(m, k, a.len(), a_strides);
    check_bounds(k, n, b.len(), b_strides);
    if m * k * n <= SMALL {
        return dispatch(Small {
            sizes: [m, k, n],
            a: (a, a_strides),
            b: (b, b_strides),
            out,
            accumulate,
        });
    }
    let in_columns = b_strides.rs == 1 && b_strides.cs > 1;
    if in_columns && m >= FEW_ROWS && m * k * n >= TURNED {
        if m * (k + n) < k * n {
            // outᵀ = bᵀ aᵀ: b then stands in rows, and what is turned is small.
            let mut flipped = Storage::uninitialised(m * n);
            if accumulate {
                transpose(out, m, n, n, flipped.make_mut());
            }
            let (left, right) = (b_strides.transposed(), a_strides.transposed());
            let turned = flipped.make_mut();
            product(n, k, m, b, left, a, right, turned, accumulate, shared);
            return transpose(turned, n, m, m, out);
        }
        let mut rows = Storage::uninitialised(k * n);
        transpose(b, n, k, b_strides.cs, rows.make_mut());
        let in_rows = Matrix { rs: n, cs: 1 };
        let b = rows.as_slice();
        return product(m, k, n, a, a_strides, b, in_rows, out, accumulate, shared);
    }
    let alone = !shared || m * k * n < PARALLEL || rayon::current_num_threads() == 1;
    let parallelism = if alone {
        Parallelism::None
    } else {
        Parallelism::Rayon(0)
    };
    let beta = if accumulate { T::one() } else { T::zero() };
    // SAFETY: every index `i * rs + j * cs` of both operands was checked to lie in its slice, the result is m * n long and
    // does not overlap them, since it is borrowed mutably; `T` is f32 or f64, which gemm knows.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.as_ptr(),
            a_strides.cs as isize,
            a_strides.rs as isize,
            b.as_ptr(),
            b_strides.cs as isize,
            b_strides.rs as isize,
            beta,
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

struct Small<'a, T> {
    sizes: [usize; 3],
    a: (&'a [T], Matrix),
    b: (&'a [T], Matrix),
    out: &'a mut [T],
    accumulate: bool,
}

impl<T: Element> Kernel for Small<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [_, k, n] = self.sizes;
        let ((a, a_strides), (b, b_strides)) = (self.a, self.b);
        for (i, row) in self.out.chunks_exact_mut(n).enumerate() {
            for (j, out) in row.iter_mut().enumerate() {
                let mut sum = if self.accumulate { *out } else { T::zero() };
                for p in 0..k {
                    let left = a[i * a_strides.rs + p * a_strides.cs];
                    sum = left.mul_add(b[p * b_strides.rs + j * b_strides.cs], sum);
                }
                *out = sum;
            }
        }
    }
}

/// Asserts that the last element of a matrix with these strides lies in a slice of this length.
fn check_bounds(rows: usize, columns: usize, length: usize, strides: Matrix) {
    let last = (rows - 1) * strides.rs + (columns - 1) * strides.cs;
    assert!(last < length, "a matrix reaches beyond its data");
}

#[cfg(test)]
mod tests {
    use super::super::assert_same_bits;
    use super::*;

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
            (1, 0, 2),
        ];
        for (m, k, n) in sizes {
            let (a, b) = (numbers(m * k, 7), numbers(k * n, 5));
            for (a_strides, b_strides) in [
                (Matrix { rs: k, cs: 1 }, Matrix { rs: n, cs: 1 }),
                (Matrix { rs: 1, cs: m }, Matrix { rs: n, cs: 1 }),
                (Matrix { rs: k, cs: 1 }, Matrix { rs: 1, cs: k }),
                (Matrix { rs: 1, cs: m }, Matrix { rs: 1, cs: k }),
                (Matrix { rs: 0, cs: 1 }, Matrix { rs: 1, cs: 0 }),
            ] {
                for accumulate in [false, true] {
                    let mut out = vec![100.0; m * n];
                    matmul(m, k, n, &a, a_strides, &b, b_strides, &mut out, accumulate);
                    for (position, &found) in out.iter().enumerate() {
                        let (i, j) = (position / n, position % n);
                        let term = |p: usize| {
                            a[i * a_strides.rs + p * a_strides.cs]
                                * b[p * b_strides.rs + j * b_strides.cs]
                        };
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
    fn threads_never_change_the_bits() {
        for (m, k, n) in [
            (128, 128, 128),
            (300, 1000, 70),
            (33, 4000, 65),
            (1000, 128, 512),
        ] {
            let a: Vec<f32> = (0..m * k).map(|i| (i as f32).sin()).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i as f32).cos()).collect();
            for (a_strides, b_strides) in [
                (Matrix { rs: k, cs: 1 }, Matrix { rs: n, cs: 1 }),
                (Matrix { rs: k, cs: 1 }, Matrix { rs: 1, cs: k }),
                (Matrix { rs: 1, cs: m }, Matrix { rs: n, cs: 1 }),
            ] {
                assert_same_bits(|| {
                    let mut out = vec![0.0; m * n];
                    matmul(m, k, n, &a, a_strides, &b, b_strides, &mut out, false);
                    out
                });
            }
        }
    }
}
