//! What is a convention and no derivative, held against its definition; and what must hold of every sparse gradient.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::strategies::{Domain, table_with_ids, tensor};
use lexigrad_tensor::{
    EmbeddingOptions, Grad, Ids, RowSparse, Shape, Tape, Tensor, dropout, embedding, gather_rows,
    scatter_rows,
};
use proptest::prelude::*;

/// A table, ids, and a cotangent for their lookup.
fn lookups() -> impl Strategy<Value = (Tensor<f64>, Ids, Tensor<f64>)> {
    table_with_ids(0..=2).prop_flat_map(|(table, ids)| {
        let rows: Shape = ids
            .shape()
            .iter()
            .copied()
            .chain([table.shape()[1]])
            .collect();
        (Just(table), Just(ids), tensor(rows, Domain::Any))
    })
}

fn gradient(
    table: &Tensor<f64>,
    ids: &Ids,
    cotangent: &Tensor<f64>,
    options: EmbeddingOptions,
) -> Grad<f64> {
    let tape = Tape::new();
    let leaf = tape.watch(table);
    let rows = embedding(&leaf, ids, &options).unwrap();
    tape.backward_with(&rows, cotangent)
        .unwrap()
        .of(&leaf)
        .unwrap()
        .clone()
}

fn assert_close(x: &Tensor<f64>, y: &Tensor<f64>) {
    assert_eq!(x.shape(), y.shape());
    let close = x
        .to_vec()
        .iter()
        .zip(y.to_vec())
        .all(|(x, y)| (x - y).abs() < 1e-12);
    assert!(close, "{x}\n{y}");
}

proptest! {
    #[test]
    fn gather_and_scatter_are_adjoint((table, ids, cotangent) in lookups()) {
        let forward = gather_rows(&table, &ids).unwrap().mul(&cotangent).unwrap().sum().item().unwrap();
        let scattered = scatter_rows(&cotangent, &ids, table.shape()[0]).unwrap();
        let backward = table.mul(&scattered).unwrap().sum().item().unwrap();
        prop_assert!((forward - backward).abs() < 1e-10 * (1.0 + forward.abs()));
    }

    #[test]
    fn a_sparse_gradient_equals_the_dense_one((table, ids, cotangent) in lookups()) {
        let sparse = gradient(&table, &ids, &cotangent, EmbeddingOptions::default());
        let options = EmbeddingOptions { dense_grad: true, ..EmbeddingOptions::default() };
        let dense = gradient(&table, &ids, &cotangent, options);
        prop_assert!(sparse.as_row_sparse().is_some() && dense.as_row_sparse().is_none());
        assert_close(&sparse.to_dense().unwrap(), &dense.to_dense().unwrap());
    }

    #[test]
    fn coalescing_keeps_the_sum_and_repeats_nothing((table, ids, cotangent) in lookups()) {
        let Grad::RowSparse(sparse) = gradient(&table, &ids, &cotangent, EmbeddingOptions::default()) else {
            panic!("a dense gradient");
        };
        let once = sparse.coalesce();
        assert_close(&once.to_dense().unwrap(), &sparse.to_dense().unwrap());
        let mut rows = once.rows().as_slice().to_vec();
        rows.sort_unstable();
        rows.dedup();
        prop_assert_eq!(rows.len(), once.rows().len());
        let twice = once.coalesce();
        prop_assert_eq!(twice.rows(), once.rows());
        prop_assert_eq!(twice.values().to_vec(), once.values().to_vec());
    }

    #[test]
    fn padding_is_the_gradient_without_its_row((table, ids, cotangent) in lookups()) {
        let options = EmbeddingOptions { padding: Some(0), ..EmbeddingOptions::default() };
        let padded = gradient(&table, &ids, &cotangent, options);
        let whole = gradient(&table, &ids, &cotangent, EmbeddingOptions::default()).to_dense().unwrap();
        let rows = table.shape()[0];
        let mut keep = vec![1.0; rows];
        keep[0] = 0.0;
        let keep = Tensor::from(keep).reshape([rows, 1]).unwrap();
        assert_close(&padded.to_dense().unwrap(), &whole.mul(&keep).unwrap());
        prop_assert!(!padded.as_row_sparse().unwrap().rows().as_slice().contains(&0));
    }

    #[test]
    fn scaling_by_frequency_divides_a_row_by_its_count((table, ids, cotangent) in lookups()) {
        let options = EmbeddingOptions { scale_grad_by_freq: true, ..EmbeddingOptions::default() };
        let scaled = gradient(&table, &ids, &cotangent, options).to_dense().unwrap();
        let whole = gradient(&table, &ids, &cotangent, EmbeddingOptions::default()).to_dense().unwrap();
        let rows = table.shape()[0];
        let count = |row: usize| ids.as_slice().iter().filter(|&&id| id as usize == row).count().max(1);
        let counts: Vec<f64> = (0..rows).map(|row| count(row) as f64).collect();
        let counts = Tensor::from(counts).reshape([rows, 1]).unwrap();
        assert_close(&scaled, &whole.div(&counts).unwrap());
    }

    #[test]
    fn dropout_is_a_product_with_one_mask(seed in any::<u64>(), p in 0.0..0.9f64, size in 0..50usize) {
        let x: Tensor<f64> = Tensor::uniform([size], -1.0, 1.0, &mut rand::rng());
        let mask = {
            let _tape = Tape::seeded(seed);
            dropout(&Tensor::<f64>::ones([size]), p).unwrap()
        };
        let tape = Tape::seeded(seed);
        let leaf = tape.watch(&x);
        let y = dropout(&leaf, p).unwrap();
        assert_close(&y, &x.mul(&mask).unwrap());
        let scale = 1.0 / (1.0 - p);
        prop_assert!(mask.to_vec().iter().all(|&m| m == 0.0 || (m - scale).abs() < 1e-12));
        let gradient = tape.grad(&y.sum(), &[&leaf]).unwrap().remove(0);
        assert_close(&gradient, &mask);
    }
}

#[test]
fn nothing_but_padding_leaves_no_entries() {
    let table = Tensor::ones([1, 3]);
    let options = EmbeddingOptions {
        padding: Some(0),
        ..EmbeddingOptions::default()
    };
    let ids = Ids::new([0, 0]).unwrap();
    let gradient = gradient(&table, &ids, &Tensor::ones([2, 3]), options);
    assert_eq!(gradient.as_row_sparse().unwrap().rows().len(), 0);
    assert_eq!(gradient.to_dense().unwrap().to_vec(), [0.0; 3]);
}

#[test]
fn rows_beyond_the_table_are_refused() {
    let error = RowSparse::new(Ids::new([3]).unwrap(), Tensor::<f64>::ones([1, 2]), 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row-sparse gradient: id 3 at [0] is out of range for a table of 3 rows"
    );
}
