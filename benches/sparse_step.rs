//! A training step on an embedding costs its tokens, whatever the size of the table: 4,096 ids of 64 numbers.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lexigrad::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const DIM: usize = 64;
const TOKENS: usize = 4_096;

fn step(embed: &Embedding, ids: &Ids, optimizer: &mut Optimizer<Sgd>) {
    let tape = Tape::new();
    let loss = embed.forward(ids).unwrap().square().mean();
    let gradients = tape.backward(&loss).unwrap();
    optimizer.step(&gradients).unwrap();
}

/// Batches that differ, so that no step finds its rows in the cache because the one before had the same.
fn batches(rows: usize) -> Vec<Ids> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut batch = || -> Vec<u32> {
        (0..TOKENS)
            .map(|_| rng.random_range(0..rows as u32))
            .collect()
    };
    (0..64).map(|_| Ids::new(batch()).unwrap()).collect()
}

fn sparse_step(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step of 4,096 ids on a table of 64 columns, SGD");
    group.throughput(Throughput::Elements(TOKENS as u64));
    for rows in [10_000, 1_000_000] {
        let mut rng = StdRng::seed_from_u64(1);
        let embed = Embedding::new(rows, DIM, &mut rng);
        let mut optimizer = Sgd::new(0.01).build(&embed);
        let batches = batches(rows);
        let mut next = batches.iter().cycle();
        group.bench_function(BenchmarkId::new("rows", rows), |bencher| {
            bencher.iter(|| {
                let ids = next.next().unwrap();
                step(&embed, black_box(ids), &mut optimizer);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sparse_step);
criterion_main!(benches);
