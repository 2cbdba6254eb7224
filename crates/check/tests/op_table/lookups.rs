//! Lookups of rows and bags. A square follows each, so that the second derivative is not zero.

use lexigrad_check::strategies::{Domain, ids_of, shape, table_with_ids, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_tensor::{
    BagMode, Bags, EmbeddingOptions, Ids, Result, Shape, bag_sum, embedding, embedding_bag,
    embedding_bag_weighted, gather_rows, sampled_matmul, scatter_rows,
};
use proptest::prelude::*;

#[test]
fn lookups() {
    crate::run(&rows());
}

fn lookup() -> impl Strategy<Value = Case> {
    table_with_ids(0..=2).prop_map(Case::with_ids)
}

/// A table, a weight for each id, and ids of one axis.
fn weighted() -> impl Strategy<Value = Case> {
    table_with_ids(1..=1).prop_flat_map(|(table, ids)| {
        let weights = tensor(Shape::from([ids.len()]), Domain::Any);
        weights.prop_map(move |weights| Case {
            tensors: vec![table.clone(), weights],
            ids: ids.clone(),
        })
    })
}

fn flat() -> impl Strategy<Value = Case> {
    table_with_ids(1..=1).prop_map(Case::with_ids)
}

/// Three rows, a matrix with rows of their size, and ids of its rows.
fn sampled() -> impl Strategy<Value = Case> {
    table_with_ids(1..=1).prop_flat_map(|(matrix, ids)| {
        let rows = tensor(Shape::from([3, matrix.shape()[1]]), Domain::Any);
        rows.prop_map(move |rows| Case {
            tensors: vec![rows, matrix.clone()],
            ids: ids.clone(),
        })
    })
}

/// Values `[.., dim]`, and ids below 4 that say where each row goes.
fn scattered() -> impl Strategy<Value = Case> {
    (shape(0..=2, 0..=3), 1..=3usize).prop_flat_map(|(outer, dim)| {
        let values: Shape = outer.iter().copied().chain([dim]).collect();
        (tensor(values, Domain::Any), ids_of(outer, 4)).prop_map(Case::with_ids)
    })
}

/// Three bags: the first half of the ids, none, and the rest.
fn bags(ids: &Ids) -> Result<Bags> {
    let middle = ids.len() / 2;
    Bags::from_offsets(ids, &[0, middle, middle])
}

fn plain() -> EmbeddingOptions {
    EmbeddingOptions::default()
}

fn dense() -> EmbeddingOptions {
    EmbeddingOptions {
        dense_grad: true,
        ..EmbeddingOptions::default()
    }
}

/// A batch of ids; the table is one for all.
const BY_IDS: Batch = Batch {
    tensors: &[],
    ids: true,
};

pub fn rows() -> Vec<Row> {
    vec![
        row!("gather_rows", lookup(), |x, ids| Ok(gather_rows(
            &x[0], ids
        )?
        .square()))
        .batched(BY_IDS),
        row!("gather_rows twice and whole", lookup(), |x, ids| {
            let (rows, whole) = (gather_rows(&x[0], ids)?, x[0].square().sum());
            rows.square()
                .sum()
                .add(&gather_rows(&x[0], ids)?.exp().sum())?
                .add(&whole)
        }),
        row!("gather_rows of a computed table", lookup(), |x, ids| {
            gather_rows(&x[0].square(), ids)
        }),
        row!("scatter_rows", scattered(), |x, ids| Ok(scatter_rows(
            &x[0], ids, 4
        )?
        .square())),
        row!("embedding", lookup(), |x, ids| Ok(embedding(
            &x[0],
            ids,
            &plain()
        )?
        .square()))
        .batched(BY_IDS),
        row!("embedding with a dense gradient", lookup(), |x, ids| Ok(
            embedding(&x[0], ids, &dense())?.square()
        ))
        .batched(BY_IDS),
        row!("embedding_bag sum", flat(), |x, ids| {
            Ok(embedding_bag(&x[0], &bags(ids)?, BagMode::Sum, &plain())?.square())
        }),
        row!("embedding_bag mean", flat(), |x, ids| {
            Ok(embedding_bag(&x[0], &bags(ids)?, BagMode::Mean, &plain())?.square())
        }),
        row!("embedding_bag max", flat(), |x, ids| {
            Ok(embedding_bag(&x[0], &bags(ids)?, BagMode::Max, &plain())?.square())
        }),
        row!("embedding_bag with a dense gradient", flat(), |x, ids| {
            Ok(embedding_bag(&x[0], &bags(ids)?, BagMode::Mean, &dense())?.square())
        }),
        row!("embedding_bag_weighted sum", weighted(), |x, ids| {
            Ok(embedding_bag_weighted(&x[0], &bags(ids)?, &x[1], BagMode::Sum, &plain())?.square())
        }),
        row!("embedding_bag_weighted mean", weighted(), |x, ids| {
            Ok(
                embedding_bag_weighted(&x[0], &bags(ids)?, &x[1], BagMode::Mean, &plain())?
                    .square(),
            )
        }),
        row!("sampled_matmul", sampled(), |x, ids| {
            Ok(sampled_matmul(&x[0], &x[1], &bags(ids)?)?.square())
        }),
        row!("sampled_matmul of one matrix", flat(), |x, ids| {
            let rows = x[0].narrow(0, 0, 1)?.expand([3, x[0].shape()[1]])?;
            Ok(sampled_matmul(&rows, &x[0], &bags(ids)?)?.square())
        }),
        row!("bag_sum", weighted(), |x, ids| {
            let values = gather_rows(&x[0], ids)?;
            Ok(bag_sum(&values.square(), &bags(ids)?)?.square())
        }),
    ]
}
