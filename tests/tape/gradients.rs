//! What comes back: merged, scaled, missing, sparse and dense.

use lexigrad::tensor::{EmbeddingOptions, Gradients, Ids, Param, Tape, Tensor, embedding, linear};

use crate::{gradient, param};

#[test]
fn an_unused_parameter_has_none_and_is_named() {
    let (used, unused) = (param([1.0]), param([1.0]));
    let tape = Tape::new();
    let _read_but_unused = unused.value();
    let gradients = tape.backward(&used.value().sum()).unwrap();
    assert_eq!(gradients.len(), 1);
    assert!(gradients.get(&unused).is_none());
    let missing = gradients.missing(&vec![used, unused]);
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].to_string(), "1");
}

fn of_sum_times(weight: &Param, factor: f32) -> Gradients {
    let tape = Tape::new();
    let loss = weight.value().mul_scalar(factor).sum();
    tape.backward(&loss).unwrap()
}

#[test]
fn they_are_merged_and_scaled() {
    let (both, one) = (param([1.0, 1.0]), param([1.0]));
    let mut gradients = of_sum_times(&both, 2.0);
    gradients.merge(of_sum_times(&both, 3.0)).unwrap();
    gradients.merge(of_sum_times(&one, 4.0)).unwrap();
    gradients.scale(0.5);
    assert_eq!(gradient(&gradients, &both), [2.5, 2.5]);
    assert_eq!(gradient(&gradients, &one), [2.0]);
}

fn of_rows<const N: usize>(table: &Param, ids: [u32; N]) -> Gradients {
    let ids = Ids::new(ids).unwrap();
    let tape = Tape::new();
    let rows = table.rows("embedding", &ids).unwrap();
    let looked_up = embedding(&rows, &ids, &EmbeddingOptions::default()).unwrap();
    tape.backward(&looked_up.sum()).unwrap()
}

#[test]
fn row_sparse_ones_stay_sparse_when_merged_and_scaled() {
    let table: Param = Param::new(Tensor::zeros([1_000, 1]));
    let mut gradients = of_rows(&table, [7, 3]);
    gradients.merge(of_rows(&table, [3, 999])).unwrap();
    gradients.scale(2.0);
    gradients.coalesce();
    let sparse = gradients.get(&table).unwrap().as_row_sparse().unwrap();
    assert_eq!(sparse.rows().as_slice(), [7, 3, 999]);
    assert_eq!(sparse.values().to_vec(), [2.0, 4.0, 2.0]);
}

#[test]
fn a_table_tied_to_an_output_layer_adds_up_its_sparse_and_its_dense_gradient() {
    let table: Param = Param::new(Tensor::new([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    let tied = table.clone();
    let ids = Ids::new([2]).unwrap();
    let tape = Tape::new();
    let rows = table.rows("embedding", &ids).unwrap();
    let hidden = embedding(&rows, &ids, &EmbeddingOptions::default()).unwrap();
    let scores = linear(&hidden, &tied, None).unwrap();
    let gradients = tape.backward(&scores.sum()).unwrap();
    // As an output layer each row gets the hidden row [5, 6]; as a lookup row 2 gets the sum of all rows, [9, 12].
    assert_eq!(gradients.len(), 1);
    assert_eq!(
        gradient(&gradients, &table),
        [5.0, 6.0, 5.0, 6.0, 14.0, 18.0]
    );
}
