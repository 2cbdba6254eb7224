//! The texts of errors: operation, what is wrong, where, and the rule; and that nothing has changed after one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Debug;
use std::panic::catch_unwind;
use std::{fs, path::Path};

use lexigrad::prelude::*;
use lexigrad::tensor::{ErrorKind, linear};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn zeros<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::zeros(shape)
}

fn random() -> StdRng {
    StdRng::seed_from_u64(1)
}

#[track_caller]
fn assert_text<T: Debug>(result: Result<T>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[test]
fn shapes_that_do_not_broadcast() {
    let rule = "sizes must be equal, or one of them 1";
    let (a, b) = (zeros([8, 3]), zeros([8, 4]));
    let text = format!("[8, 3] and [8, 4] do not broadcast (axis 1: 3 and 4; {rule})");
    assert_text(a.add(&b), &format!("add: {text}"));
    assert_text(a.sub(&b), &format!("sub: {text}"));
    assert_text(a.mul(&b), &format!("mul: {text}"));
    assert_text(a.div(&b), &format!("div: {text}"));
    assert_text(
        zeros([2, 1, 5]).add(&zeros([3, 4])),
        &format!("add: [2, 1, 5] and [3, 4] do not broadcast (axis 2: 5 and 4; {rule})"),
    );
}

#[test]
fn matrices_that_do_not_fit() {
    assert_text(
        zeros([4, 7]).matmul(&zeros([8, 3])),
        "matmul: inner sizes differ: [4, 7] x [8, 3] (7 columns, 8 rows)",
    );
    assert_text(
        zeros([2, 4, 7]).matmul(&zeros([2, 8, 3])),
        "matmul: inner sizes differ: [2, 4, 7] x [2, 8, 3] (7 columns, 8 rows)",
    );
    assert_text(
        zeros([7]).matmul(&zeros([7, 3])),
        "matmul: the left operand has shape [7]; it must have at least two axes",
    );
    assert_text(
        linear(&zeros([5, 4]), zeros([2, 3]), None),
        "linear: the input has shape [5, 4]; its last axis must be the 3 inputs of weight [2, 3]",
    );
}

#[test]
fn shapes_and_axes_that_do_not_fit() {
    let x = zeros([2, 3]);
    assert_text(
        x.reshape([4]),
        "reshape: the tensor has shape [2, 3]; it must hold 4 elements to become [4]",
    );
    assert_text(
        x.sum_axes(&[2]),
        "sum: axis 2 is out of range for shape [2, 3] (rank 2; axes run from -2 to 1)",
    );
    assert_text(
        x.narrow(1, 2, 2),
        "narrow: the tensor has shape [2, 3]; axis 1 has no part of 2 from 2",
    );
    assert_text(
        cat(&[&x, &zeros([2, 4])], 0),
        "cat: tensor 1 has shape [2, 4]; beside axis 0 it must equal tensor 0, [2, 3]",
    );
    assert_text(
        x.item(),
        "item: the tensor has shape [2, 3]; it must hold one element",
    );
}

/// A batch of 3 texts of 12 tokens, the last one beyond the table of GPT-2.
#[test]
fn an_id_beyond_the_table() {
    let mut ids = vec![vec![0; 12]; 3];
    ids[2][11] = 50_257;
    let ids = Ids::new(ids).unwrap();
    let text = "id 50257 at [2, 11] is out of range for a table of 50257 rows";
    let layer = Embedding::new(50_257, 2, &mut random());
    assert_text(layer.forward(&ids), &format!("embedding: {text}"));

    let bags = Bags::from_rows(&ids).unwrap();
    let layer = EmbeddingBag::new(50_257, 2, &mut random());
    let error = layer.forward(&bags).unwrap_err();
    assert_eq!(error.operation(), "embedding_bag");
    assert!(matches!(
        error.kind(),
        ErrorKind::IdOutOfRange {
            id: 50_257,
            rows: 50_257,
            ..
        }
    ));
}

#[test]
fn numbers_that_are_no_ids() {
    assert_text(
        Ids::new([[0, 2], [-7, 1]]),
        "ids: id -7 at [1, 0] is not a valid id (ids run from 0 to 4294967295)",
    );
    assert_text(
        Ids::new([1_u64 << 32]),
        "ids: id 4294967296 at [0] is not a valid id (ids run from 0 to 4294967295)",
    );
    assert_text(
        Ids::from_slice(&[0, 1, 2, -7], [2, 2]),
        "ids: id -7 at [1, 1] is not a valid id (ids run from 0 to 4294967295)",
    );
    assert_text(
        Ids::from_vec(vec![1, 2, 3], [2, 2]),
        "ids: the data has shape [3]; it must hold 4 ids to become [2, 2]",
    );
    assert_text(
        Ids::new(vec![vec![1, 2], vec![3]]),
        "ids: nested lists of different lengths; pad them first",
    );
}

#[test]
fn a_label_beyond_the_classes() {
    let labels = Ids::new([1, 2]).unwrap();
    assert_text(
        cross_entropy(&zeros([2, 2]), &labels),
        "cross_entropy: target 2 at [1] is out of range for 2 classes",
    );
}

#[test]
fn a_loss_that_was_not_recorded() {
    let text = "backward: the loss was not recorded; create a Tape before the forward pass";
    let weight: Param = Param::new(zeros([2]));
    let before = weight.value().sum();
    assert_text(Tape::new().backward(&before), text);

    let tape = Tape::new();
    let constant = zeros([2]).sum();
    assert_text(tape.backward(&constant), text);
}

#[test]
fn a_loss_of_several_elements() {
    let tape = Tape::new();
    let x = tape.watch(&zeros([2]));
    assert_text(
        tape.backward(&x.exp()),
        "backward: the loss has shape [2]; it must hold one element (take its sum or mean, or use backward_with)",
    );
}

#[test]
fn an_option_out_of_its_range() {
    assert_text(
        dropout(&zeros([2]), 1.5),
        "dropout: p is 1.5; it must be between 0 and 1",
    );
    assert_text(
        zeros([2]).clamp(1.0, -1.0),
        "clamp: the lower bound is 1; it must be at most the upper bound -1",
    );
}

#[test]
fn an_operator_panics_with_the_text_of_its_method() {
    let (a, b) = (zeros([8, 3]), zeros([8, 4]));
    type Operator = fn(&Tensor, &Tensor) -> Tensor;
    let cases: [(Operator, Result<Tensor>); 4] = [
        (|a, b| a + b, a.add(&b)),
        (|a, b| a - b, a.sub(&b)),
        (|a, b| a * b, a.mul(&b)),
        (|a, b| a / b, a.div(&b)),
    ];
    for (operator, method) in cases {
        let panic = catch_unwind(|| operator(&zeros([8, 3]), &zeros([8, 4]))).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert_eq!(*text, method.unwrap_err().to_string());
    }
}

fn model(hidden: usize) -> Vec<Linear> {
    let mut rng = random();
    vec![
        Linear::new(3, hidden, &mut rng),
        Linear::new(hidden, 2, &mut rng),
    ]
}

fn values(model: &Vec<Linear>) -> Vec<Vec<f32>> {
    let parameters = model.parameters().into_iter();
    parameters.map(|param| param.value().to_vec()).collect()
}

#[test]
fn a_state_dict_of_another_model_changes_nothing() {
    let model = model(4);
    let before = values(&model);

    let shorter = &model[..1];
    assert_text(
        model.load_state_dict(&shorter.state_dict()),
        "load_state_dict: missing: 1.weight, 1.bias",
    );
    assert_text(
        shorter.load_state_dict(&model.state_dict()),
        "load_state_dict: unexpected: 1.weight, 1.bias",
    );
    let other: StateDict = [
        ("0.weight", zeros([4, 3])),
        ("0.bias", zeros([5])),
        ("1.weight", zeros([2, 4])),
        ("1.scale", zeros([2])),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor))
    .into_iter()
    .collect();
    assert_text(
        model.load_state_dict(&other),
        "load_state_dict: missing: 1.bias; unexpected: 1.scale; shapes differ: 0.bias (model [4], given [5])",
    );

    assert_eq!(values(&model), before);
}

fn assert_load_fails(model: &Vec<Linear>, path: &Path, reason: &str) {
    let before = values(model);
    let text = model.load(path).unwrap_err().to_string();
    let start = format!("load: {}: ", path.display());
    assert!(
        text.starts_with(&start) && text[start.len()..].contains(reason),
        "{text}"
    );
    assert_eq!(values(model), before);
}

#[test]
fn a_file_that_is_cut_short_or_absent_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = model(4);
    model.save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 7, 20, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_load_fails(&model, &path, "");
    }
    fs::write(&path, "these are no tensors").unwrap();
    assert_load_fails(&model, &path, "");
    assert_load_fails(&model, &folder.path().join("absent"), "No such file");
}

#[test]
fn a_model_that_cannot_be_saved_leaves_no_file_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent").join("model.safetensors");
    let text = model(4).save(&path).unwrap_err().to_string();
    let start = format!("save: {}: ", path.display());
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A step that one parameter cannot take moves none.
#[test]
fn a_gradient_that_an_optimizer_does_not_take_moves_nothing() {
    let (table, weight): (Param, Param) = (Param::new(zeros([3, 2])), Param::new(zeros([2])));
    let mut optimizer = SparseAdam::new(0.1).build(&vec![table.clone(), weight.clone()]);
    let layer = Embedding::with_weight(table.clone());
    let tape = Tape::new();
    let rows = layer.forward(&Ids::new([1]).unwrap()).unwrap();
    let loss = rows.add(&weight.value()).unwrap().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert_text(
        optimizer.step(&gradients),
        "sparse_adam: a dense gradient; use Adam, which takes dense and row-sparse ones",
    );
    assert_eq!(table.value().to_vec(), [0.0; 6]);
}
