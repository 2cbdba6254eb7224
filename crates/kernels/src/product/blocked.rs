//! The loops around the microkernel, named as Van Zee and van de Geijn (2015) name them.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::panels::{Packed, Panel, Panels, Strips, pack_left, pack_panels};
use super::place::{Place, compute};
use super::tile::{self, Operands};
use crate::number::Number;
use crate::prefetch;
use crate::storage::Storage;
use crate::vector::lanes;
use crate::view::Matrix;

/// How long the inner axis of a block is at most (KC).
///
/// A strip of the left operand then takes 8 KiB of the first cache, and a panel of the right one 48 KiB of the second.
const DEPTH: usize = 256;

/// How many rows a block of the left operand has at most (MC): it takes 64 KiB of the second cache, and its result up to 96.
const ROWS: usize = 64;

/// How many bytes a block of the right operand takes at most (KC times NC): three quarters of a small second cache.
const BLOCK: usize = 3 << 17;

/// How many blocks of the right operand are packed at a time, one below the other, so that the result is read and written once for all.
const TOGETHER: usize = 8;

/// How far apart the columns of a left operand fall on the same few places of the cache. Then they are packed, in bytes.
const PAGE: usize = 1 << 12;

/// Up to so many rows a right operand that stands in rows is read where it stands; more if each vector of it is a whole line of the cache.
const IN_PLACE: usize = ROWS / 2;
const IN_PLACE_IN_LINES: usize = 4 * ROWS;

/// How many bytes a line of the cache has.
const LINE: usize = 64;

/// The right operand of a product: as it stands, or packed before.
#[derive(Clone, Copy)]
pub enum Right<'a, T: Number> {
    /// By strides.
    View(Matrix<'a, T>),
    /// In panels.
    Packed(&'a Packed<T>),
}

impl<'a, T: Number> From<Matrix<'a, T>> for Right<'a, T> {
    fn from(matrix: Matrix<'a, T>) -> Self {
        Self::View(matrix)
    }
}

impl<'a, T: Number> From<&'a Packed<T>> for Right<'a, T> {
    fn from(packed: &'a Packed<T>) -> Self {
        Self::Packed(packed)
    }
}

/// A product of which every part can be computed alone: the rows and panels of the result that a thread computes.
pub struct Product<'a, T: Number> {
    pub sizes: [usize; 3],
    pub left: Matrix<'a, T>,
    pub right: Right<'a, T>,
    pub out: Place<T>,
    /// What the sums start from; zeros if it is nothing.
    pub start: Option<Place<T>>,
}

/// Rows and panels of the result.
pub struct Part<'a, T: Number> {
    pub product: &'a Product<'a, T>,
    pub rows: Range<usize>,
    pub panels: Range<usize>,
}

impl<T: Number> WithSimd for Part<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [_, k, n] = self.product.sizes;
        let panels = Panels::new::<T, S>(n);
        let width = tile::vectors::<S>() * lanes::<T, S>();
        let depth = k.div_ceil(k.div_ceil(DEPTH));
        let most = (BLOCK / (depth * width * size_of::<T>())).max(1);
        let blocks = self.panels.len().div_ceil(most).max(1);
        // The fifth loop (jc): blocks of columns.
        for index in 0..blocks {
            let panel = |index: usize| self.panels.start + self.panels.len() * index / blocks;
            let block = panel(index)..panel(index + 1);
            for start in (0..k).step_by(TOGETHER * depth) {
                let deep = start..k.min(start + TOGETHER * depth);
                let right = self.right::<S>(panels, block.clone(), deep.clone());
                // The third loop (ic): blocks of rows. It stands around the fourth, so that a block of the result stays in the cache.
                let height = ROWS / tile::rows::<S>() * tile::rows::<S>();
                for first in self.rows.clone().step_by(height) {
                    let rows = first..self.rows.end.min(first + height);
                    // The fourth loop (pc): blocks of the inner axis.
                    for start in deep.clone().step_by(depth) {
                        let inner = start..deep.end.min(start + depth);
                        self.block(simd, panels, &right, [rows.clone(), inner, block.clone()]);
                    }
                }
            }
        }
    }
}

impl<T: Number> Part<'_, T> {
    /// A block of the result from one of each operand: the second loop and the first.
    ///
    /// The second goes through strips of the left operand, which stay in the first cache, the first through panels of the right one, which
    /// come from the second cache.
    #[inline(always)]
    fn block<S: Simd>(
        &self,
        simd: S,
        panels: Panels,
        right: &Block<T>,
        [rows, inner, columns]: [Range<usize>; 3],
    ) {
        let product = self.product;
        let [row, column] = product.left.strides;
        let left = &product.left.values[rows.start * row + inner.start * column..];
        let strips = Strips::new::<S>(rows.len());
        // No closure: one that is not inlined would be compiled for the baseline.
        let mut packed = None;
        if row == 1 && columns.len() > 1 && column.is_multiple_of(PAGE / size_of::<T>()) {
            let packed = packed.insert(Storage::scratch(rows.len() * inner.len()));
            pack_left::<S, T>(left, column, strips, packed.make_mut());
        }
        let start = if inner.start > 0 {
            Some(product.out)
        } else {
            product.start
        };
        for strip in (0..strips.count).map(|index| strips.get(index)) {
            let height = strip.len();
            let (left, left_strides, next) = match &packed {
                Some(packed) => (
                    &packed.as_slice()[strip.start * inner.len()..],
                    [1, height],
                    &[][..],
                ),
                None => {
                    let next = left.get(strip.end * row..).unwrap_or_default();
                    (&left[strip.start * row..], [row, column], next)
                }
            };
            let first = rows.start + strip.start;
            for (turn, index) in columns.clone().enumerate() {
                if column == 1 && strip.end < rows.len() {
                    // A piece of the next strip at each turn: all of it has come when its own turn does.
                    let start = inner.len() * turn / columns.len();
                    let end = inner.len() * (turn + 1) / columns.len();
                    prefetch_rows(next, row, height, start..end);
                }
                let panel = panels.get(index);
                let (right, right_row) = right.panel::<S>(index, &panel, inner.start);
                let operands = Operands {
                    depth: inner.len(),
                    left: left.as_ptr(),
                    left_strides,
                    right,
                    right_row,
                    out: product.out.from(first, panel.first),
                    start: start.map(|start| start.from(first, panel.first)),
                };
                // SAFETY: the rows and columns of this part lie in the operands, in the result and in what it starts from, which `product`
                // checked, and a part is given to one thread.
                unsafe { compute(simd, height, &panel, operands) };
            }
        }
    }

    /// Panels of the right operand, packed unless they stand well. The last one is packed too where it has columns beyond the operand.
    #[inline(always)]
    fn right<S: Simd>(&self, panels: Panels, block: Range<usize>, inner: Range<usize>) -> Block<T> {
        let matrix = match self.product.right {
            Right::Packed(packed) => {
                return Block {
                    place: std::ptr::null(),
                    row: 0,
                    copy: None,
                    packed: packed.as_ptr(),
                    first: 0,
                    column: 0,
                    start: 0,
                    depth: packed.sizes[0],
                };
            }
            Right::View(matrix) => matrix,
        };
        let lanes = lanes::<T, S>();
        let last = panels.get(block.end - 1);
        let end = last.first + last.vectors * lanes;
        let in_lines = lanes * size_of::<T>() == LINE
            && matrix.values.as_ptr().addr().is_multiple_of(LINE)
            && matrix.strides[0].is_multiple_of(LINE / size_of::<T>());
        let most = if in_lines {
            IN_PLACE_IN_LINES
        } else {
            IN_PLACE
        };
        let stands = matrix.strides[1] == 1 && self.rows.len() <= most;
        let first = match stands {
            false => block.start,
            true if last.columns == last.vectors * lanes => block.end,
            true => block.end - 1,
        };
        let column = if first < block.end {
            panels.get(first).first
        } else {
            end
        };
        let (mut copy, mut packed) = (None, std::ptr::null());
        if first < block.end {
            let copy = copy.insert(Storage::scratch((end - column) * inner.len()));
            let out = copy.make_mut();
            pack_panels::<S, T>(matrix, panels, first..block.end, inner.clone(), out);
            packed = copy.as_slice().as_ptr();
        }
        Block {
            place: matrix.values.as_ptr(),
            row: matrix.strides[0],
            packed,
            copy,
            first,
            column,
            start: inner.start,
            depth: inner.len(),
        }
    }
}

/// Asks for these columns of some rows that begin so far apart.
#[inline(always)]
fn prefetch_rows<T>(values: &[T], row: usize, rows: usize, columns: Range<usize>) {
    for values in values.chunks(row.max(1)).take(rows) {
        prefetch(values.get(columns.clone()).unwrap_or_default());
    }
}

/// Panels of the right operand: those before the first that is packed where they stand, the others in the copy.
struct Block<T: Number> {
    place: *const T,
    row: usize,
    #[expect(dead_code, reason = "it owns what `packed` points to")]
    copy: Option<Storage<T>>,
    packed: *const T,
    /// The first panel that is packed, its first column and row, and how many rows there are.
    first: usize,
    column: usize,
    start: usize,
    depth: usize,
}

impl<T: Number> Block<T> {
    /// The first number of a panel in this row, and the distance between its rows.
    #[inline(always)]
    fn panel<S: Simd>(&self, index: usize, panel: &Panel, row: usize) -> (*const T, usize) {
        if index < self.first {
            return (
                self.place.wrapping_add(row * self.row + panel.first),
                self.row,
            );
        }
        let width = panel.vectors * lanes::<T, S>();
        let place = (panel.first - self.column) * self.depth + (row - self.start) * width;
        (self.packed.wrapping_add(place), width)
    }
}
