//! Turning rows into columns.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use std::any::TypeId;

#[cfg(target_arch = "x86_64")]
use crate::best_instruction_set;
use crate::{Kernel, dispatch, is_worth_sharing, threads};

/// Square tiles of this size are turned at once: a cache line of `f32` wide, so that no line is fetched twice.
pub const TILE: usize = 16;

/// `out[j, i] = x[i, j]`, `x: [rows, columns]` with its rows `stride` apart, `out: [columns, rows]`.
pub fn transpose<T: Copy + Send + Sync + 'static>(
    x: &[T],
    rows: usize,
    columns: usize,
    stride: usize,
    out: &mut [T],
) {
    let band = TILE * rows;
    if band == 0 || columns == 0 {
        return;
    }
    let turn = |index: usize, out: &mut [T]| {
        let x = &x[index * TILE..];
        dispatch(Band {
            x,
            stride,
            rows,
            out,
        });
    };
    let out = &mut out[..rows * columns];
    threads::for_each_chunk(out, band, is_worth_sharing(out.len()), turn);
}

/// Up to [`TILE`] columns, which become the rows of `out`.
struct Band<'a, T> {
    x: &'a [T],
    stride: usize,
    rows: usize,
    out: &'a mut [T],
}

impl<T: Copy + 'static> Kernel for Band<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self {
            x,
            stride,
            rows,
            out,
        } = self;
        let whole = if out.len() == TILE * rows {
            rows / TILE * TILE
        } else {
            0
        };
        for first in (0..whole).step_by(TILE) {
            turn_tile::<_, TILE, TILE>(&x[first * stride..], stride, &mut out[first..], rows);
        }
        for (j, out) in out.chunks_exact_mut(rows).enumerate() {
            for (i, out) in out.iter_mut().enumerate().skip(whole) {
                *out = x[i * stride + j];
            }
        }
    }
}

/// `out[j, i] = x[i, j]` for so many rows and columns, the rows of x and of `out` so far apart.
#[inline(always)]
pub fn turn_tile<T: Copy + 'static, const ROWS: usize, const COLUMNS: usize>(
    x: &[T],
    stride: usize,
    out: &mut [T],
    out_stride: usize,
) {
    #[cfg(target_arch = "x86_64")]
    if TypeId::of::<T>() == TypeId::of::<f32>()
        && ROWS.is_multiple_of(eight::SIZE)
        && COLUMNS.is_multiple_of(eight::SIZE)
        && !matches!(best_instruction_set(), pulp::Arch::Scalar)
    {
        assert!(holds(x, ROWS, stride, COLUMNS), "rows of x");
        assert!(holds(out, COLUMNS, out_stride, ROWS), "rows of the output");
        for i in (0..ROWS).step_by(eight::SIZE) {
            for j in (0..COLUMNS).step_by(eight::SIZE) {
                // SAFETY: the machine has AVX; both tiles lie in their slices, as asserted, whose elements are f32.
                unsafe {
                    let x = x.as_ptr().add(i * stride + j).cast();
                    let out = out.as_mut_ptr().add(j * out_stride + i).cast();
                    eight::turn(x, stride, out, out_stride);
                }
            }
        }
        return;
    }
    let mut tile = [[x[0]; COLUMNS]; ROWS];
    for (i, row) in tile.iter_mut().enumerate() {
        row.copy_from_slice(&x[i * stride..][..COLUMNS]);
    }
    for j in 0..COLUMNS {
        let column: [T; ROWS] = std::array::from_fn(|i| tile[i][j]);
        out[j * out_stride..][..ROWS].copy_from_slice(&column);
    }
}

/// Whether so many rows, so far apart and of so many columns, lie in a slice.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn holds<T>(values: &[T], rows: usize, stride: usize, columns: usize) -> bool {
    let start = stride.checked_mul(rows - 1);
    let end = start.and_then(|start| start.checked_add(columns));
    end.is_some_and(|end| end <= values.len())
}

/// Tiles of eight by eight numbers in AVX's registers. Left to itself, the compiler moves one number at a time.
#[cfg(target_arch = "x86_64")]
mod eight {
    use std::arch::x86_64::*;

    pub const SIZE: usize = 8;

    /// `out[j, i] = x[i, j]`
    ///
    /// # Safety
    /// The machine has AVX, and eight numbers can be read from each of eight rows of x, and written to as many of `out`.
    #[inline]
    #[target_feature(enable = "avx")]
    pub unsafe fn turn(x: *const f32, stride: usize, out: *mut f32, out_stride: usize) {
        for first in [0, SIZE / 2] {
            // Four numbers of row i in the lower half, those of row i + 4 in the upper one.
            let mut rows = [_mm256_setzero_ps(); SIZE / 2];
            for (i, row) in rows.iter_mut().enumerate() {
                // SAFETY: as the caller says, as for the stores below.
                let [low, high] =
                    [i, i + SIZE / 2].map(|i| unsafe { _mm_loadu_ps(x.add(i * stride + first)) });
                *row = _mm256_set_m128(high, low);
            }
            let low = [0, 2].map(|i| _mm256_unpacklo_ps(rows[i], rows[i + 1]));
            let high = [0, 2].map(|i| _mm256_unpackhi_ps(rows[i], rows[i + 1]));
            let columns = [
                _mm256_shuffle_ps::<0x44>(low[0], low[1]),
                _mm256_shuffle_ps::<0xEE>(low[0], low[1]),
                _mm256_shuffle_ps::<0x44>(high[0], high[1]),
                _mm256_shuffle_ps::<0xEE>(high[0], high[1]),
            ];
            for (j, column) in columns.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe { _mm256_storeu_ps(out.add((first + j) * out_stride), column) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Copy + Send + Sync + PartialEq + std::fmt::Debug + 'static>(of: impl Fn(u16) -> T) {
        for (rows, columns) in [
            (0, 3),
            (3, 0),
            (1, 1),
            (8, 8),
            (16, 16),
            (17, 40),
            (40, 17),
            (200, 300),
        ] {
            let stride = columns + 3;
            let x: Vec<T> = (0..(rows * stride).max(1) as u16).map(&of).collect();
            let mut out = vec![of(u16::MAX); rows * columns];
            transpose(&x, rows, columns, stride, &mut out);
            for (place, &found) in out.iter().enumerate() {
                let (j, i) = (place / rows, place % rows);
                assert_eq!(found, of((i * stride + j) as u16), "{rows} x {columns}");
            }
        }
    }

    #[test]
    fn every_size_is_turned() {
        check(usize::from);
        check(f32::from);
        check(f64::from);
    }

    #[test]
    #[should_panic]
    fn a_stride_beyond_the_numbers_is_refused() {
        turn_tile::<f32, 16, 16>(&[0.0; 16], usize::MAX / 15 + 1, &mut [0.0; 256], 16);
    }
}
