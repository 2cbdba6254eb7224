//! A whole training step of the smallest model: six words, three numbers each, two classes.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lexigrad::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

#[derive(Module)]
struct Model {
    embed: Embedding,
    out: Linear,
}

fn step(model: &Model, words: &Ids, labels: &Ids, optimizer: &mut Optimizer<Sgd>) {
    let tape = Tape::new();
    let scores = model.out.forward(&model.embed.forward(words).unwrap());
    let loss = cross_entropy(&scores.unwrap(), labels).unwrap();
    let gradients = tape.backward(&loss).unwrap();
    optimizer.step(&gradients).unwrap();
}

fn tiny_step(criterion: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let model = Model {
        embed: Embedding::new(6, 3, &mut rng),
        out: Linear::new(3, 2, &mut rng),
    };
    let mut optimizer = Sgd::new(0.01).build(&model);
    let words = Ids::new([0, 1, 3, 4, 0, 5]).unwrap();
    let labels = Ids::new([0, 1, 1, 0, 0, 1]).unwrap();
    criterion.bench_function(
        "step of Embedding(6, 3), Linear(3, 2), cross-entropy, SGD",
        |bencher| bencher.iter(|| step(&model, black_box(&words), &labels, &mut optimizer)),
    );
}

criterion_group!(benches, tiny_step);
criterion_main!(benches);
