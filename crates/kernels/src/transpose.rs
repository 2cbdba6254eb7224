//! Turning rows into columns.

use crate::{Kernel, dispatch, is_worth_sharing, threads};

/// Square tiles of this size are turned at once: a cache line of `f32` wide, so that no line is fetched twice.
pub const TILE: usize = 16;

/// `out[j, i] = x[i, j]`, `x: [rows, columns]` with its rows `stride` apart, `out: [columns, rows]`.
pub fn transpose<T: Copy + Send + Sync>(
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

impl<T: Copy> Kernel for Band<'_, T> {
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
pub fn turn_tile<T: Copy, const ROWS: usize, const COLUMNS: usize>(
    x: &[T],
    stride: usize,
    out: &mut [T],
    out_stride: usize,
) {
    let mut tile = [[x[0]; COLUMNS]; ROWS];
    for (i, row) in tile.iter_mut().enumerate() {
        row.copy_from_slice(&x[i * stride..][..COLUMNS]);
    }
    for j in 0..COLUMNS {
        let column: [T; ROWS] = std::array::from_fn(|i| tile[i][j]);
        out[j * out_stride..][..ROWS].copy_from_slice(&column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_turned() {
        for (rows, columns) in [
            (0, 3),
            (3, 0),
            (1, 1),
            (16, 16),
            (17, 40),
            (40, 17),
            (600, 300),
        ] {
            let stride = columns + 3;
            let x: Vec<usize> = (0..(rows * stride).max(1)).collect();
            let mut out = vec![usize::MAX; rows * columns];
            transpose(&x, rows, columns, stride, &mut out);
            for (place, &found) in out.iter().enumerate() {
                let (j, i) = (place / rows, place % rows);
                assert_eq!(found, i * stride + j, "{rows} x {columns}");
            }
        }
    }
}
