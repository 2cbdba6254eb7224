//! Products with few rows or columns, as the sums of products of two rows that they are.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::place::Place;
use crate::number::Number;
use crate::vector::lanes;
use crate::view::Matrix;

/// How many rows of each operand are multiplied at a time: 16 sums keep the units busy.
pub const ROWS: usize = 4;

/// `out[i, j] = start[i, j] + Σ_p long[i, p] short[j, p]`; the rows of both stand in one piece.
pub struct Dots<'a, T> {
    /// How many rows each has, and how long they are.
    pub sizes: [usize; 3],
    pub long: Matrix<'a, T>,
    pub short: Matrix<'a, T>,
    pub out: Place<T>,
    /// Zeros if it is nothing.
    pub start: Option<Place<T>>,
}

/// Some rows of the long operand, with all of the short one.
pub struct DotsPart<'a, T> {
    pub dots: &'a Dots<'a, T>,
    pub rows: Range<usize>,
}

impl<T: Number> WithSimd for DotsPart<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let dots = self.dots;
        let [_, short, depth] = dots.sizes;
        for first in self.rows.clone().step_by(ROWS) {
            for other in (0..short).step_by(ROWS) {
                macro_rules! sums {
                    ($($rows:literal $others:literal),*) => {
                        match ((self.rows.end - first).min(ROWS), (short - other).min(ROWS)) {
                            $(($rows, $others) => {
                                let long = std::array::from_fn(|i| row(dots.long, first + i, depth));
                                let short = std::array::from_fn(|j| row(dots.short, other + j, depth));
                                let sums = simd.vectorize(Sums::<T, $rows, $others> { long, short });
                                // SAFETY: the rows and columns of this part lie in the result, which was checked, and a part is given to
                                // one thread.
                                unsafe { dots.write([first, other], sums) };
                            })*
                            _ => unreachable!("there are at most {ROWS} rows"),
                        }
                    };
                }
                sums!(1 1, 2 1, 3 1, 4 1, 1 2, 2 2, 3 2, 4 2, 1 3, 2 3, 3 3, 4 3, 1 4, 2 4, 3 4, 4 4);
            }
        }
    }
}

fn row<'a, T>(matrix: Matrix<'a, T>, index: usize, length: usize) -> &'a [T] {
    &matrix.values[index * matrix.strides[0]..][..length]
}

impl<T: Number> Dots<'_, T> {
    /// Writes sums, the first of which stands in this row and column.
    ///
    /// # Safety
    /// All of them have a place in the result and in what it starts from, and nobody else reads or writes it meanwhile.
    #[inline(always)]
    unsafe fn write<const LONG: usize, const SHORT: usize>(
        &self,
        [row, column]: [usize; 2],
        sums: [[T; SHORT]; LONG],
    ) {
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let (row, column) = (row + i, column + j);
                // SAFETY: as the caller says.
                unsafe {
                    *self.out.at(row, column) = match self.start {
                        Some(start) => *start.at(row, column) + sum,
                        None => sum,
                    };
                }
            }
        }
    }
}

/// The sums of products of some rows with some others.
struct Sums<'a, T, const LONG: usize, const SHORT: usize> {
    long: [&'a [T]; LONG],
    short: [&'a [T]; SHORT],
}

impl<T: Number, const LONG: usize, const SHORT: usize> WithSimd for Sums<'_, T, LONG, SHORT> {
    type Output = [[T; SHORT]; LONG];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [[T; SHORT]; LONG] {
        let Self { long, short } = self;
        let lanes = const { lanes::<T, S>() };
        let depth = short[0].len();
        let mut rows = long.iter().chain(&short);
        assert!(rows.all(|row| row.len() == depth), "rows of one length");
        let mut sums = [[T::splat(simd, T::zero()); SHORT]; LONG];
        let whole = depth / lanes * lanes;
        for p in (0..whole).step_by(lanes) {
            // SAFETY: a whole vector stands from p on in every row, since all are as long as the first.
            let (long, short) = unsafe { (load(&long, p), load(&short, p)) };
            add::<S, T, LONG, SHORT>(simd, &long, &short, &mut sums);
        }
        if whole < depth {
            let long = load_some(simd, &long, whole);
            let short = load_some(simd, &short, whole);
            add::<S, T, LONG, SHORT>(simd, &long, &short, &mut sums);
        }
        let mut out = [[T::zero(); SHORT]; LONG];
        for (out, sums) in out.iter_mut().zip(&sums) {
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = T::sum_lanes(simd, sum);
            }
        }
        out
    }
}

/// A vector of each row, from place p on.
///
/// # Safety
/// The rows are long enough.
#[inline(always)]
unsafe fn load<V: Copy, T, const ROWS: usize>(rows: &[&[T]; ROWS], p: usize) -> [V; ROWS] {
    // SAFETY: as the caller says.
    std::array::from_fn(|i| unsafe { rows[i].as_ptr().add(p).cast::<V>().read_unaligned() })
}

/// What is left of each row from place p on, and zeros.
#[inline(always)]
fn load_some<S: Simd, T: Number, const ROWS: usize>(
    simd: S,
    rows: &[&[T]; ROWS],
    p: usize,
) -> [T::Vector<S>; ROWS] {
    let mut vectors = [T::splat(simd, T::zero()); ROWS];
    for (vector, row) in vectors.iter_mut().zip(rows) {
        *vector = T::load_some(simd, &row[p..]);
    }
    vectors
}

/// Adds the products of each vector with each other one.
#[inline(always)]
fn add<S: Simd, T: Number, const LONG: usize, const SHORT: usize>(
    simd: S,
    long: &[T::Vector<S>; LONG],
    short: &[T::Vector<S>; SHORT],
    sums: &mut [[T::Vector<S>; SHORT]; LONG],
) {
    for (sums, &long) in sums.iter_mut().zip(long) {
        for (sum, &short) in sums.iter_mut().zip(short) {
            *sum = T::multiply_add(simd, long, short, *sum);
        }
    }
}
