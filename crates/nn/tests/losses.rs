//! Losses: derivatives of both orders, what is ignored, and what does not fit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::strategies::{Domain, logits_with_ignored_targets, shape, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_nn::{
    BceWithLogitsOptions, CosineEmbeddingLoss, CrossEntropyOptions, CtcLoss, HingeEmbeddingLoss,
    MarginRankingLoss, MultiMarginLoss, NllOptions, Reduction, TripletMarginLoss, bce,
    bce_with_logits, cross_entropy_probabilities, cross_entropy_with, ctc, huber, kl_div, l1, mse,
    multi_label_soft_margin, multi_margin, nll, smooth_l1,
};
use lexigrad_tensor::{Element, Ids, Number, Shape, Tape, Tensor, gather_rows};
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
            let far = Number::from_f64(20.0);
            let loss = MarginRankingLoss {
                margin: far,
                ..MarginRankingLoss::default()
            };
            loss.forward(&x[0].square(), &x[1], &signs([2, 3]))
        }),
        row!("cosine_embedding", triples(), |x, _ids| {
            let near = Number::from_f64(-2.0);
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

/// The value of a loss at x, and its gradients by x of the first and the second order, under a cotangent of ones.
fn derivatives<T: Element>(
    x: &Tensor<T>,
    loss: impl Fn(&Tensor<T>) -> lexigrad_tensor::Result<Tensor<T>>,
) -> [Vec<T>; 3] {
    let tape = Tape::new();
    let leaf = tape.watch(x);
    let value = loss(&leaf).unwrap().sum();
    let first = tape.grad(&value, &[&leaf]).unwrap().remove(0);
    // A first derivative that is a constant has no path of its own.
    let path = leaf.mul_scalar(T::zero()).sum();
    let sum = first.sum().add(&path).unwrap();
    let second = tape.grad(&sum, &[&leaf]).unwrap().remove(0);
    [value.to_vec(), first.to_vec(), second.to_vec()]
}

/// PyTorch's numbers: a logarithm is at least -100, and p (1 - p) in the gradient at least 1e-12.
#[test]
fn the_logarithms_of_binary_cross_entropy_are_cut_off_as_in_pytorch() {
    fn check<T: Element>(p: f64, y: f64, value: f64, gradient: f64) {
        let y = Tensor::full([1], T::from_f64(y));
        let p = Tensor::full([1], T::from_f64(p));
        let found = derivatives(&p, |p| bce(p, &y, None, Reduction::None));
        for (found, expected) in found.iter().zip([value, gradient]) {
            let found = found[0].as_f64();
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs(),
                "{found}, not {expected}"
            );
        }
        assert!(found[2][0].is_finite());
        let by_target = derivatives(&y, |y| bce(&p, y, None, Reduction::None));
        assert!(by_target.concat().iter().all(|x| x.is_finite()));
    }
    check::<f64>(1e-60, 1.0, 100.0, -1_000_000_003_995.802_9);
    check::<f64>(1e-60, 0.0, 1e-60, 1.000_000_004e-48);
    check::<f64>(0.0, 0.3, 30.0, -300_000_001_198.740_84);
    check::<f64>(0.0, 0.0, 0.0, 0.0);
    check::<f64>(1.0, 0.0, 100.0, 1_000_000_003_995.802_9);
    check::<f64>(1.0, 1.0, 0.0, 0.0);
    check::<f32>(1e-40, 1.0, 92.103_408_813_476_56, -999_999_995_904.0);
    check::<f32>(1e-13, 0.0, 9.999_999_824_5e-14, 0.1);
    check::<f32>(1e-9, 0.0, 9.999_999_717e-10, 1.0);
    check::<f32>(
        1.0 - 6e-8,
        1.0,
        5.960_464_477_539_063e-8,
        -1.000_000_119_209,
    );
}

#[test]
fn a_weight_of_binary_cross_entropy_broadcasts() {
    let (p, y) = (Tensor::full([2, 3], 0.5_f64), Tensor::ones([2, 3]));
    let weight = Tensor::new([1.0, 2.0, 3.0]);
    let losses = bce(&p, &y, Some(&weight), Reduction::None).unwrap();
    for (loss, weight) in losses.to_vec().iter().zip([1.0, 2.0, 3.0, 1.0, 2.0, 3.0]) {
        assert!((loss - weight * 2.0_f64.ln()).abs() < 1e-15);
    }
}

/// Where there is no probability, 0 times an infinite logarithm is nothing, in the gradients too.
#[test]
fn a_probability_of_zero_adds_nothing_to_a_divergence() {
    let never = f64::NEG_INFINITY;
    let logarithms = Tensor::new([never, -1.0]);
    for (p, log_target) in [([0.0, 0.0], false), ([never, never], true)] {
        let p = Tensor::new(p);
        let by_x = derivatives(&logarithms, |x| kl_div(x, &p, log_target, Reduction::None));
        let by_p = derivatives(&p, |p| kl_div(&logarithms, p, log_target, Reduction::None));
        assert!(
            by_x.concat()
                .iter()
                .chain(&by_p.concat())
                .all(|&x| x == 0.0)
        );
    }
}

/// Distances of 0, and differences of which one element is 0.
#[test]
fn a_distance_of_zero_has_no_gradient() {
    let same = Tensor::new([[1.0, 2.0]]);
    let (beside, far) = (Tensor::new([[1.0, 3.0]]), Tensor::new([[1.0, 2.5]]));
    for p in [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, f64::INFINITY] {
        for swap in [false, true] {
            let loss = TripletMarginLoss {
                p,
                eps: 0.0,
                swap,
                ..TripletMarginLoss::default()
            };
            let [value, first, second] = derivatives(&same, |x| loss.forward(x, x, &same));
            assert_eq!(
                (value[0], first, second),
                (1.0, vec![0.0; 2], vec![0.0; 2]),
                "p = {p}"
            );
            for position in 0..3 {
                let [_, first, second] = derivatives(&same, |x| match position {
                    0 => loss.forward(x, &same, &same),
                    1 => loss.forward(&same, x, &same),
                    _ => loss.forward(&same, &same, x),
                });
                assert_eq!((first, second), (vec![0.0; 2], vec![0.0; 2]), "p = {p}");
            }
            let loss = TripletMarginLoss {
                swap: false,
                ..loss
            };
            let [value, first, second] = derivatives(&beside, |x| loss.forward(&same, x, &far));
            assert_eq!((value[0], first), (1.5, vec![0.0, 1.0]), "p = {p}");
            assert!(second.iter().all(|x: &f64| x.is_finite()));
        }
    }
}

/// A batch of nothing: the mean and the sum of every loss are 0, and gradients are there, of no elements.
#[test]
fn every_loss_of_an_empty_batch_is_zero() {
    let none = Ids::new(Vec::<u32>::new()).unwrap();
    let (targets, log_p) = (
        none.reshape([0, 2]).unwrap(),
        Tensor::<f64>::zeros([4, 0, 3]),
    );
    for reduction in [Reduction::Mean, Reduction::Sum] {
        for classes in [0, 3] {
            let x = Tensor::<f64>::zeros([0, classes]);
            let y = x.detach();
            let few = Tensor::zeros([0]);
            let cross = CrossEntropyOptions {
                reduction,
                ..CrossEntropyOptions::default()
            };
            let smoothed = CrossEntropyOptions {
                label_smoothing: 0.1,
                weight: Some(Tensor::ones([classes])),
                ..cross.clone()
            };
            let of_logits = BceWithLogitsOptions {
                reduction,
                ..BceWithLogitsOptions::default()
            };
            let likelihood = NllOptions {
                reduction,
                ..NllOptions::default()
            };
            let multi = MultiMarginLoss {
                reduction,
                ..MultiMarginLoss::default()
            };
            let hinge = HingeEmbeddingLoss {
                reduction,
                ..HingeEmbeddingLoss::default()
            };
            let ranking = MarginRankingLoss {
                reduction,
                ..MarginRankingLoss::default()
            };
            let cosine = CosineEmbeddingLoss {
                reduction,
                ..CosineEmbeddingLoss::default()
            };
            let triplet = TripletMarginLoss {
                reduction,
                ..TripletMarginLoss::default()
            };
            let connectionist = CtcLoss {
                reduction,
                ..CtcLoss::default()
            };
            type Loss<'a> = &'a dyn Fn(&Tensor<f64>) -> lexigrad_tensor::Result<Tensor<f64>>;
            let losses: [Loss<'_>; 17] = [
                &|x| l1(x, &y, reduction),
                &|x| smooth_l1(x, &y, 1.0, reduction),
                &|x| huber(x, &y, 1.0, reduction),
                &|x| mse(x, &y, reduction),
                &|x| bce(x, &y, None, reduction),
                &|x| bce_with_logits(x, &y, &of_logits),
                &|x| kl_div(x, &y, false, reduction),
                &|x| cross_entropy_with(x, &none, &cross),
                &|x| cross_entropy_with(x, &none, &smoothed),
                &|x| cross_entropy_probabilities(x, &y, &cross),
                &|x| nll(x, &none, &likelihood),
                &|x| multi_margin(x, &none, &multi),
                &|x| multi_label_soft_margin(x, &y, None, reduction),
                &|x| hinge.forward(x, &y),
                &|x| ranking.forward(x, &y, &y),
                &|x| cosine.forward(x, &y, &few),
                &|x| triplet.forward(x, &y, &y),
            ];
            for (index, loss) in losses.iter().enumerate() {
                let [value, first, second] = derivatives(&x, loss);
                assert_eq!(
                    (value[0], first.len(), second.len()),
                    (0.0, 0, 0),
                    "loss {index}"
                );
            }
            let [value, ..] = derivatives(&log_p, |x| ctc(x, &targets, &[], &[], &connectionist));
            assert_eq!(value[0], 0.0);
        }
    }
    let x = Tensor::<f64>::zeros([2, 0]);
    let [value, ..] = derivatives(&x, |x| {
        multi_label_soft_margin(x, &x.detach(), None, Reduction::Mean)
    });
    assert_eq!(value[0], 0.0);
}

/// A mean over nothing that counts is 0 too, with zero gradients.
#[test]
fn a_batch_of_which_nothing_counts_is_zero() {
    let x = Tensor::<f64>::new([[0.5, -1.0], [2.0, 0.25]]);
    let targets = Ids::new([1, 1]).unwrap();
    let none = Some(Tensor::new([1.0, 0.0]));
    for (weight, ignore_index) in [(None, Some(1)), (none, None)] {
        let likelihood = NllOptions {
            weight: weight.clone(),
            ignore_index,
            ..NllOptions::default()
        };
        let [value, first, _] = derivatives(&x, |x| nll(x, &targets, &likelihood));
        assert_eq!((value[0], first), (0.0, vec![0.0; 4]));
        for label_smoothing in [0.0, 0.1] {
            let weight = weight.clone();
            let cross = CrossEntropyOptions {
                weight,
                ignore_index,
                label_smoothing,
                ..CrossEntropyOptions::default()
            };
            let [value, first, _] = derivatives(&x, |x| cross_entropy_with(x, &targets, &cross));
            assert_eq!((value[0], first), (0.0, vec![0.0; 4]));
        }
    }
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
        "bce: probability 1.5 at [1] must be between 0 and 1"
    );
    let nan = Tensor::new([0.5, f32::NAN]);
    assert_eq!(
        text(bce(&nan, &x, None, Reduction::Mean)),
        "bce: probability NaN at [1] must be between 0 and 1"
    );
    assert_eq!(
        text(HingeEmbeddingLoss::default().forward(&x, &x)),
        "hinge_embedding: target 0 at [0] must be 1 or -1"
    );
    let logits = Tensor::zeros([2, 3]);
    assert_eq!(
        text(nll(
            &logits,
            &Ids::new([0, 3]).unwrap(),
            &NllOptions::default()
        )),
        "nll: target 3 at [1] is out of range for 3 classes"
    );
    let one = Ids::new([0]).unwrap();
    assert_eq!(
        text(nll(&logits, &one, &NllOptions::default())),
        "nll: the targets have shape [1]; they must have that of the input [2, 3] without its classes"
    );
    assert_eq!(
        text(multi_margin(&logits, &one, &MultiMarginLoss::default())),
        "multi_margin: the targets have shape [1]; they must be [2], one for each row"
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
    let labels = Ids::new([[1]]).unwrap();
    assert_eq!(
        text(ctc(&log_p, &labels, &[4], &[2], &CtcLoss::default())),
        "ctc: length 2 at [0] is beyond the target; lengths are at most the target's 1 labels"
    );
}

#[test]
fn an_error_names_the_operand_at_fault() {
    let (two, three): (Tensor, Tensor) = (Tensor::ones([1, 2]), Tensor::ones([1, 3]));
    let text = |result: lexigrad_tensor::Result<Tensor>| result.unwrap_err().to_string();
    assert_eq!(
        text(bce(&two, &two, Some(&three), Reduction::Mean)),
        "bce: the weight has shape [1, 3]; it must broadcast to the input's shape, [1, 2]"
    );
    let options = BceWithLogitsOptions {
        pos_weight: Some(three.clone()),
        ..BceWithLogitsOptions::default()
    };
    assert_eq!(
        text(bce_with_logits(&two, &two, &options)),
        "bce_with_logits: the pos_weight has shape [1, 3]; it must broadcast to the input's shape, [1, 2]"
    );
    let triplet = TripletMarginLoss::default();
    assert_eq!(
        text(triplet.forward(&two, &two, &three)),
        "triplet_margin: the negative has shape [1, 3]; it must have the anchor's shape, [1, 2]"
    );
    let ranking = MarginRankingLoss::default();
    assert_eq!(
        text(ranking.forward(&two, &three, &two)),
        "margin_ranking: the second input has shape [1, 3]; it must have the target's shape, [1, 2]"
    );
    let cosine = CosineEmbeddingLoss::default();
    assert_eq!(
        text(cosine.forward(&two, &three, &Tensor::ones([1]))),
        "cosine_embedding: the second input has shape [1, 3]; it must have the first input's shape, [1, 2]"
    );
}
