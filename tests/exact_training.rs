//! A classifier trained by sparse gradients in the exact mode is the one trained by dense gradients.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad::optim::schedule::Cosine;
use lexigrad::optim::{Build, Rule, SparseMode};
use lexigrad::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const WORDS: usize = 300;
const STEPS: u64 = 200;

#[derive(Module)]
struct Classifier<T: Element> {
    embed: EmbeddingBag<T>,
    out: Linear<T>,
}

fn classifier<T: Element>(sparse: bool) -> Classifier<T> {
    let mut rng = StdRng::seed_from_u64(5);
    let table = Tensor::uniform([WORDS, 8], T::from_f64(-0.1), T::from_f64(0.1), &mut rng);
    let config = EmbeddingBagConfig {
        padding_idx: Some(0),
        sparse,
        ..EmbeddingBagConfig::new(WORDS, 8)
    };
    let embed = config.from_pretrained(&table).unwrap();
    embed.weight.set_requires_grad(true);
    let out = LinearConfig::new(8, 2).build(&mut rng).unwrap();
    Classifier { embed, out }
}

/// Texts of a few words, most of them rare, and labels that follow from the words.
fn batch(step: u64) -> (Bags, Ids) {
    let mut rng = StdRng::seed_from_u64(step);
    let mut word = || {
        let x: f64 = rng.random_range(0.0..1.0);
        (x * x * x * WORDS as f64) as u32
    };
    let texts: Vec<Vec<u32>> = (0..8).map(|_| (0..5).map(|_| word()).collect()).collect();
    let labels: Vec<u32> = texts.iter().map(|text| text[0] % 2).collect();
    (Bags::from_lists(&texts).unwrap(), Ids::new(labels).unwrap())
}

/// The parameters after all steps, with a look at all of them in between if `reads`.
fn train<T: Element>(rule: impl Rule<T>, sparse: bool, reads: bool) -> Vec<f64> {
    let model = classifier::<T>(sparse);
    let mode = if sparse {
        SparseMode::Exact
    } else {
        SparseMode::Lazy
    };
    let schedule = Cosine {
        steps: STEPS,
        minimum: 1e-4,
    };
    let mut optimizer = rule.builder().sparse_mode(mode).build(&model).unwrap();
    for step in 0..STEPS {
        let (texts, labels) = batch(step);
        let tape = Tape::new();
        let scores = model
            .out
            .forward(&model.embed.forward(&texts).unwrap())
            .unwrap();
        let grads = tape
            .backward(&cross_entropy(&scores, &labels).unwrap())
            .unwrap();
        let found = grads.get(&model.embed.weight).unwrap();
        assert_eq!(found.as_row_sparse().is_some(), sparse);
        optimizer.follow(&schedule);
        optimizer.step(&grads).unwrap();
        if reads && step % 37 == 0 {
            drop(model.state_dict());
        }
    }
    let numbers = model.state_dict();
    let numbers = numbers.iter().flat_map(|(_, tensor)| tensor.to_vec());
    numbers.map(|number| number.as_f64()).collect()
}

fn exact_is_dense<T: Element, R: Rule<T>>(rule: R, tolerance: f64) {
    let dense = train::<T>(rule.clone(), false, false);
    for reads in [false, true] {
        let exact = train::<T>(rule.clone(), true, reads);
        for (one, other) in exact.iter().zip(&dense) {
            assert!(
                (one - other).abs() < tolerance,
                "{}: {one} {other}",
                R::NAME
            );
        }
    }
}

fn every_rule<T: Element>(tolerance: f64) {
    let weight_decay = 0.01;
    let (momentum, rate) = (0.9, 0.01);
    exact_is_dense::<T, _>(
        Sgd {
            momentum,
            weight_decay,
            ..Sgd::new(0.1)
        },
        tolerance,
    );
    exact_is_dense::<T, _>(
        Adagrad {
            weight_decay,
            ..Adagrad::new(rate)
        },
        tolerance,
    );
    exact_is_dense::<T, _>(Adam::new(rate), tolerance);
    exact_is_dense::<T, _>(
        Adam {
            weight_decay,
            ..Adam::new(rate)
        },
        tolerance,
    );
    exact_is_dense::<T, _>(
        AdamW {
            weight_decay,
            ..AdamW::new(rate)
        },
        tolerance,
    );
    exact_is_dense::<T, _>(
        RmsProp {
            weight_decay,
            momentum,
            ..RmsProp::new(rate / 10.0)
        },
        tolerance,
    );
}

#[test]
fn exact_training_is_dense_training_in_f64() {
    every_rule::<f64>(1e-12);
}

#[test]
fn exact_training_is_dense_training_in_f32() {
    every_rule::<f32>(1e-6);
}
