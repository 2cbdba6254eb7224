//! Tiles of a result that does not take whole vectors: at its right edge, and transposed.

use pulp::Simd;

use super::panels::Panel;
use super::tile::{self, MOST_NUMBERS, Operands};
use crate::number::Number;
use crate::transpose::turn_tile;
use crate::vector::lanes;

/// How many columns of a tile are turned at a time.
const TURNED: usize = 8;

/// Where numbers of a result stand, or what their sums start from: the first, and the distance between neighbours along each axis.
#[derive(Clone, Copy)]
pub struct Place<T> {
    pub first: *mut T,
    pub strides: [usize; 2],
}

// SAFETY: threads write only to their own parts, rows and columns that no other part has, and what sums start from is theirs or nobody's.
unsafe impl<T: Send> Sync for Place<T> {}

impl<T: Copy> Place<T> {
    /// The same numbers with rows and columns in each other's place.
    pub fn transposed(self) -> Self {
        let [row, column] = self.strides;
        let strides = [column, row];
        Self { strides, ..self }
    }

    /// The numbers from this row and column on.
    #[inline(always)]
    pub fn from(self, row: usize, column: usize) -> Self {
        let first = self.at(row, column);
        Self { first, ..self }
    }

    #[inline(always)]
    pub fn at(&self, row: usize, column: usize) -> *mut T {
        let [rows, columns] = self.strides;
        self.first.wrapping_add(row * rows + column * columns)
    }
}

/// Computes a tile, by way of a copy if the columns do not stand side by side, or its vectors reach beyond them.
///
/// # Safety
/// As for [`tile::compute`], but that only the columns of the panel need a place in the result and in what the sums start from.
#[inline(always)]
pub unsafe fn compute<S: Simd, T: Number>(
    simd: S,
    rows: usize,
    panel: &Panel,
    operands: Operands<T>,
) {
    let Operands { out, start, .. } = operands;
    let width = panel.vectors * lanes::<T, S>();
    let side_by_side = out.strides[1] == 1 && start.is_none_or(|start| start.strides[1] == 1);
    if panel.columns == width && side_by_side {
        // SAFETY: as the caller says.
        return unsafe { tile::compute(simd, [rows, panel.vectors], operands) };
    }
    let sizes = [rows, panel.columns];
    let mut copy = [T::zero(); MOST_NUMBERS];
    if let Some(start) = start {
        // SAFETY: the rows of the strip and the columns of the panel exist.
        unsafe { start.read(sizes, &mut copy, width) };
    }
    let to_copy = Place {
        first: copy.as_mut_ptr(),
        strides: [width, 1],
    };
    let operands = Operands {
        out: to_copy,
        start: start.map(|_| to_copy),
        ..operands
    };
    // SAFETY: as the caller says; the copy has room for every tile.
    unsafe { tile::compute(simd, [rows, panel.vectors], operands) };
    // SAFETY: as above.
    unsafe {
        if out.strides[1] == 1 {
            out.write_rows(sizes, &copy, width);
        } else {
            out.write_columns(sizes, &copy, width);
        }
    }
}

/// All three go by pointers, since what is between the rows or columns may belong to another thread.
///
/// # Safety
/// So many rows and columns exist, and nobody else writes there meanwhile, or reads what is written.
impl<T: Number> Place<T> {
    /// Copies rows and columns to rows that begin `width` apart.
    #[inline(always)]
    unsafe fn read(&self, [rows, columns]: [usize; 2], copy: &mut [T], width: usize) {
        for (i, copy) in copy.chunks_exact_mut(width).take(rows).enumerate() {
            for (j, copy) in copy.iter_mut().take(columns).enumerate() {
                // SAFETY: as the caller says.
                *copy = unsafe { *self.at(i, j) };
            }
        }
    }

    /// Writes rows that begin `width` apart, whose columns are to stand side by side.
    #[inline(always)]
    unsafe fn write_rows(&self, [rows, columns]: [usize; 2], copy: &[T], width: usize) {
        for (i, copy) in copy.chunks_exact(width).take(rows).enumerate() {
            let copy = &copy[..columns];
            // SAFETY: as the caller says.
            unsafe { copy.as_ptr().copy_to_nonoverlapping(self.at(i, 0), columns) };
        }
    }

    /// Writes rows that begin `width` apart, column by column.
    #[inline(always)]
    unsafe fn write_columns(&self, [rows, columns]: [usize; 2], copy: &[T], width: usize) {
        // SAFETY: as the caller says.
        let done = unsafe {
            match rows {
                8 if self.strides[0] == 1 => self.write_turned::<8>(columns, copy, width),
                6 if self.strides[0] == 1 => self.write_turned::<6>(columns, copy, width),
                _ => 0,
            }
        };
        for j in done..columns {
            for i in 0..rows {
                // SAFETY: as the caller says.
                unsafe { *self.at(i, j) = copy[i * width + j] };
            }
        }
    }

    /// Writes what it can of the columns of a whole strip, turned; how many.
    #[inline(always)]
    unsafe fn write_turned<const ROWS: usize>(
        &self,
        columns: usize,
        copy: &[T],
        width: usize,
    ) -> usize {
        let done = columns / TURNED * TURNED;
        for first in (0..done).step_by(TURNED) {
            let mut turned = [[T::zero(); ROWS]; TURNED];
            turn_tile::<_, ROWS, TURNED>(&copy[first..], width, turned.as_flattened_mut(), ROWS);
            for (j, column) in turned.iter().enumerate() {
                // SAFETY: as the caller says; a strip's rows stand side by side.
                unsafe { *self.at(0, first + j).cast::<[T; ROWS]>() = *column };
            }
        }
        done
    }
}
