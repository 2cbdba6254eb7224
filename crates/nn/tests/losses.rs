//! Losses: derivatives of both orders, what is ignored, and what does not fit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::strategies::{Domain, logits_with_ignored_targets, shape, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_nn::{
    CosineEmbeddingLoss, CrossEntropyOptions, CtcLoss, HingeEmbeddingLoss, MarginRankingLoss,
    MultiMarginLoss, NllOptions, Reduction, TripletMarginLoss, bce, cross_entropy_probabilities,
    cross_entropy_with, ctc, huber, kl_div, l1, multi_label_soft_margin, multi_margin, nll,
    smooth_l1,
};
use lexigrad_tensor::{Element, Ids, Shape, Tape, Tensor, gather_rows};
use proptest::prelude::*;

/// Two tensors of one shape; differences lie away from 0.
fn pair() -> impl Strategy<Value = Case> {
    let shapes = shape(1..=2, 1..=3);
    let tensors = shapes.prop_flat_map(|shape| {
        (
            tensor(shape.clone(), Domain::AwayFromKinks),
            tensor(shape, Domain::Unit),
        )
    });
    tensors.prop_map(|(x, y)| Case::of(vec![x.mul_scalar(5.0), y]))
}

/// Probabilities, and probabilities to compare them with.
fn probabilities() -> impl Strategy<Value = Case> {
    let tensors = shape(2, 1..=3).prop_flat_map(|shape| {
        (
            tensor(shape.clone(), Domain::Unit),
            tensor(shape, Domain::Unit),
        )
    });
    tensors.prop_map(|(x, y)| Case::of(vec![x, y]))
}

/// Logits and a label for each row.
fn labelled() -> impl Strategy<Value = Case> {
    logits_with_ignored_targets().prop_map(|(x, targets, ignored)| {
        let labels = targets
            .as_slice()
            .iter()
            .map(|&t| if t == ignored { 0 } else { t });
        let labels: Vec<u32> = labels.collect();
        Case::with_ids((x, Ids::new(labels).unwrap()))
    })
}

fn triples() -> impl Strategy<Value = Case> {
    let one = || tensor(Shape::from([2, 3]), Domain::AwayFromKinks);
    (one(), one(), one())
        .prop_map(|(a, b, c)| Case::of(vec![a, b.mul_scalar(0.7), c.mul_scalar(1.3)]))
}

/// Alternating 1 and -1.
fn signs<T: Element>(shape: impl Into<Shape>) -> Tensor<T> {
    let shape = shape.into();
    let sign = |i: usize| T::from_f64(if i.is_multiple_of(2) { 1.0 } else { -1.0 });
    let flat = Tensor::from((0..shape.elements()).map(sign).collect::<Vec<T>>());
    flat.reshape(shape).unwrap()
}

fn rows() -> Vec<Row> {
    use Reduction::{Mean, None as Each, Sum};
    let both = Batch {
        tensors: &[0, 1],
        ids: false,
    };
    vec![
        row!("l1", pair(), |x, _ids| l1(&x[0], &x[1], Each)).batched(both),
        row!("smooth_l1", pair(), |x, _ids| smooth_l1(
            &x[0], &x[1], 0.05, Sum
        )),
        row!("huber", pair(), |x, _ids| huber(&x[0], &x[1], 0.05, Mean)),
        row!("bce", probabilities(), |x, _ids| bce(
            &x[0], &x[1], None, Each
        ))
        .batched(both),
        row!("kl_div", probabilities(), |x, _ids| kl_div(
            &x[0].ln(),
            &x[1],
            false,
            Sum
        )),
        row!("kl_div of logarithms", probabilities(), |x, _ids| {
            kl_div(&x[0].ln(), &x[1].ln(), true, Mean)
        }),
        row!(
            "cross_entropy of probabilities",
            probabilities(),
            |x, _ids| {
                cross_entropy_probabilities(&x[0], &x[1], &CrossEntropyOptions::default())
            }
        ),
        row!("nll", labelled(), |x, ids| {
            nll(&x[0].log_softmax(-1)?, ids, &NllOptions::default())
        }),
        row!("multi_margin", labelled(), |x, ids| {
            let squared = MultiMarginLoss {
                p: 2,
                ..MultiMarginLoss::default()
            };
            multi_margin(&x[0].tanh(), ids, &squared)
        }),
        row!("multi_label_soft_margin", probabilities(), |x, _ids| {
            multi_label_soft_margin(&x[0], &x[1], None, Each)
        })
        .batched(both),
        row!("hinge_embedding", probabilities(), |x, _ids| {
            HingeEmbeddingLoss::default().forward(&x[0].mul(&x[1])?, &signs(x[0].shape()))
        }),
        row!("margin_ranking", triples(), |x, _ids| {
            let far = Element::from_f64(20.0);
            let loss = MarginRankingLoss {
                margin: far,
                ..MarginRankingLoss::default()
            };
            loss.forward(&x[0].square(), &x[1], &signs([2, 3]))
        }),
        row!("cosine_embedding", triples(), |x, _ids| {
            let near = Element::from_f64(-2.0);
            let loss = CosineEmbeddingLoss {
                margin: near,
                ..CosineEmbeddingLoss::default()
            };
            loss.forward(&x[0], &x[1], &signs([2]))
        }),
        row!("triplet_margin", triples(), |x, _ids| {
            let loss = TripletMarginLoss {
                margin: 20.0,
                ..TripletMarginLoss::default()
            };
            loss.forward(&x[0], &x[1], &x[2])
        }),
        row!("ctc", logits_of_sequences(), |x, _ids| {
            let targets = Ids::new([[1, 1], [2, 0]])?;
            ctc(
                &x[0].log_softmax(-1)?,
                &targets,
                &[4, 3],
                &[2, 1],
                &CtcLoss::default(),
            )
        }),
    ]
}

fn logits_of_sequences() -> impl Strategy<Value = Case> {
    tensor(Shape::from([4, 2, 3]), Domain::Any).prop_map(|x| Case::of(vec![x]))
}

#[test]
fn every_loss_has_right_derivatives() {
    rows().iter().for_each(|row| row.run(64));
}

/// The rows that count.
fn counted(x: &Tensor<f64>, targets: &Ids, ignored: u32) -> (Tensor<f64>, Ids) {
    let kept = targets
        .as_slice()
        .iter()
        .zip(0_u32..)
        .filter(|(target, _)| **target != ignored);
    let (labels, places): (Vec<u32>, Vec<u32>) = kept.unzip();
    (
        gather_rows(x, &Ids::new(places).unwrap()).unwrap(),
        Ids::new(labels).unwrap(),
    )
}

proptest! {
    #[test]
    fn a_loss_that_ignores_equals_the_loss_without_the_ignored((x, targets, ignored) in logits_with_ignored_targets()) {
        let (kept, labels) = counted(&x, &targets, ignored);
        for reduction in [Reduction::Mean, Reduction::Sum] {
            let ignoring = CrossEntropyOptions { ignore_index: Some(ignored), reduction, ..Default::default() };
            let plain = CrossEntropyOptions { reduction, ..Default::default() };
            let some = cross_entropy_with(&x, &targets, &ignoring).unwrap().item().unwrap();
            let all = cross_entropy_with(&kept, &labels, &plain).unwrap().item().unwrap();
            prop_assert!((some - all).abs() < 1e-12);
            let ignoring = NllOptions { ignore_index: Some(ignored), reduction, weight: None };
            let log_p = x.log_softmax(-1).unwrap();
            let of_nll = nll(&log_p, &targets, &ignoring).unwrap().item().unwrap();
            prop_assert!((some - of_nll).abs() < 1e-12);
        }
    }

    #[test]
    fn one_hot_probabilities_are_labels((x, targets, ignored) in logits_with_ignored_targets(), smoothing in 0.0..1.0f64) {
        let (kept, labels) = counted(&x, &targets, ignored);
        let options = CrossEntropyOptions { label_smoothing: smoothing, reduction: Reduction::Sum, ..Default::default() };
        let hot = labels.one_hot(x.shape()[1]).unwrap();
        let soft = cross_entropy_probabilities(&kept, &hot, &options).unwrap().item().unwrap();
        let hard = cross_entropy_with(&kept, &labels, &options).unwrap().item().unwrap();
        prop_assert!((soft - hard).abs() < 1e-10);
    }

    #[test]
    fn padding_changes_nothing_of_ctc(x in tensor(Shape::from([4, 2, 3]), Domain::Any), padding in 1..3usize) {
        let targets = Ids::new([[1, 2], [2, 0]]).unwrap();
        let longer = Ids::new([[1, 2, 1], [2, 0, 0]]).unwrap();
        let run = |x: &Tensor<f64>, targets: &Ids| {
            let tape = Tape::new();
            let leaf = tape.watch(x);
            let loss = ctc(&leaf.log_softmax(-1).unwrap(), targets, &[4, 2], &[2, 1], &CtcLoss::default()).unwrap();
            let value = loss.item().unwrap();
            let grads = tape.backward(&loss).unwrap();
            (value, grads.of(&leaf).unwrap().to_dense().unwrap().narrow(0, 0, 4).unwrap().to_vec())
        };
        prop_assert_eq!(run(&x, &targets), run(&x.pad(0, 0, padding, 3.0).unwrap(), &longer));
    }
}

#[test]
fn a_target_that_does_not_fit_into_its_input_has_no_path() {
    let log_p = Tensor::<f64>::zeros([2, 1, 3]).log_softmax(-1).unwrap();
    let targets = Ids::new([[1, 1]]).unwrap(); // needs a blank between
    let loss = |options: &CtcLoss| {
        ctc(&log_p, &targets, &[2], &[2], options)
            .unwrap()
            .item()
            .unwrap()
    };
    assert_eq!(loss(&CtcLoss::default()), f64::INFINITY);
    let zero = CtcLoss {
        zero_infinity: true,
        ..CtcLoss::default()
    };
    assert_eq!(loss(&zero), 0.0);
    let tape = Tape::new();
    let leaf = tape.watch(&log_p);
    let infinite = ctc(&leaf, &targets, &[2], &[2], &CtcLoss::default()).unwrap();
    let grads = tape.backward(&infinite).unwrap();
    assert_eq!(
        grads.of(&leaf).unwrap().to_dense().unwrap().to_vec(),
        [0.0; 6]
    );
    let nothing = ctc(&log_p, &targets, &[0], &[0], &CtcLoss::default()).unwrap();
    assert_eq!(nothing.item().unwrap(), 0.0);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (x, y): (Tensor, Tensor) = (Tensor::zeros([2]), Tensor::zeros([3]));
    let text = |result: lexigrad_tensor::Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(
        text(l1(&x, &y, Reduction::Mean)),
        "l1: the input has shape [2]; it must have the target's shape, [3]"
    );
    assert_eq!(
        text(huber(&x, &x, 0.0, Reduction::Mean)),
        "huber: delta is 0; it must be finite and positive"
    );
    assert_eq!(
        text(bce(&Tensor::new([0.5, 1.5]), &x, None, Reduction::Mean)),
        "bce: a probability is 1.5; it must be between 0 and 1"
    );
    let nan = Tensor::new([0.5, f32::NAN]);
    assert_eq!(
        text(bce(&nan, &x, None, Reduction::Mean)),
        "bce: a probability is NaN; it must be between 0 and 1"
    );
    assert_eq!(
        text(HingeEmbeddingLoss::default().forward(&x, &x)),
        "hinge_embedding: a target is 0; it must be 1 or -1"
    );
    let logits = Tensor::zeros([2, 3]);
    assert_eq!(
        text(nll(
            &logits,
            &Ids::new([0, 3]).unwrap(),
            &NllOptions::default()
        )),
        "nll: id 3 at [1] is out of range for a table of 3 rows"
    );
    let options = CrossEntropyOptions {
        ignore_index: Some(1),
        ..CrossEntropyOptions::default()
    };
    assert_eq!(
        text(cross_entropy_probabilities(&logits, &logits, &options)),
        "cross_entropy: ignore_index 1 goes with labels, not with probabilities"
    );
    let log_p = Tensor::zeros([4, 1, 3]);
    let run = |target: u32, input: usize| {
        ctc(
            &log_p,
            &Ids::new([[target]]).unwrap(),
            &[input],
            &[1],
            &CtcLoss::default(),
        )
    };
    assert_eq!(
        text(run(0, 4)),
        "ctc: label 0 at [0, 0] must be below the 3 classes and not the blank 0"
    );
    assert!(text(run(1, 5)).starts_with("ctc: length 5 at [0] is beyond the input"));
}
