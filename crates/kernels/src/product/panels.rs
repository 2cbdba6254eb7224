//! How the columns of a product are cut into panels, and operands packed in the order in which a tile reads them.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::{FEW_COLUMNS, tile};
use crate::number::Number;
use crate::prefetch;
use crate::storage::{OutOfMemory, Storage};
use crate::transpose::{TILE, turn_tile};
use crate::vector::{lanes, on_this_machine};
use crate::view::Matrix;

/// How many rows ahead packing asks the memory for them: rows that begin far apart are not foreseen by the processor.
const AHEAD: usize = 32;

/// Asks for so many numbers from this place on, or as many as there are.
#[inline(always)]
fn prefetch_row<T>(values: &[T], start: usize, count: usize) {
    let row = values.get(start..).unwrap_or_default();
    prefetch(&row[..count.min(row.len())]);
}

/// The panels of n columns: three vectors wide, or two, and narrower at the end.
///
/// A rest of one vector beside panels of three becomes two of two, since a tile of one vector keeps the units half busy.
#[derive(Clone, Copy, Debug)]
pub struct Panels {
    /// How many numbers a vector has.
    lanes: usize,
    columns: usize,
    /// How many panels there are, and how many of them have the full width.
    pub count: usize,
    full: usize,
    width: usize,
    /// How many vectors each of the others has.
    rest: usize,
}

/// Work that cuts so many columns into panels.
pub struct Cut<T>(usize, PhantomData<T>);

impl<T> Cut<T> {
    pub fn columns(columns: usize) -> Self {
        Self(columns, PhantomData)
    }
}

/// The panels, and how many rows a tile has.
impl<T: Number> WithSimd for Cut<T> {
    type Output = (Panels, usize);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        (Panels::new::<T, S>(self.0), tile::rows::<S>())
    }
}

/// A panel: its first column, its vectors, and how many of the columns exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    pub first: usize,
    pub vectors: usize,
    pub columns: usize,
}

impl Panels {
    pub fn new<T: Number, S: Simd>(columns: usize) -> Self {
        let lanes = lanes::<T, S>();
        let vectors = columns.div_ceil(lanes);
        let width = tile::vectors::<S>();
        let (full, rest) = (vectors / width, vectors % width);
        let (full, rest, more) = match (full, rest, width) {
            (1.., 1, 3) => (full - 1, 2, 2),
            (_, 0, _) => (full, 0, 0),
            _ => (full, rest, 1),
        };
        Self {
            lanes,
            columns,
            count: full + more,
            full,
            width,
            rest,
        }
    }

    /// How many columns the vectors of all panels have, those beyond the last included.
    pub fn padded(&self) -> usize {
        self.columns.next_multiple_of(self.lanes)
    }

    pub fn get(&self, index: usize) -> Panel {
        let narrow = index.saturating_sub(self.full);
        let before = (index - narrow) * self.width + narrow * self.rest;
        let vectors = if index < self.full {
            self.width
        } else {
            self.rest
        };
        let first = before * self.lanes;
        Panel {
            first,
            vectors,
            columns: (vectors * self.lanes).min(self.columns - first),
        }
    }
}

/// From so many numbers on an operand that is read again is worth a packed copy.
const WORTH_KEEPING: usize = 1 << 10;

/// A right operand in panels: each holds its rows one after another, zeros where it has fewer columns than its vectors.
///
/// It is made once and read by many products. Its order is that of this machine's instruction set.
pub struct Packed<T: Number> {
    values: Storage<T>,
    /// How many rows and columns it has.
    pub(super) sizes: [usize; 2],
}

impl<T: Number> Packed<T> {
    /// `b: [k, n]`, packed.
    ///
    /// # Errors
    /// If the system does not give the memory for the copy.
    ///
    /// # Panics
    /// If the matrix reaches beyond its data.
    pub fn new([k, n]: [usize; 2], b: Matrix<'_, T>) -> Result<Self, OutOfMemory> {
        if k > 0 && n > 0 {
            b.check_bounds([k, n]);
        }
        let values = on_this_machine(Pack { sizes: [k, n], b })?;
        let sizes = [k, n];
        Ok(Self { values, sizes })
    }

    /// Whether products read an operand of these sizes faster from a packed copy that is kept for them than where it stands.
    pub fn is_worth_keeping([k, n]: [usize; 2]) -> bool {
        n > FEW_COLUMNS && k.saturating_mul(n) >= WORTH_KEEPING
    }

    pub(super) fn as_ptr(&self) -> *const T {
        self.values.as_slice().as_ptr()
    }
}

struct Pack<'a, T> {
    sizes: [usize; 2],
    b: Matrix<'a, T>,
}

impl<T: Number> WithSimd for Pack<'_, T> {
    type Output = Result<Storage<T>, OutOfMemory>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let [k, n] = self.sizes;
        let panels = Panels::new::<T, S>(n);
        let size = k.checked_mul(panels.padded());
        let mut values = Storage::uninitialised(size.unwrap_or(usize::MAX))?;
        if k > 0 {
            pack_panels::<S, T>(self.b, panels, 0..panels.count, 0..k, values.make_mut());
        }
        Ok(values)
    }
}

/// Some rows of some panels of a right operand, panel after panel.
#[inline(always)]
pub fn pack_panels<S: Simd, T: Number>(
    b: Matrix<'_, T>,
    panels: Panels,
    block: Range<usize>,
    rows: Range<usize>,
    out: &mut [T],
) {
    let mut rest = out;
    for panel in block.map(|index| panels.get(index)) {
        let width = panel.vectors * lanes::<T, S>();
        let (own, others) = std::mem::take(&mut rest).split_at_mut(rows.len() * width);
        rest = others;
        pack::<S, T>(b, [rows.start, panel.first], panel.columns, width, own);
    }
}

/// `out[p, j] = b[first_row + p, first_column + j]` for the columns that exist, zeros for the others, `out: [.., width]`.
#[inline(always)]
fn pack<S: Simd, T: Number>(
    b: Matrix<'_, T>,
    [first_row, first_column]: [usize; 2],
    columns: usize,
    width: usize,
    out: &mut [T],
) {
    let [row, column] = b.strides;
    let b = &b.values[first_row * row + first_column * column..];
    if column == 1 && columns == width {
        let vectors = width / lanes::<T, S>();
        assert!(
            b.len() >= (out.len() / width - 1) * row + width,
            "a panel reaches beyond its operand"
        );
        for (p, out) in out.chunks_exact_mut(width).enumerate() {
            prefetch_row(b, (p + AHEAD) * row, width);
            for v in 0..vectors {
                let place = v * lanes::<T, S>();
                // SAFETY: the last row's last vector was checked to be there, and the chunk has `width` numbers.
                unsafe {
                    let from = b.as_ptr().add(p * row + place).cast::<T::Vector<S>>();
                    out.as_mut_ptr()
                        .add(place)
                        .cast::<T::Vector<S>>()
                        .write_unaligned(from.read_unaligned());
                }
            }
        }
        return;
    }
    if column == 1 {
        for (p, out) in out.chunks_exact_mut(width).enumerate() {
            let (own, rest) = out.split_at_mut(columns);
            own.copy_from_slice(&b[p * row..][..columns]);
            rest.fill(T::zero());
        }
        return;
    }
    if columns < width {
        let rests = out.chunks_exact_mut(width).map(|out| &mut out[columns..]);
        rests.for_each(|rest| rest.fill(T::zero()));
    }
    let depth = out.len() / width;
    if row == 1 && depth >= TILE && columns >= TILE {
        // The last tile of a row or column of tiles begins early enough to be whole.
        for j in (0..columns).step_by(TILE).map(|j| j.min(columns - TILE)) {
            for p in (0..depth).step_by(TILE).map(|p| p.min(depth - TILE)) {
                // The rows of the next tiles, which begin far apart.
                for next in j + TILE..j + 2 * TILE {
                    prefetch_row(b, p + next * column, TILE);
                }
                let out = &mut out[p * width + j..];
                turn_tile::<_, TILE, TILE>(&b[p + j * column..], column, out, width);
            }
        }
        return;
    }
    for (p, out) in out.chunks_exact_mut(width).enumerate() {
        for (j, out) in out[..columns].iter_mut().enumerate() {
            *out = b[p * row + j * column];
        }
    }
}

/// The rows of a block of the left operand in strips: of the full height, but for the last two, which share what is left.
#[derive(Clone, Copy, Debug)]
pub struct Strips {
    rows: usize,
    height: usize,
    pub count: usize,
}

impl Strips {
    pub fn new<S: Simd>(rows: usize) -> Self {
        let height = tile::rows::<S>();
        Self {
            rows,
            height,
            count: rows.div_ceil(height),
        }
    }

    /// The rows of a strip.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Range<usize> {
        let full = self.count.saturating_sub(2);
        let start = |index: usize| {
            let before = index.min(full) * self.height;
            let shared = self.rows - full * self.height;
            before + shared * index.saturating_sub(full) / (self.count - full)
        };
        start(index)..start(index + 1)
    }
}

/// Strips of a left operand whose rows stand side by side, one after another: of each, its columns.
#[inline(always)]
pub fn pack_left<S: Simd, T: Number>(a: &[T], column: usize, strips: Strips, out: &mut [T]) {
    match tile::rows::<S>() {
        8 => pack_strips::<T, 8>(a, column, strips, out),
        _ => pack_strips::<T, 6>(a, column, strips, out),
    }
}

/// [`pack_left`] for strips that mostly have one height.
#[inline(always)]
fn pack_strips<T: Number, const HEIGHT: usize>(
    a: &[T],
    column: usize,
    strips: Strips,
    out: &mut [T],
) {
    let depth = out.len() / strips.rows;
    if strips.rows == strips.count * HEIGHT {
        let (out, _) = out.as_chunks_mut::<HEIGHT>();
        for p in 0..depth {
            prefetch_row(a, (p + AHEAD) * column, strips.rows);
            let (a, _) = a[p * column..][..strips.rows].as_chunks::<HEIGHT>();
            for (strip, a) in a.iter().enumerate() {
                out[strip * depth + p] = *a;
            }
        }
        return;
    }
    for rows in (0..strips.count).map(|index| strips.get(index)) {
        let height = rows.len();
        let out = &mut out[rows.start * depth..rows.end * depth];
        for (p, out) in out.chunks_exact_mut(height).enumerate() {
            let a = &a[p * column + rows.start..][..height];
            out.iter_mut().zip(a).for_each(|(out, &a)| *out = a);
        }
    }
}
