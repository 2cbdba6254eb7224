//! The microkernel: a tile of the result, whose numbers stay in registers while the inner axis goes by.

use pulp::{Simd, WithSimd};

use super::place::Place;
use crate::number::Number;
use crate::prefetch;
use crate::vector::lanes;

/// The most numbers that a tile has: 8 rows of 3 vectors of 64 bytes.
pub const MOST_NUMBERS: usize = 8 * 3 * 16;

/// How many rows a tile has at most (MR).
///
/// With [`vectors`] it leaves registers for the right operand and for what is broadcast of the left one: 24 of 32, or 12 of 16, hold
/// the result. 8 rows of 3 vectors were faster than 14 of 2 on every shape tried, and than 6 of 4.
pub const fn rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 6 }
}

/// How many vectors wide a tile is at most (NR).
pub const fn vectors<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 3 } else { 2 }
}

/// A panel of the left operand, a panel of the right one, and the tile of the result that they give.
#[derive(Clone, Copy)]
pub struct Operands<T> {
    /// How long the inner axis is here.
    pub depth: usize,
    /// The left operand's first number, and the distance between its rows and between its columns.
    pub left: *const T,
    pub left_strides: [usize; 2],
    /// The right operand's first number, and the distance between its rows. Its columns stand side by side.
    pub right: *const T,
    pub right_row: usize,
    /// The result's place. Its columns stand side by side, as do those of what its sums start from, zeros if that is nothing.
    pub out: Place<T>,
    pub start: Option<Place<T>>,
}

/// Computes a tile of so many rows and vectors.
///
/// Each number of the result is a sum in the order of the inner axis, whatever the tile that it stands in.
///
/// # Safety
/// The tile has at most [`rows`] rows and [`vectors`] vectors, every number of it lies in its buffer, as do those of `depth` columns of the
/// left operand and `depth` rows of the right one, and nobody else reads or writes the tile meanwhile.
#[inline(always)]
pub unsafe fn compute<S: Simd, T: Number>(
    simd: S,
    [rows, vectors]: [usize; 2],
    operands: Operands<T>,
) {
    macro_rules! tiles {
        ($($rows:literal)*; $vectors:literal) => {
            match rows {
                $($rows => simd.vectorize(Tile::<T, $rows, $vectors>(operands)),)*
                // SAFETY: the caller names no other.
                _ => unsafe { std::hint::unreachable_unchecked() },
            }
        };
    }
    if S::REGISTER_COUNT >= 32 {
        match vectors {
            1 => tiles!(1 2 3 4 5 6 7 8; 1),
            2 => tiles!(1 2 3 4 5 6 7 8; 2),
            _ => tiles!(1 2 3 4 5 6 7 8; 3),
        }
    } else {
        match vectors {
            1 => tiles!(1 2 3 4 5 6; 1),
            _ => tiles!(1 2 3 4 5 6; 2),
        }
    }
}

/// From so long an inner axis on the tile's place in the result is asked for before the sums: a shorter one ends before it comes.
const DEEP: usize = 64;

/// How many columns of a left operand in rows are gone through at a time: their reads share the address of a row.
const UNROLLED: usize = 4;

/// A tile as a function of its own: inlined into the loops around it, some of its registers would be kept in memory.
struct Tile<T, const ROWS: usize, const VECTORS: usize>(Operands<T>);

impl<T: Number, const ROWS: usize, const VECTORS: usize> WithSimd for Tile<T, ROWS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Operands {
            depth,
            mut left,
            left_strides: [row, column],
            mut right,
            right_row,
            out,
            start,
        } = self.0;
        let lanes = const { lanes::<T, S>() };
        let vector = |place: Place<T>, i, v: usize| place.at(i, v * lanes).cast::<T::Vector<S>>();
        let mut sums = [[T::splat(simd, T::zero()); VECTORS]; ROWS];
        if let Some(start) = start {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    // SAFETY: see `compute`, as for the loops below.
                    *sum = unsafe { vector(start, i, v).read_unaligned() };
                }
            }
        }
        if depth >= DEEP && start.is_none_or(|start| start.first != out.first) {
            for i in 0..ROWS {
                // SAFETY: as above.
                prefetch(unsafe { std::slice::from_raw_parts(out.at(i, 0), VECTORS * lanes) });
            }
        }
        // One order of sums for all strides; where one of them is known to be 1, finding the numbers takes fewer instructions.
        let mut rest = depth;
        if column == 1 {
            for _ in 0..depth / UNROLLED {
                for p in 0..UNROLLED {
                    // SAFETY: see `compute`, as for those below.
                    unsafe { add_products(simd, left.wrapping_add(p), row, right, &mut sums) };
                    right = right.wrapping_add(right_row);
                }
                left = left.wrapping_add(UNROLLED);
            }
            rest = depth % UNROLLED;
        } else if row == 1 {
            for _ in 0..depth {
                // SAFETY: as above.
                unsafe { add_products(simd, left, 1, right, &mut sums) };
                (left, right) = (left.wrapping_add(column), right.wrapping_add(right_row));
            }
            rest = 0;
        }
        for _ in 0..rest {
            // SAFETY: as above.
            unsafe { add_products(simd, left, row, right, &mut sums) };
            (left, right) = (left.wrapping_add(column), right.wrapping_add(right_row));
        }
        for (i, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: see `compute`.
                unsafe { vector(out, i, v).write_unaligned(*sum) };
            }
        }
    }
}

/// Adds to each sum the product of a number of its row of the left operand and one of its column of the right.
///
/// # Safety
/// So many rows of the left operand can be read from, and so many vectors of the right one.
#[inline(always)]
unsafe fn add_products<S: Simd, T: Number, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    left: *const T,
    row: usize,
    right: *const T,
    sums: &mut [[T::Vector<S>; VECTORS]; ROWS],
) {
    let lanes = const { lanes::<T, S>() };
    let mut b = [T::splat(simd, T::zero()); VECTORS];
    for (v, b) in b.iter_mut().enumerate() {
        // SAFETY: as the caller says.
        *b = unsafe { right.add(v * lanes).cast::<T::Vector<S>>().read_unaligned() };
    }
    for (i, sums) in sums.iter_mut().enumerate() {
        // SAFETY: as the caller says.
        let a = T::splat(simd, unsafe { *left.add(i * row) });
        for (sum, &b) in sums.iter_mut().zip(&b) {
            *sum = T::multiply_add(simd, a, b, *sum);
        }
    }
}
