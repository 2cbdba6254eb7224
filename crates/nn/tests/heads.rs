//! Output layers for large vocabularies, and the conditional random field.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::{Options, gradcheck_module, gradgradcheck_module};
use lexigrad_nn::{
    AdaptiveSoftmax, AdaptiveSoftmaxConfig, AliasTable, HierarchicalSoftmax, LinearChainCrf,
    Module, NegativeSampling, NegativeSamplingConfig, SampledSoftmax, SampledSoftmaxConfig,
    SharedNegatives, SharedNegativesConfig,
};
use lexigrad_tensor::{Bags, Ids, Tape, Tensor, cross_entropy};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

fn rng() -> StdRng {
    StdRng::seed_from_u64(7)
}

/// Gives every parameter other values than its first ones, which may be zeros.
fn redraw(model: &impl Module<f64>) {
    let mut rng = rng();
    for param in model.parameters() {
        param
            .set(&Tensor::uniform(param.shape(), -1.0, 1.0, &mut rng))
            .unwrap();
    }
}

/// First and second derivatives by every parameter and the input.
fn check(
    name: &str,
    model: &impl Module<f64>,
    x: Tensor<f64>,
    f: impl Fn(&Tensor<f64>) -> lexigrad_tensor::Result<Tensor<f64>>,
) {
    redraw(model);
    let f = |x: &[Tensor<f64>]| f(&x[0]);
    gradcheck_module(
        name,
        model,
        f,
        std::slice::from_ref(&x),
        &Options::default(),
    )
    .unwrap();
    gradgradcheck_module(name, model, f, &[x], &Options::default()).unwrap();
}

fn hidden() -> Tensor<f64> {
    Tensor::new([[0.3, -1.0, 0.5], [1.5, 0.2, -0.7]])
}

fn targets() -> Ids {
    Ids::new([4, 1]).unwrap()
}

#[test]
fn every_head_has_right_derivatives() {
    let negative: NegativeSampling<f64> = NegativeSamplingConfig::new(3)
        .build(&[9, 5, 3, 2, 1])
        .unwrap();
    check("negative sampling", &negative, hidden(), |x| {
        negative.forward(x, &targets())
    });
    let shared: SharedNegatives<f64> = SharedNegativesConfig::new(3)
        .build(&[9, 5, 3, 2, 1])
        .unwrap();
    let pairs = Bags::from_lists(&[vec![0_u32, 2, 0], vec![]]).unwrap();
    check("shared negatives", &shared, hidden(), |x| {
        shared.forward(x, &Ids::new([4, 4, 1]).unwrap(), &pairs)
    });
    let config = SampledSoftmaxConfig {
        samples: 4,
        ..SampledSoftmaxConfig::new(6, 3)
    };
    let sampled: SampledSoftmax<f64> = config.build(&mut rng()).unwrap();
    check("sampled softmax", &sampled, hidden(), |x| {
        sampled.forward(x, &targets())
    });
    let tree: HierarchicalSoftmax<f64> = HierarchicalSoftmax::new(3, &[9, 5, 3, 2, 1]).unwrap();
    check("hierarchical softmax", &tree, hidden(), |x| {
        tree.forward(x, &targets())
    });
    let config = AdaptiveSoftmaxConfig {
        head_bias: true,
        div_value: 1.5,
        ..AdaptiveSoftmaxConfig::new(3, 6, [2, 4])
    };
    let adaptive: AdaptiveSoftmax<f64> = config.build(&mut rng()).unwrap();
    check("adaptive softmax", &adaptive, hidden(), |x| {
        adaptive.forward(x, &targets())
    });
}

#[test]
fn a_step_touches_only_the_rows_of_its_targets_and_draws() {
    let negative: NegativeSampling = NegativeSamplingConfig::new(3).build(&[1; 100_000]).unwrap();
    let config = SampledSoftmaxConfig {
        samples: 16,
        ..SampledSoftmaxConfig::new(100_000, 3)
    };
    let sampled: SampledSoftmax = config.build(&mut rng()).unwrap();
    let tree: HierarchicalSoftmax = HierarchicalSoftmax::new(3, &[1; 100_000]).unwrap();
    let (hidden, targets) = (Tensor::ones([2, 3]), Ids::new([4, 99_999]).unwrap());
    let rows = |loss: &dyn Fn() -> Tensor, model: &dyn Module| {
        let tape = Tape::new();
        let grads = tape.backward(&loss()).unwrap();
        let params = model.parameters().into_iter();
        let rows = params.map(|param| {
            grads
                .get(&param)
                .unwrap()
                .as_row_sparse()
                .unwrap()
                .rows()
                .len()
        });
        rows.collect::<Vec<usize>>()
    };
    assert_eq!(
        rows(&|| negative.forward(&hidden, &targets).unwrap(), &negative),
        [2 * 6]
    );
    assert_eq!(
        rows(&|| sampled.forward(&hidden, &targets).unwrap(), &sampled),
        [18, 18]
    );
    // A balanced tree of 100,000 is 16 or 17 high.
    assert!(rows(&|| tree.forward(&hidden, &targets).unwrap(), &tree)[0] <= 2 * 17);
}

#[test]
fn the_draws_belong_to_the_tape() {
    let head: NegativeSampling = NegativeSamplingConfig::new(3).build(&[1; 1000]).unwrap();
    redraw_f32(&head);
    let loss = |seed: u64| {
        let _tape = Tape::seeded(seed);
        head.forward(&Tensor::ones([2, 3]), &targets())
            .unwrap()
            .item()
            .unwrap()
    };
    assert_eq!(loss(1), loss(1));
    assert_ne!(loss(1), loss(2));
    let without = || {
        head.forward(&Tensor::ones([2, 3]), &targets())
            .unwrap()
            .item()
            .unwrap()
    };
    assert_eq!(without(), without());
}

fn redraw_f32(model: &impl Module) {
    let mut rng = rng();
    for param in model.parameters() {
        param
            .set(&Tensor::uniform(param.shape(), -1.0, 1.0, &mut rng))
            .unwrap();
    }
}

/// The sum of the probabilities of all classes for one input.
fn total(log_p: impl Fn(&Tensor<f64>, &Ids) -> Tensor<f64>, x: &Tensor<f64>, classes: u32) -> f64 {
    let all: Vec<u32> = (0..classes).collect();
    let rows = x.expand([classes as usize, 3]).unwrap();
    log_p(&rows, &Ids::new(all).unwrap())
        .exp()
        .sum()
        .item()
        .unwrap()
}

#[test]
fn probabilities_add_up_to_one() {
    let x = Tensor::new([[0.3, -1.0, 0.5]]);
    let tree: HierarchicalSoftmax<f64> =
        HierarchicalSoftmax::new(3, &[9, 1, 1, 30, 2, 0, 4]).unwrap();
    redraw(&tree);
    assert!((total(|x, t| tree.log_probabilities(x, t).unwrap(), &x, 7) - 1.0).abs() < 1e-12);
    let adaptive: AdaptiveSoftmax<f64> = AdaptiveSoftmaxConfig::new(3, 7, [2, 5])
        .build(&mut rng())
        .unwrap();
    redraw(&adaptive);
    assert!(
        (total(
            |x, t| adaptive.target_log_probabilities(x, t).unwrap(),
            &x,
            7
        ) - 1.0)
            .abs()
            < 1e-12
    );
    let all = adaptive.log_probabilities(&x).unwrap();
    let one = adaptive
        .target_log_probabilities(&x, &Ids::new([5]).unwrap())
        .unwrap();
    assert!((all.to_vec()[5] - one.to_vec()[0]).abs() < 1e-12);
}

/// The loss and the gradients by the input and the table.
fn step(
    x: &Tensor<f64>,
    weight: &lexigrad_tensor::Param<f64>,
    loss: impl Fn(&Tensor<f64>) -> Tensor<f64>,
) -> Vec<f64> {
    let tape = Tape::seeded(5);
    let leaf = tape.watch(x);
    let loss = loss(&leaf);
    let value = loss.to_vec();
    let grads = tape.backward(&loss).unwrap();
    let by_x = grads.of(&leaf).unwrap().to_dense().unwrap().to_vec();
    let by_weight = grads.dense(weight).unwrap().unwrap().to_vec();
    [value, by_x, by_weight].concat()
}

#[test]
fn with_one_word_to_draw_shared_negatives_are_negative_sampling() {
    // Only word 0 can be drawn, so both heads see the same noise.
    let counts = [1, 0, 0, 0, 0];
    let alone: NegativeSampling<f64> = NegativeSamplingConfig::new(3).build(&counts).unwrap();
    let shared: SharedNegatives<f64> = SharedNegativesConfig::new(3).build(&counts).unwrap();
    redraw(&alone);
    shared.weight.set(&alone.weight.value()).unwrap();
    let pairs = Bags::from_lists(&[vec![1_u32, 0], vec![1]]).unwrap();
    let words = Ids::new([4, 1]).unwrap();
    let ours = step(&hidden(), &shared.weight, |x| {
        shared.forward(x, &words, &pairs).unwrap()
    });
    let theirs = step(&hidden(), &alone.weight, |x| {
        let each = x.index_select(0, &Ids::new([0, 0, 1]).unwrap()).unwrap();
        let mean = alone.forward(&each, &Ids::new([1, 4, 1]).unwrap()).unwrap();
        mean.mul_scalar(3.0)
    });
    assert_eq!(ours.len(), theirs.len());
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    assert!(ours.iter().zip(&theirs).all(near), "{ours:?} {theirs:?}");
}

#[test]
fn shared_negatives_come_near_to_negative_sampling_with_many_draws() {
    let counts = [9, 5, 3, 2, 0, 0];
    let config = SharedNegativesConfig {
        samples: 200_000,
        ..SharedNegativesConfig::new(3)
    };
    let shared: SharedNegatives<f64> = config.build(&counts).unwrap();
    let alone: NegativeSampling<f64> = NegativeSamplingConfig::new(3).build(&counts).unwrap();
    redraw(&shared);
    alone.weight.set(&shared.weight.value()).unwrap();
    // The targets are never drawn, so that none is left out.
    let pairs = Bags::from_lists(&[[0_u32], [1]]).unwrap();
    let ours = step(&hidden(), &shared.weight, |x| {
        shared
            .forward(x, &Ids::new([4, 5]).unwrap(), &pairs)
            .unwrap()
    });
    let theirs = step(&hidden(), &alone.weight, |x| {
        let rows = x.index_select(0, &Ids::new([[0; 20_000], [1; 20_000]].concat()).unwrap());
        let targets = Ids::new([[4_u32; 20_000], [5; 20_000]].concat()).unwrap();
        alone
            .forward(&rows.unwrap(), &targets)
            .unwrap()
            .mul_scalar(2.0)
    });
    for (place, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!((ours - theirs).abs() < 0.05, "[{place}] {ours} {theirs}");
    }
}

#[test]
fn a_frequent_class_is_nearer_to_the_root() {
    let tree: HierarchicalSoftmax = HierarchicalSoftmax::new(2, &[1, 100, 1, 1, 1]).unwrap();
    let log_p = tree
        .log_probabilities(&Tensor::ones([2, 2]), &Ids::new([1, 0]).unwrap())
        .unwrap();
    let [frequent, rare]: [f32; 2] = log_p.to_array().unwrap();
    assert!((frequent - 0.5_f32.ln()).abs() < 1e-6 && rare < frequent);
}

#[test]
fn sampled_softmax_comes_near_the_whole_one_with_many_draws() {
    let config = SampledSoftmaxConfig {
        samples: 20_000,
        ..SampledSoftmaxConfig::new(12, 3)
    };
    let head: SampledSoftmax<f64> = config.build(&mut rng()).unwrap();
    redraw(&head);
    let whole = cross_entropy(&head.logits(&hidden()).unwrap(), &targets()).unwrap();
    let sampled = head.forward(&hidden(), &targets()).unwrap();
    let difference = sampled.sub(&whole).unwrap().item().unwrap();
    assert!(difference.abs() < 0.05, "{difference}");
}

proptest! {
    #[test]
    fn an_alias_table_draws_by_its_weights(weights in prop::collection::vec(0.0..4.0f64, 1..8), seed in any::<u64>()) {
        prop_assume!(weights.iter().sum::<f64>() > 0.1);
        let table = AliasTable::new(&weights).unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        let draws = 20_000;
        let mut counts = vec![0_u32; weights.len()];
        (0..draws).for_each(|_| counts[table.draw(&mut rng) as usize] += 1);
        let total: f64 = weights.iter().sum();
        for (&count, weight) in counts.iter().zip(&weights) {
            let (found, expected) = (f64::from(count) / f64::from(draws), weight / total);
            // Six standard deviations of a proportion of 20,000.
            prop_assert!((found - expected).abs() < 6.0 * 0.5 / f64::from(draws).sqrt());
        }
    }

    #[test]
    fn a_field_agrees_with_every_tagging_counted_out(
        lengths in prop::collection::vec(0..=4usize, 1..=3),
        seed in any::<u64>(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let crf: LinearChainCrf<f64> = LinearChainCrf::build(3, &mut rng).unwrap();
        redraw(&crf);
        let emissions = Tensor::uniform([lengths.len(), 4, 3], -2.0, 2.0, &mut rng);
        let best = crf.viterbi(&emissions, &lengths).unwrap();
        for (row, &length) in lengths.iter().enumerate() {
            let own = emissions.narrow(0, row, 1).unwrap();
            let taggings = 3_usize.pow(length as u32);
            let tags: Vec<Vec<u32>> = (0..taggings).map(|code| {
                (0..4).map(|place| if place < length { (code / 3_usize.pow(place as u32) % 3) as u32 } else { 0 }).collect()
            }).collect();
            let all = own.expand([taggings, 4, 3]).unwrap();
            let log_p = crf.log_likelihood(&all, &Ids::new(tags.clone()).unwrap(), &vec![length; taggings]).unwrap();
            let total: f64 = log_p.exp().sum().item().unwrap();
            prop_assert!((total - 1.0).abs() < 1e-9, "probabilities add up to {total}");
            let winner = log_p.argmax(0).unwrap().as_slice()[0] as usize;
            prop_assert_eq!(&best[row].tags, &tags[winner][..length]);
        }
    }

    #[test]
    fn padding_changes_nothing_of_a_field(seed in any::<u64>(), padding in 0..3usize) {
        let mut rng = StdRng::seed_from_u64(seed);
        let crf: LinearChainCrf<f64> = LinearChainCrf::build(3, &mut rng).unwrap();
        let short = Tensor::uniform([2, 3, 3], -2.0, 2.0, &mut rng);
        let long = short.pad(1, 0, padding, f64::NAN).unwrap();
        let tags = [vec![0, 2, 1], vec![1, 0, 0]];
        let run = |x: &Tensor<f64>| {
            let rows = tags.clone().map(|mut row| { row.resize(x.shape()[1], 2); row });
            let tape = Tape::new();
            let leaf = tape.watch(x);
            let log_p = crf.log_likelihood(&leaf, &Ids::new(rows.to_vec()).unwrap(), &[3, 1]).unwrap();
            let value = log_p.to_vec();
            let grads = tape.backward(&log_p.sum()).unwrap();
            let gradient = grads.of(&leaf).unwrap().to_dense().unwrap();
            (value, gradient.narrow(1, 0, 3).unwrap().to_vec(), grads.dense(&crf.transitions).unwrap().unwrap().to_vec())
        };
        prop_assert_eq!(run(&short), run(&long));
    }
}

#[test]
fn a_field_has_right_derivatives() {
    let crf: LinearChainCrf<f64> = LinearChainCrf::build(2, &mut rng()).unwrap();
    let emissions = Tensor::uniform([3, 3, 2], -2.0, 2.0, &mut rng());
    let tags = Ids::new([[0, 1, 1], [1, 0, 0], [0, 0, 0]]).unwrap();
    check("crf", &crf, emissions, |x| {
        crf.log_likelihood(x, &tags, &[3, 2, 0])
    });
}

#[test]
fn what_does_not_fit_is_an_error() {
    let text = |error: lexigrad_tensor::Error| error.to_string();
    let head: NegativeSampling = NegativeSamplingConfig::new(3).build(&[1, 1]).unwrap();
    assert_eq!(
        text(
            head.forward(&Tensor::ones([2, 3]), &Ids::new([0, 2]).unwrap())
                .unwrap_err()
        ),
        "negative_sampling: target 2 at [1] is out of range for 2 classes"
    );
    assert_eq!(
        text(
            head.forward(&Tensor::ones([4, 3]), &Ids::new([[0, 1], [0, 1]]).unwrap())
                .unwrap_err()
        ),
        "negative_sampling: the targets have shape [2, 2]; they must have one axis"
    );
    assert_eq!(
        text(
            head.forward(&Tensor::ones([2, 4]), &Ids::new([0, 1]).unwrap())
                .unwrap_err()
        ),
        "negative_sampling: the input has shape [2, 4]; it must be [2, 3], one row for each target"
    );
    let none = NegativeSamplingConfig::new(3)
        .build::<f32>(&[0, 0])
        .unwrap_err();
    assert_eq!(
        text(none),
        "alias_table: 2 weights of sum 0; the sum must be positive"
    );
    let shared: SharedNegatives = SharedNegativesConfig::new(3).build(&[1, 1]).unwrap();
    let one = Bags::from_lists(&[[0_u32]]).unwrap();
    let wrong = shared.forward(&Tensor::ones([1, 3]), &Ids::new([2]).unwrap(), &one);
    assert_eq!(
        text(wrong.unwrap_err()),
        "shared_negatives: id 2 at [0] is out of range for a table of 2 rows"
    );
    let wrong = shared.forward(&Tensor::ones([2, 3]), &Ids::new([1]).unwrap(), &one);
    assert_eq!(
        text(wrong.unwrap_err()),
        "sampled_matmul: a has shape [2, 3]; it must be [1, dim], one row for each bag"
    );
    let none = SharedNegativesConfig {
        samples: 0,
        ..SharedNegativesConfig::new(3)
    };
    assert_eq!(
        text(none.build::<f32>(&[1]).unwrap_err()),
        "shared_negatives: the number of samples is 0; it must be at least 1"
    );
    let cutoffs = AdaptiveSoftmaxConfig::new(4, 10, [5, 5])
        .build::<f32>(&mut rng())
        .unwrap_err();
    assert_eq!(
        text(cutoffs),
        "adaptive_softmax: the cutoffs [5, 5] must ascend between 1 and 10"
    );
    let one = HierarchicalSoftmax::<f32>::new(2, &[1]).unwrap_err();
    assert_eq!(
        text(one),
        "hierarchical_softmax: the number of classes is 1; it must be at least 2"
    );
    let crf = LinearChainCrf::new(2, &mut rng());
    let emissions = Tensor::ones([1, 2, 2]);
    let long = crf.viterbi(&emissions, &[3]).unwrap_err();
    assert!(text(long).starts_with("linear_chain_crf: length 3 at [0] is beyond the input"));
    let tag = crf
        .log_likelihood(&emissions, &Ids::new([[0, 2]]).unwrap(), &[2])
        .unwrap_err();
    assert_eq!(
        text(tag),
        "linear_chain_crf: id 2 at [0, 1] is out of range for 2 tags"
    );
    let shape = crf
        .log_likelihood(&emissions, &Ids::new([0, 1]).unwrap(), &[2])
        .unwrap_err();
    assert_eq!(
        text(shape),
        "linear_chain_crf: the tags have shape [2]; they must be [1, 2]"
    );
}
