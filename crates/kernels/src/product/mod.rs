//! Matrix products, shaped by training: blocked as in BLIS (Van Zee and van de Geijn 2015; Goto and van de Geijn 2008).

#![allow(unsafe_code)]

mod blocked;
mod dots;
mod panels;
mod place;
mod reused;
mod tile;

pub use blocked::Right;
pub use panels::Packed;
pub use reused::Reused;

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::storage::Storage;
use crate::vector::on_this_machine;
use crate::view::Matrix;
use crate::{Kernel, PARALLEL_PRODUCTS, dispatch, repetitions, threads};
use blocked::{Part, Product};
use dots::{Dots, DotsPart};
use panels::Cut;
use place::Place;

/// Up to so many multiplications a plain loop is faster.
const SMALL: usize = 128;

/// Up to so many rows or columns a product is a matter of dot products, if both operands stand right for them.
const FEW_ROWS: usize = 8;
const FEW_COLUMNS: usize = 4;

/// How many parts each thread gets: the machine may give one of them less time.
const PARTS: usize = 2;

/// How many multiplications a part has at least: 1 MFLOP, some 10 µs.
const PART: usize = 1 << 19;

/// What the sums of a product start from.
#[derive(Clone, Copy)]
pub enum Start<'a, T> {
    /// Zeros.
    Zero,
    /// What stands in the result.
    Out,
    /// The same n numbers for each row: a bias.
    Row(&'a [T]),
}

/// `out = start + a b`, `a: [m, k]`, `b: [k, n]`, `out: [m, n]`.
///
/// The right operand is a [`Matrix`], or [`Packed`] or [`Reused`] if many products read it. The result comes with the distance between its rows, at least
/// n: row i begins at `i * distance`, and what is between the rows stays.
///
/// Threads share the rows and columns of the result, never the sum over k, so that their number does not change the bits. Within one product a
/// number is the same whatever row and column it stands in.
///
/// # Panics
/// If a matrix reaches beyond its data, the rows of the result overlap, an operand was packed for other sizes, or the memory does not hold a
/// copy of it.
#[inline]
pub fn product<'a, T: Number>(
    sizes: [usize; 3],
    a: Matrix<'_, T>,
    b: impl Into<Right<'a, T>>,
    (out, row): (&mut [T], usize),
    start: Start<'_, T>,
) {
    multiply(sizes, a, b.into(), (out, row), start);
}

#[compiled]
fn multiply<T: Number>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Right<'_, T>,
    (out, row): (&mut [T], usize),
    start: Start<'_, T>,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= row, "the rows of the result overlap");
    Matrix::rows(&*out, row).check_bounds([m, n]);
    if let Start::Row(numbers) = start {
        assert!(numbers.len() == n, "sums start from a row of n numbers");
    }
    match b {
        _ if k == 0 => begin([m, n], (out, row), start),
        Right::View(b) if repetitions(&[m, k, n]) <= SMALL => {
            begin([m, n], (&mut *out, row), start);
            dispatch(Small {
                sizes: [m, k, n],
                a,
                b,
                out,
                row,
            });
        }
        // The other paths read and write by pointer, and rely on these bounds.
        Right::View(b) => {
            a.check_bounds([m, k]);
            b.check_bounds([k, n]);
            of_views([m, k, n], a, b, places(out, row, start));
        }
        Right::Packed(packed) => {
            a.check_bounds([m, k]);
            assert!(
                packed.sizes == [k, n],
                "an operand was packed for another product"
            );
            blocked([m, k, n], a, b, places(out, row, start));
        }
    }
}

/// Writes what the sums start from.
fn begin<T: Number>([m, n]: [usize; 2], (out, row): (&mut [T], usize), start: Start<'_, T>) {
    let rows = out.chunks_mut(row).take(m).map(|row| &mut row[..n]);
    match start {
        Start::Zero => rows.for_each(|row| row.fill(T::zero())),
        Start::Out => (),
        Start::Row(numbers) => rows.for_each(|row| row.copy_from_slice(numbers)),
    }
}

/// The result, and what its sums start from: zeros if that is nothing.
type Places<T> = (Place<T>, Option<Place<T>>);

fn places<T: Copy>(out: &mut [T], row: usize, start: Start<'_, T>) -> Places<T> {
    let out = Place {
        first: out.as_mut_ptr(),
        strides: [row, 1],
    };
    let start = match start {
        Start::Zero => None,
        Start::Out => Some(out),
        Start::Row(numbers) => Some(Place {
            first: numbers.as_ptr().cast_mut(),
            strides: [0, 1],
        }),
    };
    (out, start)
}

fn transposed<T: Copy>((out, start): Places<T>) -> Places<T> {
    (out.transposed(), start.map(Place::transposed))
}

/// [`product`] of operands as they stand, by the path that suits how they do.
fn of_views<T: Number>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    places: Places<T>,
) {
    let in_rows = |matrix: &Matrix<'_, T>| matrix.strides[1] == 1;
    let in_columns = |matrix: &Matrix<'_, T>| matrix.strides[0] == 1 && matrix.strides[1] != 1;
    if m <= FEW_ROWS && in_rows(&a) && in_columns(&b) {
        return dots([n, m, k], b.transposed(), a, transposed(places));
    }
    if n <= FEW_COLUMNS && in_rows(&a) {
        return narrow([m, k, n], a, b, places);
    }
    // As outᵀ = bᵀ aᵀ: bᵀ, now on the left, is read where it stands, and aᵀ, now on the right, is packed. It must pack much less, since
    // the result is turned as well.
    let packs_less = repetitions(&[2, m, k + n]) < repetitions(&[k, n]);
    if in_columns(&b) && in_rows(&a) && packs_less || n <= FEW_COLUMNS && in_columns(&a) {
        let (left, right) = (b.transposed(), Right::View(a.transposed()));
        return blocked([n, k, m], left, right, transposed(places));
    }
    blocked([m, k, n], a, Right::View(b), places);
}

/// [`product`] of few columns: each is a vector that all rows of the left operand are multiplied with.
fn narrow<T: Number>([m, k, n]: [usize; 3], a: Matrix<'_, T>, b: Matrix<'_, T>, places: Places<T>) {
    if b.strides[0] == 1 {
        return dots([m, n, k], a, b.transposed(), places);
    }
    let mut columns = Storage::scratch(k * n);
    for (j, column) in columns.make_mut().chunks_exact_mut(k).enumerate() {
        for (p, out) in column.iter_mut().enumerate() {
            *out = b.at(p, j);
        }
    }
    dots([m, n, k], a, Matrix::rows(columns.as_slice(), k), places);
}

/// `out[i, j] = start[i, j] + Σ long[i, p] short[j, p]`, the rows of the long operand shared by threads.
fn dots<T: Number>(
    sizes: [usize; 3],
    long: Matrix<'_, T>,
    short: Matrix<'_, T>,
    (out, start): Places<T>,
) {
    let rows = sizes[0];
    let dots = Dots {
        sizes,
        long,
        short,
        out,
        start,
    };
    let count = parts_of(&sizes).min(rows.div_ceil(dots::ROWS));
    let parts = (0..count).map(|index| rows * index / count..rows * (index + 1) / count);
    threads::for_each_alone(parts, count > 1, |_, rows| {
        on_this_machine(DotsPart { dots: &dots, rows })
    });
}

/// [`product`] in blocks, shared by threads.
fn blocked<T: Number>(
    sizes: [usize; 3],
    left: Matrix<'_, T>,
    right: Right<'_, T>,
    (out, start): Places<T>,
) {
    let [m, _, n] = sizes;
    let (panels, height) = on_this_machine(Cut::<T>::columns(n));
    let product = Product {
        sizes,
        left,
        right,
        out,
        start,
    };
    let strips = m.div_ceil(height);
    let (rows, columns) = grid(parts_of(&sizes), [m, n], [strips, panels.count]);
    let parts = (0..rows * columns).map(|index| {
        let (i, j) = (index / columns, index % columns);
        let row = |i: usize| (strips * i / rows * height).min(m);
        let panel = |j: usize| panels.count * j / columns;
        (row(i)..row(i + 1), panel(j)..panel(j + 1))
    });
    threads::for_each_alone(parts, rows * columns > 1, |_, (rows, panels)| {
        on_this_machine(Part {
            product: &product,
            rows,
            panels,
        });
    });
}

/// Into how many parts a product is cut: one, unless threads are there and it is large enough.
fn parts_of(sizes: &[usize; 3]) -> usize {
    let work = repetitions(sizes);
    if work < PARALLEL_PRODUCTS || !threads::has_company() {
        return 1;
    }
    (threads::count() * PARTS).min(work / PART)
}

/// Into how many parts rows and columns are cut, so that `count` parts read the least: each row of parts reads all of the right operand, each
/// column of parts all of the left one.
fn grid(count: usize, [m, n]: [usize; 2], [most_rows, most_columns]: [usize; 2]) -> (usize, usize) {
    let cuts = (1..=count).filter(|rows| count.is_multiple_of(*rows));
    let cuts = cuts.map(|rows| (rows.min(most_rows), (count / rows).min(most_columns)));
    let cost = |&(rows, columns): &(usize, usize)| (count - rows * columns, rows * n + columns * m);
    cuts.min_by_key(cost).unwrap_or((1, 1))
}

/// Adds a product of few multiplications to what the result starts from.
struct Small<'a, T> {
    sizes: [usize; 3],
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    out: &'a mut [T],
    row: usize,
}

impl<T: Number> Kernel for Small<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [m, k, n] = self.sizes;
        for (i, row) in self.out.chunks_mut(self.row).take(m).enumerate() {
            for (j, out) in row[..n].iter_mut().enumerate() {
                let mut sum = *out;
                for p in 0..k {
                    sum = self.a.at(i, p).mul_add(self.b.at(p, j), sum);
                }
                *out = sum;
            }
        }
    }
}
