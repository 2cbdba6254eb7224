//! Cross-entropy, mean squared error and binary cross-entropy.

use lexigrad::prelude::*;

use crate::case::{Case, cases};

#[test]
fn cross_entropy_of_labels() {
    let all = cases(include_str!("cross_entropy.json"));
    // Targets that are probabilities are recorded too, for a loss that is still to come.
    for case in all
        .iter()
        .filter(|case| !case.name().starts_with("probabilities"))
    {
        check_cross_entropy::<f64>(case, 1e-10);
        check_cross_entropy::<f32>(case, 1e-5);
    }
}

fn check_cross_entropy<T: Element>(case: &Case, tolerance: f64) {
    let options = CrossEntropyOptions {
        weight: case.optional::<T>("weight"),
        ignore_index: case.number("ignore_index").map(|index| index as u32),
        label_smoothing: case.number("label_smoothing").unwrap_or(0.0),
        reduction: case.reduction(),
    };
    case.assert_forward_and_gradients(&["x"], tolerance, |inputs| {
        cross_entropy_with(&inputs[0], &case.ids("target"), &options)
    });
}

#[test]
fn mean_squared_error() {
    for case in cases(include_str!("mse_loss.json")) {
        check_mse::<f64>(&case, 1e-10);
        check_mse::<f32>(&case, 1e-5);
    }
}

fn check_mse<T: Element>(case: &Case, tolerance: f64) {
    case.assert_forward_and_gradients::<T>(&["x"], tolerance, |inputs| {
        mse(&inputs[0], &case.input("target"), case.reduction())
    });
}

#[test]
fn binary_cross_entropy_with_logits() {
    for case in cases(include_str!("bce_with_logits.json")) {
        check_bce::<f64>(&case, 1e-10);
        check_bce::<f32>(&case, 1e-5);
    }
}

fn check_bce<T: Element>(case: &Case, tolerance: f64) {
    let options = BceWithLogitsOptions {
        weight: case.optional::<T>("weight"),
        pos_weight: case.optional::<T>("pos_weight"),
        reduction: case.reduction(),
    };
    case.assert_forward_and_gradients(&["x"], tolerance, |inputs| {
        bce_with_logits(&inputs[0], &case.input("target"), &options)
    });
}
