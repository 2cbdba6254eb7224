//! Losses and the adaptive softmax.

use lexigrad::nn::{
    AdaptiveSoftmax, AdaptiveSoftmaxConfig, CtcLoss, MultiMarginLoss, NllOptions,
    TripletMarginLoss, bce, cosine_embedding, ctc, hinge_embedding, huber, kl_div, l1,
    margin_ranking, multi_label_soft_margin, multi_margin, nll, smooth_l1, triplet_margin,
};
use lexigrad::prelude::*;

use crate::case::{Case, cases};
use crate::module::{check_module, given, in_both_precisions, rng};

#[test]
pub fn cross_entropy_of_labels_and_of_probabilities() {
    for case in cases(include_str!("cross_entropy.json")) {
        check_cross_entropy::<f64>(&case, 1e-10);
        check_cross_entropy::<f32>(&case, 1e-5);
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
        if case.name().starts_with("probabilities") {
            return cross_entropy_probabilities(&inputs[0], &case.input("target"), &options);
        }
        cross_entropy_with(&inputs[0], &case.ids("target"), &options)
    });
}

#[test]
pub fn mean_squared_error() {
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
pub fn binary_cross_entropy_with_logits() {
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

#[test]
pub fn every_other_loss_and_the_adaptive_softmax() {
    in_both_precisions(
        include_str!("losses.json"),
        check_loss::<f64>,
        check_loss::<f32>,
    );
}

fn check_loss<T: Element>(case: &Case, tolerance: f64) {
    let name = case.name().split(' ').next().unwrap();
    if name == "adaptive_softmax" {
        return check_adaptive::<T>(case, tolerance);
    }
    let inputs: &[&str] = match name {
        "l1" | "smooth_l1" | "huber" => &["x", "y"],
        "margin_ranking" | "cosine_embedding" => &["a", "b"],
        "triplet_margin" => &["a", "p", "n"],
        _ => &["x"],
    };
    case.assert_forward_and_gradients::<T>(inputs, tolerance, |x| run(name, case, x));
}

fn run<T: Element>(name: &str, case: &Case, x: &[Tensor<T>]) -> Result<Tensor<T>> {
    let reduction = case.reduction();
    let option = |name: &str| case.number(name).unwrap();
    let margin = || T::from_f64(option("margin"));
    let weight = case.optional::<T>("weight");
    let y = || case.input::<T>("y");
    match name {
        "l1" => l1(&x[0], &x[1], reduction),
        "smooth_l1" => smooth_l1(&x[0], &x[1], option("beta"), reduction),
        "huber" => huber(&x[0], &x[1], option("delta"), reduction),
        "nll" => {
            let ignore_index = case.number("ignore_index").map(|index| index as u32);
            let options = NllOptions {
                weight,
                ignore_index,
                reduction,
            };
            nll(&x[0], &case.ids("target"), &options)
        }
        "bce" => bce(&x[0], &y(), weight.as_ref(), reduction),
        "kl_div" => kl_div(&x[0], &y(), case.flag("log_target"), reduction),
        "cross_entropy" => {
            let options = CrossEntropyOptions {
                weight,
                label_smoothing: option("label_smoothing"),
                reduction,
                ..CrossEntropyOptions::default()
            };
            cross_entropy_probabilities(&x[0], &y(), &options)
        }
        "hinge_embedding" => hinge_embedding(&x[0], &y(), margin(), reduction),
        "margin_ranking" => margin_ranking(&x[0], &x[1], &y(), margin(), reduction),
        "cosine_embedding" => cosine_embedding(&x[0], &x[1], &y(), margin(), reduction),
        "multi_margin" => {
            let options = MultiMarginLoss {
                p: option("p") as u32,
                margin: margin(),
                weight,
                reduction,
            };
            multi_margin(&x[0], &case.ids("target"), &options)
        }
        "triplet_margin" => {
            let options = TripletMarginLoss {
                p: option("power"),
                swap: case.flag("swap"),
                eps: case.number("eps").unwrap_or(1e-6),
                reduction,
                ..TripletMarginLoss::default()
            };
            triplet_margin(&x[0], &x[1], &x[2], &options)
        }
        "multi_label_soft_margin" => {
            multi_label_soft_margin(&x[0], &y(), weight.as_ref(), reduction)
        }
        "ctc" => {
            let options = CtcLoss {
                blank: option("blank") as u32,
                reduction,
                zero_infinity: case.flag("zero_infinity"),
            };
            let (inputs, targets) = (
                case.integers("input_lengths"),
                case.integers("target_lengths"),
            );
            let log_p = x[0].log_softmax(-1)?;
            ctc(&log_p, &case.ids("target"), &inputs, &targets, &options)
        }
        _ => panic!("no loss {name}"),
    }
}

fn check_adaptive<T: Element>(case: &Case, tolerance: f64) {
    let config = AdaptiveSoftmaxConfig {
        head_bias: case.flag("head_bias"),
        div_value: case.number("div_value").unwrap(),
        ..AdaptiveSoftmaxConfig::new(16, 12, [3, 7])
    };
    let model: AdaptiveSoftmax<T> = config.build(&mut rng()).unwrap();
    let targets = case.ids("target");
    check_module(case, &model, &["x"], tolerance, |x| {
        Ok(vec![("loss", model.forward(given(&x[0]), &targets)?)])
    });
    let x = case.input("x");
    let own = model.target_log_probabilities(&x, &targets).unwrap();
    case.assert_output("output", &own, tolerance);
    case.assert_output("log_prob", &model.log_probabilities(&x).unwrap(), tolerance);
}
