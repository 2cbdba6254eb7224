//! Tiles of a result that does not take whole vectors: at its right edge, and transposed.

use pulp::Simd;

use super::panels::Panel;
use super::tile::{self, MOST_NUMBERS, MOST_ROWS, Operands};
use crate::number::Number;
use crate::transpose::turn_tile;
use crate::vector::lanes;

/// How many columns of a tile are turned at a time.
const TURNED: usize = 8;

/// The first number of a result of which threads compute parts.
#[derive(Clone, Copy)]
pub struct Shared<T>(pub *mut T);

// SAFETY: each part is rows and columns that no other part has.
unsafe impl<T: Send> Sync for Shared<T> {}

/// Computes a tile, by way of a copy if the result's columns do not stand side by side, or its vectors reach beyond them.
///
/// # Safety
/// As for [`tile::compute`], but that only the columns of the panel need a place in the result.
#[inline(always)]
pub unsafe fn compute<S: Simd, T: Number>(
    simd: S,
    rows: usize,
    panel: &Panel,
    operands: Operands<T>,
    out_column: usize,
) {
    let width = panel.vectors * lanes::<T, S>();
    if panel.columns == width && out_column == 1 {
        // SAFETY: as the caller says.
        return unsafe { tile::compute(simd, [rows, panel.vectors], operands) };
    }
    let place = Place {
        first: operands.out,
        strides: [operands.out_row, out_column],
        sizes: [rows, panel.columns],
    };
    let mut copy = [T::zero(); MOST_NUMBERS];
    if operands.accumulate {
        // SAFETY: the rows of the strip and the columns of the panel exist.
        unsafe { place.read(&mut copy, width) };
    }
    let to_copy = Operands {
        out: copy.as_mut_ptr(),
        out_row: width,
        ..operands
    };
    // SAFETY: as the caller says; the copy has room for every tile.
    unsafe { tile::compute(simd, [rows, panel.vectors], to_copy) };
    // SAFETY: as above.
    unsafe {
        if out_column == 1 {
            place.write_rows(&copy, width);
        } else {
            place.write_columns(&copy, width);
        }
    }
}

/// Where a tile stands in the result.
struct Place<T> {
    first: *mut T,
    strides: [usize; 2],
    sizes: [usize; 2],
}

/// All three go by pointers, since what is between the rows or columns may belong to another thread.
///
/// # Safety
/// The tile lies in the result, and nobody else reads or writes it meanwhile.
impl<T: Number> Place<T> {
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> *mut T {
        let [rows, columns] = self.strides;
        self.first.wrapping_add(row * rows + column * columns)
    }

    /// Copies the tile to rows that begin `width` apart.
    #[inline(always)]
    unsafe fn read(&self, copy: &mut [T], width: usize) {
        let [rows, columns] = self.sizes;
        for (i, copy) in copy.chunks_exact_mut(width).take(rows).enumerate() {
            for (j, copy) in copy.iter_mut().take(columns).enumerate() {
                // SAFETY: as the caller says.
                *copy = unsafe { *self.at(i, j) };
            }
        }
    }

    /// Copies rows that begin `width` apart to the tile, whose columns stand side by side.
    #[inline(always)]
    unsafe fn write_rows(&self, copy: &[T], width: usize) {
        let [rows, columns] = self.sizes;
        for (i, copy) in copy.chunks_exact(width).take(rows).enumerate() {
            let copy = &copy[..columns];
            // SAFETY: as the caller says.
            unsafe { copy.as_ptr().copy_to_nonoverlapping(self.at(i, 0), columns) };
        }
    }

    /// Copies rows that begin `width` apart to the tile, column by column.
    #[inline(always)]
    unsafe fn write_columns(&self, copy: &[T], width: usize) {
        let [rows, columns] = self.sizes;
        let mut done = 0;
        if rows == MOST_ROWS && self.strides[0] == 1 {
            while done + TURNED <= columns {
                let mut turned = [T::zero(); TURNED * MOST_ROWS];
                turn_tile::<_, MOST_ROWS, TURNED>(&copy[done..], width, &mut turned, MOST_ROWS);
                let (turned, _) = turned.as_chunks::<MOST_ROWS>();
                for (j, column) in turned.iter().enumerate() {
                    // SAFETY: as the caller says.
                    unsafe { *self.at(0, done + j).cast::<[T; MOST_ROWS]>() = *column };
                }
                done += TURNED;
            }
        }
        for j in done..columns {
            for i in 0..rows {
                // SAFETY: as the caller says.
                unsafe { *self.at(i, j) = copy[i * width + j] };
            }
        }
    }
}
