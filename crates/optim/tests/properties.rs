//! What holds of every optimizer: sparse equals dense restricted to rows, and a refused step changes nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_optim::{
    Adagrad, Adam, AdamW, Rule, Sgd, SparseAdam, clip_grad_norm, clip_grad_norm_with,
};
use lexigrad_tensor::{EmbeddingOptions, Gradients, Ids, Param, Tape, Tensor, embedding};
use proptest::collection::vec;
use proptest::prelude::*;

const ROWS: usize = 5;
const DIM: usize = 2;

/// For each step the ids looked up, and a gradient for each.
type Steps = Vec<(Vec<u32>, Vec<f64>)>;

fn steps() -> impl Strategy<Value = Steps> {
    let step = vec(0..ROWS as u32, 0..6).prop_flat_map(|ids| {
        let values = vec(-2.0..2.0, ids.len() * DIM);
        (Just(ids), values)
    });
    vec(step, 1..6)
}

fn table() -> Param<f64> {
    let values: Vec<f64> = (0..ROWS * DIM).map(|i| i as f64 * 0.3 - 1.0).collect();
    Param::new(Tensor::from_slice(&values, [ROWS, DIM]).unwrap())
}

fn gradients(
    table: &Param<f64>,
    (ids, values): &(Vec<u32>, Vec<f64>),
    dense_grad: bool,
) -> Gradients<f64> {
    let ids = Ids::new(ids).unwrap();
    let values = Tensor::from_slice(values, [ids.len(), DIM]).unwrap();
    let options = EmbeddingOptions {
        dense_grad,
        ..EmbeddingOptions::default()
    };
    let tape = Tape::new();
    let rows = embedding(&table.value(), &ids, &options).unwrap();
    tape.backward(&rows.mul(&values).unwrap().sum()).unwrap()
}

/// Trains two tables, one by sparse and one by dense gradients, each step on every row once: then the two must agree.
fn sparse_equals_dense(rule: impl Rule<f64>, steps: &Steps) {
    let (sparse, dense) = (table(), table());
    let mut by_rows = rule.clone().build(&sparse);
    let mut whole = rule.build(&dense);
    for (ids, values) in steps {
        // Every row occurs, so that no row is left behind by the sparse step.
        let ids: Vec<u32> = ids.iter().copied().chain(0..ROWS as u32).collect();
        let values: Vec<f64> = values
            .iter()
            .copied()
            .chain((0..ROWS * DIM).map(|i| (i as f64).cos()))
            .collect();
        let step = (ids, values);
        by_rows.step(&gradients(&sparse, &step, false)).unwrap();
        whole.step(&gradients(&dense, &step, true)).unwrap();
    }
    let (sparse, dense) = (sparse.value().to_vec(), dense.value().to_vec());
    assert!(
        sparse
            .iter()
            .zip(&dense)
            .all(|(x, y)| (x - y).abs() < 1e-12),
        "{sparse:?}\n{dense:?}"
    );
}

/// Rows without a gradient stand still; the rest move as if they were a table of their own.
fn untouched_rows_stand_still(rule: impl Rule<f64>, steps: &Steps) {
    let table = table();
    let before = table.value().to_vec();
    let mut optimizer = rule.build(&table);
    let mut touched = [false; ROWS];
    for step in steps {
        step.0.iter().for_each(|&row| touched[row as usize] = true);
        optimizer.step(&gradients(&table, step, false)).unwrap();
    }
    let after = table.value().to_vec();
    for row in (0..ROWS).filter(|&row| !touched[row]) {
        assert_eq!(after[row * DIM..][..DIM], before[row * DIM..][..DIM]);
    }
}

fn momentum() -> Sgd {
    Sgd {
        momentum: 0.9,
        nesterov: true,
        weight_decay: 0.1,
        ..Sgd::new(0.1)
    }
}

proptest! {
    #[test]
    fn sparse_is_dense_by_rows(steps in steps()) {
        sparse_equals_dense(Sgd::new(0.1), &steps);
        sparse_equals_dense(momentum(), &steps);
        sparse_equals_dense(Adam { weight_decay: 0.1, ..Adam::new(0.1) }, &steps);
        sparse_equals_dense(AdamW::new(0.1), &steps);
        sparse_equals_dense(Adagrad { weight_decay: 0.1, ..Adagrad::new(0.1) }, &steps);
    }

    #[test]
    fn a_step_touches_the_rows_of_its_gradient_alone(steps in steps()) {
        untouched_rows_stand_still(Sgd::new(0.1), &steps);
        untouched_rows_stand_still(momentum(), &steps);
        untouched_rows_stand_still(AdamW::new(0.1), &steps);
        untouched_rows_stand_still(SparseAdam::new(0.1), &steps);
        untouched_rows_stand_still(Adagrad::new(0.1), &steps);
    }

    #[test]
    fn clipping_is_the_same_for_sparse_and_dense(steps in steps(), max_norm in 0.1..3.0f64, p in 1.0..4.0f64) {
        let table = table();
        let (mut sparse, mut dense) = (gradients(&table, &steps[0], false), gradients(&table, &steps[0], true));
        let norm = clip_grad_norm_with(&mut sparse, max_norm, p).unwrap();
        let dense_norm = clip_grad_norm_with(&mut dense, max_norm, p).unwrap();
        prop_assert!((norm - dense_norm).abs() < 1e-9);
        let clipped = sparse.dense(&table).unwrap().unwrap();
        let total = clipped.to_vec().iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p);
        prop_assert!(total <= max_norm + 1e-9);
    }
}

#[test]
fn the_padding_row_never_moves() {
    let table = table().with_fixed_row(2).unwrap();
    let before = table.value().to_vec();
    let mut optimizer = AdamW {
        weight_decay: 0.5,
        ..AdamW::new(0.1)
    }
    .build(&table);
    for dense in [false, true] {
        let step = (vec![1, 2], vec![1.0; 4]);
        optimizer.step(&gradients(&table, &step, dense)).unwrap();
    }
    let after = table.value().to_vec();
    assert_eq!(after[4..6], before[4..6]);
    assert_ne!(after[2..4], before[2..4]);
}

#[test]
fn a_frozen_parameter_gets_no_gradient_and_stands_still() {
    let (frozen, trained) = (table(), table());
    frozen.set_requires_grad(false);
    let model = vec![frozen.clone(), trained.clone()];
    let mut optimizer = Sgd::new(0.1).build(&model);
    let before = frozen.value().to_vec();
    let tape = Tape::new();
    let loss = frozen.value().mul(&trained.value()).unwrap().sum();
    let grads = tape.backward(&loss).unwrap();
    assert!(grads.get(&frozen).is_none() && grads.missing(&model).is_empty());
    optimizer.step(&grads).unwrap();
    assert_eq!(frozen.value().to_vec(), before);
    assert_ne!(trained.value().to_vec(), before);
}

#[test]
fn a_refused_step_changes_nothing() {
    let table = table();
    let before = table.value().to_vec();
    let step = (vec![1], vec![1.0, f64::NAN]);
    let refused = |rule: Sgd, text: &str| {
        let error = rule
            .build(&table)
            .step(&gradients(&table, &step, false))
            .unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!(table.value().to_vec(), before);
    };
    refused(
        Sgd::new(-1.0),
        "sgd: the learning rate is -1; it must be finite and not negative",
    );
    refused(
        Sgd {
            momentum: f64::NAN,
            ..Sgd::new(0.1)
        },
        "sgd: momentum is NaN; it must be finite and not negative",
    );
    refused(
        Sgd {
            nesterov: true,
            ..Sgd::new(0.1)
        },
        "sgd: nesterov with momentum 0 and dampening 0; it needs a momentum and no dampening",
    );
    let mut grads = gradients(&table, &step, false);
    let error = clip_grad_norm(&mut grads, 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "clip_grad_norm: the norm of the gradients is NaN; it must be finite"
    );
}
