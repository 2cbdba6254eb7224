//! A table that gets rows in the middle of a training: the old rows and their state are as they were.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_optim::{Adagrad, Adam, Average, Build, RowWiseAdagrad, Rule, Sgd, SparseMode};
use lexigrad_tensor::{
    EmbeddingOptions, Entry, Ids, Module, Param, Tape, Tensor, Visitor, embedding,
};

/// `mean(W[ids]²)`, one step.
fn step<R: Rule<f32>>(
    table: &Param,
    optimizer: &mut lexigrad_optim::Optimizer<R>,
    ids: &[u32],
) -> lexigrad_tensor::Result<()> {
    let tape = Tape::new();
    let ids = Ids::new(ids.to_vec())?;
    let rows = embedding(
        &table.rows("test", &ids)?,
        &ids,
        &EmbeddingOptions::default(),
    )?;
    let loss = rows.square().mean();
    optimizer.step(&tape.backward(&loss)?)
}

fn table(rows: usize) -> Param {
    let values: Vec<f32> = (0..rows * 2).map(|i| 0.3 * i as f32 - 1.0).collect();
    Param::new(Tensor::from_slice(&values, [rows, 2]).unwrap())
}

/// Rows 3 and 4 come after the first steps; until then nothing reads them, so a table that had them from the start agrees.
fn grows_as_if_it_had_been_so<R: Rule<f32>>(rule: &R, mode: SparseMode) {
    let (whole, grown) = (table(5), table(3));
    let build = |table: &Param| {
        let model = vec![table.clone()];
        rule.clone()
            .builder()
            .sparse_mode(mode)
            .build(&model)
            .unwrap()
    };
    let (mut of_whole, mut of_grown) = (build(&whole), build(&grown));
    for ids in [[0, 1], [1, 2], [1, 1]] {
        step(&grown, &mut of_grown, &ids).unwrap();
        step(&whole, &mut of_whole, &ids).unwrap();
    }
    grown
        .append_rows(&whole.value().narrow(0, 3, 2).unwrap())
        .unwrap();
    for ids in [[3, 1], [4, 3], [0, 4]] {
        step(&grown, &mut of_grown, &ids).unwrap();
        step(&whole, &mut of_whole, &ids).unwrap();
    }
    assert_eq!(
        grown.value().to_vec(),
        whole.value().to_vec(),
        "{}",
        R::NAME
    );
    let state = |optimizer: &lexigrad_optim::Optimizer<R>| {
        let mut state = Vec::new();
        let mut see = |_: &str, entry: Entry<'_>| {
            if let Entry::Buffer(buffer) = entry {
                state.push(buffer.value().to_vec());
            }
        };
        optimizer.visit(&mut Visitor::new(&mut see));
        state
    };
    assert_eq!(state(&of_grown), state(&of_whole), "{}", R::NAME);
}

#[test]
fn old_rows_keep_their_state_and_new_ones_begin() {
    grows_as_if_it_had_been_so(
        &Sgd {
            momentum: 0.9,
            ..Sgd::new(0.1)
        },
        SparseMode::Lazy,
    );
    grows_as_if_it_had_been_so(&Adagrad::new(0.1), SparseMode::Lazy);
    grows_as_if_it_had_been_so(&RowWiseAdagrad::new(0.1), SparseMode::Lazy);
    grows_as_if_it_had_been_so(&Adam::new(0.1), SparseMode::Lazy);
}

#[test]
fn rows_that_are_behind_are_settled_before_the_table_grows() {
    let (table, rule) = (table(3), Adam::new(0.1));
    let mut exact = rule
        .builder()
        .sparse_mode(SparseMode::Exact)
        .build(&vec![table.clone()])
        .unwrap();
    step(&table, &mut exact, &[0, 2]).unwrap();
    step(&table, &mut exact, &[1, 2]).unwrap(); // row 0 moves on by its momentum, when it is looked at
    let before = table.value().to_vec();
    table.append_rows(&Tensor::ones([1, 2])).unwrap();
    assert_eq!(table.value().to_vec()[..6], before);
    step(&table, &mut exact, &[3, 3]).unwrap();
    let after = table.value().to_vec();
    assert!(
        after[..6]
            .iter()
            .zip(&before)
            .all(|(after, before)| after != before)
    );
    assert!(after[6] < 1.0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let table = table(3);
    let message = table
        .append_rows(&Tensor::ones([1, 3]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "param: the new rows have shape [1, 3]; they are to stand below a table of shape [3, 2]"
    );
    assert_eq!(*table.shape(), [3, 2]);

    let mut optimizer = Sgd::new(0.1).build(&vec![table.clone()]);
    let mut average = Average::new(&vec![table.clone()], 0.9).unwrap();
    table.append_rows(&Tensor::ones([1, 2])).unwrap();
    let tape = Tape::new();
    let grads = tape.backward(&table.value().sum()).unwrap();
    let message = average
        .step(&mut optimizer, &grads)
        .unwrap_err()
        .to_string();
    assert!(message.contains("has grown since"), "{message}");
}
