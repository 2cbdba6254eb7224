//! The matrix product on all of its paths: layouts, packed or not, sizes at the edges of tiles and blocks. `LEXIGRAD_INSTRUCTIONS` chooses the
//! instruction set.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_kernels::Number;
use lexigrad_kernels::product::{Packed, Start, product};
use lexigrad_kernels::storage::Storage;
use lexigrad_kernels::view::Matrix;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How an operand of `rows` times `columns` numbers stands in its buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Rows,
    Columns,
    /// Rows with numbers between them.
    Apart,
    /// Rows of which each begins one number after the one before.
    Windows,
    /// Neither rows nor columns stand in one piece.
    Scattered,
    /// Columns that begin 4 KiB of f32, or 8 of f64, apart.
    Pages,
    /// One row again and again, one column, and one number.
    SameRow,
    SameColumn,
    Same,
}

impl Layout {
    fn strides(self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::Rows => [columns, 1],
            Self::Columns => [1, rows],
            Self::Apart => [columns + 3, 1],
            Self::Windows => [1, 1],
            Self::Scattered => [2 * columns + 1, 2],
            Self::Pages => [1, 1024],
            Self::SameRow => [0, 1],
            Self::SameColumn => [1, 0],
            Self::Same => [0, 0],
        }
    }
}

fn layout() -> impl Strategy<Value = Layout> {
    use Layout::{Apart, Columns, Pages, Rows, Same, SameColumn, SameRow, Scattered, Windows};
    prop_oneof![
        3 => Just(Rows),
        3 => Just(Columns),
        1 => Just(Apart),
        1 => Just(Windows),
        1 => Just(Scattered),
        1 => Just(Pages),
        1 => prop_oneof![Just(SameRow), Just(SameColumn), Just(Same)],
    ]
}

/// Sizes that are small, or stand at an edge of a tile or a block on some instruction set.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..=20usize,
        1 => prop_oneof![Just(31usize), Just(32), Just(33), Just(47), Just(48), Just(49)],
        1 => prop_oneof![Just(63usize), Just(64), Just(65), Just(96), Just(97), Just(130)],
    ]
}

fn depth() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..=40usize,
        1 => prop_oneof![Just(255usize), Just(256), Just(257), Just(300), Just(513), Just(2049)],
    ]
}

/// What the sums start from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    Zero,
    Out,
    Row,
}

#[derive(Clone, Debug)]
struct Case {
    sizes: [usize; 3],
    layouts: [Layout; 2],
    /// How many numbers stand between the rows of the result.
    gap: usize,
    origin: Origin,
    packed: bool,
    /// Whether the right operand begins at a line of the cache.
    aligned: bool,
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (size(), depth(), size());
    let rest = (
        layout(),
        layout(),
        0..=3usize,
        prop_oneof![Just(Origin::Zero), Just(Origin::Out), Just(Origin::Row)],
        any::<[bool; 2]>(),
        any::<u64>(),
    );
    (sizes, rest).prop_map(
        |((m, k, n), (a, b, gap, origin, [packed, aligned], seed))| Case {
            sizes: [m, k, n],
            layouts: [a, b],
            gap,
            origin,
            packed,
            aligned,
            seed,
        },
    )
}

/// Buffers of both operands, of the result, and of a row that its sums may start from. What lies between their numbers is NaN.
fn draw<T: Number>(case: &Case) -> [Vec<T>; 4] {
    let mut rng = StdRng::seed_from_u64(case.seed);
    let [m, k, n] = case.sizes;
    let mut buffer = |rows: usize, columns: usize, strides: [usize; 2]| {
        let last = rows.saturating_sub(1) * strides[0] + columns.saturating_sub(1) * strides[1];
        let mut numbers = vec![T::nan(); last + 1];
        for place in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
            let place = place.0 * strides[0] + place.1 * strides[1];
            numbers[place] = T::from_f64(rng.random_range(-1.0..1.0));
        }
        numbers
    };
    [
        buffer(m, k, case.layouts[0].strides([m, k])),
        buffer(k, n, case.layouts[1].strides([k, n])),
        buffer(m, n + case.gap, [n + case.gap, 1]),
        buffer(1, n, [n, 1]),
    ]
}

fn operands<'a, T>(case: &Case, a: &'a [T], b: &'a [T]) -> [Matrix<'a, T>; 2] {
    let [m, k, n] = case.sizes;
    let [left, right] = case.layouts;
    let view = |values, strides| Matrix { values, strides };
    [
        view(a, left.strides([m, k])),
        view(b, right.strides([k, n])),
    ]
}

fn run<T: Number>(case: &Case, [a, b, out, row]: &[Vec<T>; 4]) -> Vec<T> {
    let [_, k, n] = case.sizes;
    let start = match case.origin {
        Origin::Zero => Start::Zero,
        Origin::Out => Start::Out,
        Origin::Row => Start::Row(&row[..n]),
    };
    let mut out = out.clone();
    let aligned = Storage::from_slice(b);
    let b = if case.aligned { aligned.as_slice() } else { b };
    let [left, right] = operands(case, a, b);
    let to = (&mut out[..], n + case.gap);
    if case.packed {
        let packed = Packed::new([k, n], right).unwrap();
        product(case.sizes, left, &packed, to, start);
    } else {
        product(case.sizes, left, right, to, start);
    }
    out
}

/// Each number of the result is the sum in f64, but for `k + 2` roundings; what stands between its rows is as before.
fn check_sums<T: Number>(case: &Case) -> Result<(), TestCaseError> {
    let drawn = draw::<T>(case);
    let [m, k, n] = case.sizes;
    let [left, right] = operands(case, &drawn[0], &drawn[1]);
    let found = run(case, &drawn);
    let row = n + case.gap;
    for (place, (&found, &before)) in found.iter().zip(&drawn[2]).enumerate() {
        let (i, j) = (place / row.max(1), place % row.max(1));
        if m == 0 || j >= n {
            prop_assert_eq!(found.as_f64().to_bits(), before.as_f64().to_bits());
            continue;
        }
        let start = match case.origin {
            Origin::Zero => 0.0,
            Origin::Out => before.as_f64(),
            Origin::Row => drawn[3][j].as_f64(),
        };
        let terms = (0..k).map(|p| left.at(i, p).as_f64() * right.at(p, j).as_f64());
        let (sum, size) = terms.fold((start, start.abs()), |(sum, size), term| {
            (sum + term, size + term.abs())
        });
        let error = (found.as_f64() - sum).abs();
        let bound = (k + 2) as f64 * T::epsilon().as_f64() * size;
        prop_assert!(error <= bound, "[{i}, {j}] is {found}, not {sum}: {case:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_path_gives_the_sums(case in case()) {
        check_sums::<f32>(&case)?;
        check_sums::<f64>(&case)?;
    }

    /// A number depends on its row and its column, and not on where they stand.
    #[test]
    fn rows_and_columns_that_change_places_keep_their_bits(case in case()) {
        check_places::<f32>(&case)?;
        check_places::<f64>(&case)?;
    }
}

/// The bits of a product whose rows and columns stand in the opposite order are those of the product.
fn check_places<T: Number>(case: &Case) -> Result<(), TestCaseError> {
    let in_columns = case.layouts[1] == Layout::Columns;
    let right = if in_columns {
        Layout::Columns
    } else {
        Layout::Rows
    };
    let layouts = [Layout::Rows, right];
    let case = Case {
        layouts,
        gap: 0,
        ..case.clone()
    };
    let [m, k, n] = case.sizes;
    let drawn = draw::<T>(&case);
    let [a, b, out, start] = drawn.clone();
    let by_rows = |values: &[T], row: usize| -> Vec<T> {
        let rows = values.chunks(row.max(1)).rev();
        rows.flatten().copied().collect()
    };
    let by_columns = |values: &[T], row: usize| -> Vec<T> {
        let rows = values.chunks(row.max(1));
        rows.flat_map(|row| row.iter().rev()).copied().collect()
    };
    let both = |values: &[T]| by_columns(&by_rows(values, n), n);
    let turned = [
        by_rows(&a, k),
        if in_columns {
            by_rows(&b, k)
        } else {
            by_columns(&b, n)
        },
        both(&out),
        by_columns(&start, n),
    ];
    if m == 0 || k == 0 || n == 0 {
        return Ok(());
    }
    let bits = |values: Vec<T>| -> Vec<u64> {
        values
            .iter()
            .map(|value| value.as_f64().to_bits())
            .collect()
    };
    prop_assert_eq!(bits(both(&run(&case, &drawn))), bits(run(&case, &turned)));
    Ok(())
}

#[test]
fn threads_never_change_the_bits() {
    let pool = |threads| {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        builder.build().unwrap()
    };
    let pools = [1, 2, 3, 8].map(pool);
    for sizes in [
        [128, 128, 128],
        [300, 1000, 70],
        [33, 4000, 65],
        [49, 50, 430],
        [2048, 512, 1],
        [3, 600, 1024],
        [1000, 128, 512],
        [2048, 600, 40],
        [70, 300, 900],
        [1024, 300, 200],
    ] {
        for layouts in [
            [Layout::Rows, Layout::Rows],
            [Layout::Rows, Layout::Columns],
            [Layout::Columns, Layout::Rows],
        ] {
            for (packed, origin) in [
                (false, Origin::Zero),
                (true, Origin::Out),
                (false, Origin::Row),
            ] {
                let case = Case {
                    sizes,
                    layouts,
                    gap: 0,
                    origin,
                    packed,
                    aligned: true,
                    seed: 1,
                };
                check_sums::<f32>(&case).unwrap();
                let drawn = draw::<f32>(&case);
                let results = pools
                    .each_ref()
                    .map(|pool| pool.install(|| run(&case, &drawn)));
                let bits =
                    results.map(|result| result.into_iter().map(f32::to_bits).collect::<Vec<_>>());
                assert!(bits.windows(2).all(|pair| pair[0] == pair[1]), "{case:?}");
            }
        }
    }
}

#[test]
fn an_operand_that_no_memory_holds_is_an_error() {
    let (values, strides) = (&[0.0_f32; 16][..], [0, 1]);
    let matrix = Matrix { values, strides };
    assert!(Packed::new([1 << 60, 16], matrix).is_err());
}

#[test]
fn a_matrix_that_is_a_number_short_is_refused() {
    for [m, k, n] in [[2, 3, 4], [2, 300, 40], [90, 300, 2], [90, 30, 40]] {
        for short in 0..3 {
            for turned in [false, true] {
                let length = |matrix: usize, size: usize| size - usize::from(matrix == short);
                let a = vec![0.0_f32; length(0, m * k)];
                let b = vec![0.0_f32; length(1, k * n)];
                let mut out = vec![0.0_f32; length(2, m * n)];
                let b = if turned {
                    Matrix::rows(&b, k).transposed()
                } else {
                    Matrix::rows(&b, n)
                };
                let to = (&mut out[..], n);
                let run = || product([m, k, n], Matrix::rows(&a, k), b, to, Start::Zero);
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
                assert!(outcome.is_err(), "{m} {k} {n}, {short}");
            }
        }
    }
}
