//! Embedding, EmbeddingBag, Linear, LayerNorm and GELU.

use lexigrad::prelude::*;
use lexigrad::tensor::{layer_norm, linear};

use crate::case::{Case, cases};

/// Runs `check` on every case with f64 and with f32, at the tolerance of each.
macro_rules! in_both_precisions {
    ($file:literal, $check:ident) => {
        for case in cases(include_str!($file)) {
            $check::<f64>(&case, 1e-10);
            $check::<f32>(&case, 1e-5);
        }
    };
}

#[test]
pub fn embedding() {
    in_both_precisions!("embedding.json", check_embedding);
}

fn check_embedding<T: Element>(case: &Case, tolerance: f64) {
    let config = EmbeddingConfig {
        padding_idx: case.number("padding_idx").map(|index| index as i64),
        max_norm: case.number("max_norm"),
        norm_type: case.number("norm_type").unwrap_or(2.0),
        scale_grad_by_freq: case.flag("scale_grad_by_freq"),
        sparse: case.flag("sparse"),
        ..EmbeddingConfig::new(0, 0)
    };
    let given = case.input::<T>("weight");
    let embed = config.from_pretrained(&given).unwrap();
    embed.weight.set_requires_grad(true);
    let tape = Tape::new();
    let output = embed.forward(&case.ids("ids")).unwrap();
    case.assert_output("output", &output, tolerance);
    case.assert_output("weight_after", &embed.weight.value().detach(), tolerance);
    let grads = tape
        .backward_with(&output, &case.input("output_grad"))
        .unwrap();
    check_table_gradient(case, &grads, &embed.weight, config.sparse, tolerance);
    let untouched = case.input::<T>("weight").to_vec();
    assert_eq!(
        given.to_vec(),
        untouched,
        "{}: the caller's tensor changed",
        case.name()
    );
}

/// The gradient of a table; for a sparse one also the entries in PyTorch's order, or each row once in the order of its first.
fn check_table_gradient<T: Element>(
    case: &Case,
    grads: &Gradients<T>,
    weight: &Param<T>,
    sparse: bool,
    tolerance: f64,
) {
    let gradient = grads.get(weight).unwrap();
    case.assert_output("weight_grad", &gradient.to_dense().unwrap(), tolerance);
    match gradient {
        Grad::Dense(_) => assert!(!sparse, "{}", case.name()),
        Grad::RowSparse(found) => {
            assert!(sparse, "{}", case.name());
            let mut rows = case.output("sparse_rows").unwrap().to_vec();
            if found.is_coalesced() {
                let mut seen = Vec::new();
                rows.retain(|row| {
                    !seen.contains(row) && {
                        seen.push(*row);
                        true
                    }
                });
            } else {
                case.assert_output("sparse_values", found.values(), tolerance);
            }
            let found_rows: Vec<f64> = found
                .rows()
                .as_slice()
                .iter()
                .map(|&row| f64::from(row))
                .collect();
            assert_eq!(found_rows, rows, "{}", case.name());
        }
    }
}

#[test]
pub fn embedding_bag() {
    in_both_precisions!("embedding_bag.json", check_embedding_bag);
}

fn check_embedding_bag<T: Element>(case: &Case, tolerance: f64) {
    let config = EmbeddingBagConfig {
        mode: match case.text("mode") {
            "sum" => BagMode::Sum,
            "max" => BagMode::Max,
            _ => BagMode::Mean,
        },
        padding_idx: case.number("padding_idx").map(|index| index as i64),
        max_norm: case.number("max_norm"),
        scale_grad_by_freq: case.flag("scale_grad_by_freq"),
        sparse: case.flag("sparse"),
        ..EmbeddingBagConfig::new(0, 0)
    };
    let embed = config.from_pretrained(&case.input::<T>("weight")).unwrap();
    embed.weight.set_requires_grad(true);
    let bags = bags(case);
    let tape = Tape::new();
    let weights = case.optional::<T>("per_sample_weights").map(|weights| {
        let count = weights.elements();
        tape.watch(&weights.reshape([count]).unwrap())
    });
    let output = match &weights {
        Some(weights) => embed.forward_weighted(&bags, weights).unwrap(),
        None => embed.forward(&bags).unwrap(),
    };
    case.assert_output("output", &output, tolerance);
    case.assert_output("weight_after", &embed.weight.value().detach(), tolerance);
    let grads = tape
        .backward_with(&output, &case.input("output_grad"))
        .unwrap();
    check_table_gradient(case, &grads, &embed.weight, config.sparse, tolerance);
    if let Some(weights) = &weights {
        let gradient = grads.of(weights).unwrap().to_dense().unwrap();
        let shape = case
            .output("per_sample_weights_grad")
            .unwrap()
            .shape()
            .clone();
        case.assert_output(
            "per_sample_weights_grad",
            &gradient.reshape(shape).unwrap(),
            tolerance,
        );
    }
}

fn bags(case: &Case) -> Bags {
    let ids = case.ids("ids");
    if !case.has("offsets") {
        return Bags::from_rows(&ids).unwrap();
    }
    let offsets = case.integers("offsets");
    if case.flag("include_last_offset") {
        Bags::from_offsets_with_last(&ids, &offsets).unwrap()
    } else {
        Bags::from_offsets(&ids, &offsets).unwrap()
    }
}

#[test]
pub fn linear_layer() {
    in_both_precisions!("linear.json", check_linear);
}

fn check_linear<T: Element>(case: &Case, tolerance: f64) {
    let inputs: &[&str] = if case.has("bias") {
        &["x", "weight", "bias"]
    } else {
        &["x", "weight"]
    };
    case.assert_forward_and_gradients::<T>(inputs, tolerance, |inputs| {
        linear(&inputs[0], &inputs[1], inputs.get(2))
    });
}

#[test]
pub fn layer_normalisation() {
    in_both_precisions!("layer_norm.json", check_layer_norm);
}

fn check_layer_norm<T: Element>(case: &Case, tolerance: f64) {
    let names = ["x", "weight", "bias"];
    let inputs: Vec<&str> = names.into_iter().filter(|name| case.has(name)).collect();
    let axes = case.list_length("normalized_shape");
    let eps = case.number("eps").unwrap();
    case.assert_forward_and_gradients::<T>(&inputs, tolerance, |inputs| {
        layer_norm(&inputs[0], axes, inputs.get(1), inputs.get(2), eps)
    });
}

#[test]
pub fn gelu() {
    in_both_precisions!("gelu.json", check_gelu);
}

fn check_gelu<T: Element>(case: &Case, tolerance: f64) {
    let tape = Tape::new();
    let x = tape.watch(&case.input::<T>("x"));
    let y = if case.text("approximate") == "tanh" {
        x.gelu_tanh()
    } else {
        x.gelu()
    };
    let first = tape.grad(&y.sum(), &[&x]).unwrap().remove(0);
    let second = tape.grad(&first.sum(), &[&x]).unwrap().remove(0);
    case.assert_output("output", &y, tolerance);
    case.assert_output("x_grad", &first, tolerance);
    case.assert_output("x_grad_grad", &second, tolerance);
}
