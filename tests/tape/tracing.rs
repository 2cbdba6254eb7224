//! What a tape says when something is wrong: where a path was cut, and where the first number was not finite.

use lexigrad::nn::{Embedding, EmbeddingBag, LayerNorm, Linear, Module};
use lexigrad::optim::{Build, Sgd};
use lexigrad::tensor::{
    BagMode, Bags, ErrorKind, Grad, Ids, Mask, MissingReason, Param, Result, Tape, Tensor,
    embedding_bag,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::param;

#[derive(Module)]
struct Model {
    embed: Embedding,
    hidden: Linear,
    out: Linear,
}

fn model() -> Model {
    let mut rng = StdRng::seed_from_u64(1);
    Model {
        embed: Embedding::new(5, 3, &mut rng),
        hidden: Linear::new(3, 4, &mut rng),
        out: Linear::new(4, 2, &mut rng),
    }
}

#[test]
fn a_missing_gradient_says_where_its_path_was_cut() {
    let model = model();
    let tape = Tape::new().record_cuts();
    let hidden = model
        .hidden
        .forward(&model.embed.forward(&Ids::new([1, 2]).unwrap()).unwrap());
    let cut = hidden.unwrap().detach();
    let loss = model.out.forward(&cut).unwrap().sum();
    let missing = tape.backward(&loss).unwrap().missing(&model);
    let paths: Vec<&str> = missing
        .iter()
        .map(|missing| missing.path.as_str())
        .collect();
    assert_eq!(paths, ["embed.weight", "hidden.weight", "hidden.bias"]);
    for missing in &missing {
        let MissingReason::Cut(cuts) = &missing.reason else {
            panic!("{missing}");
        };
        assert_eq!((cuts.len(), cuts[0].operation), (1, "detach"));
        assert!(cuts[0].location.file().ends_with("tracing.rs"));
        assert!(
            missing.to_string().contains("detach of [2, 4] at "),
            "{missing}"
        );
    }
}

#[test]
fn every_reason_for_a_missing_gradient_is_told_from_the_others() {
    let reason = |forward: &dyn Fn(&Param, &Param) -> Tensor| {
        let (weight, other) = (param([1.0, 3.0]), param([2.0]));
        let tape = Tape::new().record_cuts();
        let loss = forward(&weight, &other).sum();
        let missing = tape.backward(&loss).unwrap().missing(&vec![weight, other]);
        assert_eq!(missing.len(), 1);
        missing[0].to_string()
    };
    let chosen = |weight: &Param, other: &Param| {
        let winner = weight.value().argmax(0).unwrap();
        winner.one_hot(2).unwrap().mul(&other.value()).unwrap()
    };
    assert!(
        reason(&chosen).starts_with("0: its path is cut by argmax of [2] at tests/tape/tracing.rs")
    );
    let unused = |weight: &Param, other: &Param| {
        let _forgotten = weight.value().exp();
        other.value()
    };
    assert_eq!(
        reason(&unused),
        "0: nothing computed from it is part of the loss"
    );
    let unread = |_: &Param, other: &Param| other.value();
    assert_eq!(reason(&unread), "0: not read while the tape recorded");
    let older = |weight: &Param, other: &Param| {
        let stale = {
            let _tape = Tape::new();
            weight.value().exp()
        };
        other.value().mul(&stale).unwrap()
    };
    let text = "0: not read while the tape recorded (mul took a tensor [2] of an older tape)";
    assert_eq!(reason(&older), text);
    let compared = |weight: &Param, other: &Param| {
        let mask: Mask = weight.value().mask(|x| x > 2.0);
        mask.to_tensor().mul(&other.value()).unwrap()
    };
    assert!(reason(&compared).contains("mask of [2]"));
}

#[test]
fn a_tape_that_is_not_asked_gives_paths_alone() {
    let weight = param([1.0]);
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([1.0]));
    let missing = tape.backward(&x.sum()).unwrap().missing(&vec![weight]);
    assert_eq!(
        (missing[0].to_string().as_str(), &missing[0].reason),
        ("0", &MissingReason::NotTraced)
    );
}

fn text<T>(result: Result<T>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_first_output_that_is_not_finite_names_its_operation_and_module() {
    let model = model();
    model.hidden.weight.update(|values| values.fill(2.0));
    let tape = Tape::new().check_finite(&model);
    let hidden = model.hidden.forward(&Tensor::full([1, 3], f32::MAX));
    let error = hidden.unwrap_err();
    let ErrorKind::NotFinite {
        quantity,
        operands,
        module,
        ..
    } = error.kind()
    else {
        panic!("{error}");
    };
    assert_eq!(
        (error.operation(), quantity.as_str()),
        ("linear", "the output")
    );
    assert!(
        operands.starts_with("[1, 3] from 3.4028e38 to 3.4028e38; [4, 3] from "),
        "{operands}"
    );
    assert_eq!(module.as_deref(), Some("at `hidden.weight`"));
    drop(tape);

    let tape = Tape::new().check_finite(&model);
    let hidden = model.hidden.forward(&Tensor::ones([1, 3])).unwrap();
    let logs = hidden.abs().neg().ln(); // returns no Result
    let found = text(logs.add(&hidden));
    assert!(
        found.starts_with("ln: the output holds NaN at [0, 0]"),
        "{found}"
    );
    assert!(found.ends_with(", after `hidden.weight`"), "{found}");
    assert_eq!(text(tape.backward(&logs.sum())), found);
}

#[test]
fn the_first_gradient_that_is_not_finite_names_its_operation_and_module() {
    let model = model();
    let tape = Tape::new().check_finite(&model);
    let hidden = model.hidden.forward(&Tensor::ones([1, 3])).unwrap();
    let zero = hidden.sub(&hidden).unwrap();
    let loss = zero.sqrt().sum(); // finite, but its slope at 0 is not
    let found = text(tape.backward(&loss));
    assert!(
        found.starts_with("sqrt: the gradient of input 0 holds inf at [0, 0]"),
        "{found}"
    );
    assert!(
        found.contains("[1, 4] from 0.0000e0 to 0.0000e0; cotangent [1, 4]"),
        "{found}"
    );
    assert!(found.ends_with("after `hidden.weight`"), "{found}");
}

#[test]
fn a_lookup_of_a_row_that_is_not_finite_names_its_ids() {
    let model = model();
    let ids = Ids::new([2]).unwrap();
    model
        .embed
        .weight
        .update_rows(&ids, |_, row| row[1] = f32::NAN)
        .unwrap();
    let tape = Tape::new().check_finite(&model);
    let found = text(model.embed.forward(&Ids::new([[0, 2], [2, 4]]).unwrap()));
    assert!(
        found.starts_with("embedding: the output holds NaN at [0, 1, 1]"),
        "{found}"
    );
    assert!(found.ends_with(", at `embed.weight`, ids [2]"), "{found}");
    drop(tape);

    let _tape = Tape::new().check_finite(&model);
    let bags = Bags::from_lists(&[vec![0_u32, 1], vec![4, 2]]).unwrap();
    let table = model.embed.weight.value();
    let found = text(embedding_bag(
        &table,
        &bags,
        BagMode::Mean,
        &Default::default(),
    ));
    assert!(found.ends_with(", ids [2]"), "{found}");
}

#[test]
fn infinities_that_were_asked_for_are_no_fault() {
    let weight = param([1.0, 2.0]);
    let tape = Tape::new().check_finite(&weight);
    let mask = Mask::new(vec![true, false], [2]).unwrap();
    let scores = weight
        .value()
        .masked_fill(&mask, f32::NEG_INFINITY)
        .unwrap();
    let loss = scores.softmax(-1).unwrap().square().sum();
    assert_eq!(tape.backward(&loss).unwrap().len(), 1);
}

/// Layers that read a table, a matrix or a vector each.
#[derive(Module)]
struct Layers {
    embed: Embedding,
    bags: EmbeddingBag,
    norm: LayerNorm,
    out: Linear,
}

impl Layers {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(2);
        Self {
            embed: Embedding::new(5, 3, &mut rng),
            bags: EmbeddingBag::new(5, 3, &mut rng),
            norm: LayerNorm::new(3),
            out: Linear::new(3, 2, &mut rng),
        }
    }

    fn forward(&self) -> Result<Tensor> {
        let words = self.embed.forward(&Ids::new([[1, 3]])?)?.sum_axes(&[1])?;
        let bags = self.bags.forward(&Bags::from_lists(&[vec![3_u32, 1]])?)?;
        self.out.forward(&self.norm.forward(&words.add(&bags)?)?)
    }
}

#[test]
fn a_number_that_is_not_finite_is_told_where_its_parameter_is_read() {
    for value in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        for (path, operation, ids) in [
            ("embed.weight", "embedding", ", ids [3]"),
            ("bags.weight", "embedding_bag", ", ids [3]"),
            ("norm.weight", "layer_norm", ""),
            ("norm.bias", "layer_norm", ""),
            ("out.weight", "linear", ""),
            ("out.bias", "linear", ""),
        ] {
            let model = Layers::new();
            let named = model.named_parameters();
            let (_, param) = named.iter().find(|(name, _)| name == path).unwrap();
            let last = |values: &mut [f32]| values.len() - 1;
            let place = |values: &mut [f32]| match ids {
                "" => last(values),
                _ => 3 * 3 + 1,
            };
            param.update(|values| values[place(values)] = value);
            let _tape = Tape::new().check_finite(&model);
            let found = text(model.forward());
            assert!(
                found.starts_with(&format!("{operation}: the output holds ")),
                "{found}"
            );
            assert!(
                found.ends_with(&format!(", at `{path}`{ids}")),
                "{value}: {found}"
            );
        }
    }
}

#[test]
fn an_infinity_in_a_row_that_is_not_read_is_no_fault() {
    let model = Layers::new();
    model
        .embed
        .weight
        .update(|values| values[2 * 3] = f32::INFINITY);
    let tape = Tape::new().check_finite(&model);
    let loss = model.forward().unwrap().sum();
    assert_eq!(tape.backward(&loss).unwrap().len(), 6);
}

#[test]
fn an_infinity_that_a_step_made_is_told_where_it_is_read() {
    let model = Layers::new();
    let bias = model.out.bias.as_ref().unwrap();
    let step = [(bias, Grad::Dense(Tensor::new([f32::INFINITY, 0.0])))];
    let mut optimizer = Sgd::new(0.1).build(&model);
    optimizer.step(&step.into_iter().collect()).unwrap();
    let _tape = Tape::new().check_finite(&model);
    let found = text(model.forward());
    assert!(
        found.starts_with("linear: the output holds -inf at [0, 0]"),
        "{found}"
    );
    assert!(found.ends_with(", at `out.bias`"), "{found}");
}

#[test]
fn an_infinity_beside_a_mask_is_told_where_it_is_read() {
    let weight = param([1.0, f32::INFINITY, 2.0]);
    let tape = Tape::new().check_finite(&vec![weight.clone()]);
    let mask = Mask::new(vec![true, false, false], [3]).unwrap();
    let found = text(weight.value().masked_fill(&mask, f32::NEG_INFINITY));
    assert!(
        found.starts_with("masked_fill: the output holds "),
        "{found}"
    );
    assert!(found.ends_with(", at `0`"), "{found}");
    drop(tape);
}

#[test]
fn an_infinity_of_the_users_passes_a_model() {
    let model = Layers::new();
    let tape = Tape::new().check_finite(&model);
    let hidden = model.out.forward(&Tensor::ones([1, 3])).unwrap();
    let absent: Tensor = Tensor::new([[0.0, f32::NEG_INFINITY]]);
    let loss = hidden
        .add(&absent)
        .unwrap()
        .softmax(-1)
        .unwrap()
        .square()
        .sum();
    assert_eq!(tape.backward(&loss).unwrap().len(), 2);
}
