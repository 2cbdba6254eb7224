//! Every operation of the tensor crate: gradient, second derivative, f32 against f64, strided against dense.
//!
//! A row for each operation, a family a file. An operation of the index in the tensor crate's `ops/mod.rs` without a row fails
//! the build's tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attention;
mod elementwise;
mod indexing;
mod lookups;
mod losses;
mod products;
mod recurrent;
mod reductions;
mod shapes;

use std::path::Path;

use lexigrad_check::strategies::{Domain, shape, tensor};
use lexigrad_check::{Batch, Case, Row};
use proptest::prelude::*;

/// The first tensor holds a batch.
const FIRST: Batch = Batch {
    tensors: &[0],
    ids: false,
};

/// A tensor of three axes.
fn cube(domain: Domain) -> impl Strategy<Value = Case> {
    let shapes = shape(3, 1..=3);
    shapes
        .prop_flat_map(move |shape| tensor(shape, domain))
        .prop_map(|x| Case::of(vec![x]))
}

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

fn all_rows() -> Vec<Row> {
    let tables = [
        attention::rows(),
        elementwise::rows(),
        indexing::rows(),
        lookups::rows(),
        losses::rows(),
        products::rows(),
        recurrent::rows(),
        reductions::rows(),
        shapes::rows(),
    ];
    tables.into_iter().flatten().collect()
}

/// The long mode: `cargo test --release -p lexigrad-check --test op_table -- --ignored --nocapture`, 10,000 cases a row unless
/// `OP_TABLE_CASES` says otherwise, and the number of failures.
#[test]
#[ignore = "minutes"]
fn long_mode() {
    let wanted = std::env::var("OP_TABLE_CASES").ok();
    let cases = wanted
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(10_000);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let run_share = |thread: usize| {
        let rows = all_rows().into_iter().skip(thread).step_by(threads);
        let outcome = |row: Row| row.try_run(cases).map_err(|failure| println!("{failure}"));
        rows.map(outcome).filter(Result::is_err).count()
    };
    let failures: usize = std::thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || run_share(thread)))
            .collect();
        shares.into_iter().map(|share| share.join().unwrap()).sum()
    });
    let rows = all_rows();
    let batched = rows.iter().filter(|row| row.is_batched()).count();
    println!("operations in the index: {}", index().len());
    println!(
        "rows, all of them at first and second order: {}",
        rows.len()
    );
    println!("rows run on a batch of one and an empty one too: {batched}");
    println!("cases: {}", rows.len() * cases as usize);
    println!("failures: {failures}");
    assert_eq!(failures, 0);
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

/// The public functions in `ops/`, and the methods that they give tensors.
fn operations() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../tensor/src/ops")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(operations_of(&std::fs::read_to_string(path).unwrap())),
            }
        }
    }
    found
}

fn operations_of(source: &str) -> Vec<String> {
    let mut of_tensors = false;
    let mut found = Vec::new();
    for line in source.lines() {
        if line.starts_with("impl") || line.starts_with("elementwise! {") {
            of_tensors = line == "impl<T: Element> Tensor<T> {" || !line.starts_with("impl");
        }
        let method = line.strip_prefix("    pub fn ").filter(|_| of_tensors);
        let elementwise = line.strip_prefix("    ").filter(|_| of_tensors);
        let elementwise = elementwise.and_then(|line| line.split_once(" as "));
        let name = match (line.strip_prefix("pub fn "), method, elementwise) {
            (Some(function), _, _) | (_, Some(function), _) => function.split(['(', '<']).next(),
            (_, _, Some((name, _))) => Some(name),
            _ => None,
        };
        let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        found.extend(name.filter(is_name).map(str::to_owned));
    }
    found
}

#[test]
fn every_operation_is_in_the_index() {
    // Their results are not differentiated.
    const CONSTANTS: [&str; 2] = ["argmax", "mask"];
    let index = index();
    let is_named = |name: &str| {
        // A variant stands with its operation.
        let variants = ["", "_axes", "_keep", "_with"].into_iter();
        let mut bases = variants.filter_map(|variant| name.strip_suffix(variant));
        bases.any(|base| index.contains(&base) || CONSTANTS.contains(&base))
    };
    let operations = operations();
    assert!(operations.len() > 100, "not found: {operations:?}");
    let missing: Vec<&String> = operations.iter().filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "not in the index: {missing:?}");
}

#[test]
fn every_operation_of_the_index_has_a_row() {
    let rows = all_rows();
    let named: Vec<&str> = rows.iter().map(Row::name).collect();
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
