//! Every operation of the tensor crate: gradient, second derivative, f32 against f64, strided against dense.
//!
//! A row for each operation, a family a file. An operation of the index in the tensor crate's `ops/mod.rs` without a row fails
//! the build's tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod elementwise;
mod indexing;
mod lookups;
mod losses;
mod products;
mod reductions;
mod shapes;

use lexigrad_check::Row;

/// Cases drawn for each row; `OP_TABLE_CASES` asks for more.
fn cases() -> u32 {
    let wanted = std::env::var("OP_TABLE_CASES").ok();
    wanted.and_then(|cases| cases.parse().ok()).unwrap_or(64)
}

fn run(rows: &[Row]) {
    for row in rows {
        row.run(cases());
    }
}

/// The operations named in the first column of the index.
fn index() -> Vec<&'static str> {
    let source = include_str!("../../../tensor/src/ops/mod.rs");
    let lines = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `"));
    let names = lines.flat_map(|line| line.split('|').next().unwrap_or(line).split('`'));
    names
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_operation_of_the_index_has_a_row() {
    let tables = [
        elementwise::rows(),
        indexing::rows(),
        lookups::rows(),
        losses::rows(),
        products::rows(),
        reductions::rows(),
        shapes::rows(),
    ];
    let named: Vec<&str> = tables.iter().flatten().map(Row::name).collect();
    // A row is named after its operation, with the variant behind it.
    let has_row = |operation: &str| {
        named
            .iter()
            .any(|name| name.split(' ').next() == Some(operation))
    };
    let index = index();
    assert!(index.len() > 50, "the index was not found: {index:?}");
    let missing: Vec<&str> = index
        .into_iter()
        .filter(|operation| !has_row(operation))
        .collect();
    assert!(missing.is_empty(), "operations without a row: {missing:?}");
}
