//! A step of each optimizer on a table of V x 64 by a gradient of 4,096 Zipf-distributed ids, and of Adam on 10 million numbers.
//!
//! `benches/peers/optimizers.py` measures the same in PyTorch.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lexigrad::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const DIM: usize = 64;
const TOKENS: usize = 4_096;
const EXPONENT: f64 = 1.05;
/// Batches that differ, so that rows wait as long as they do in a training.
const BATCHES: usize = 500;

/// Ids of which row r (counted from 1) comes up in proportion to `r^-1.05`; rows are spread over the table.
fn batches(rows: usize) -> Vec<Ids> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut total = 0.0;
    let cumulated: Vec<f64> = (1..=rows)
        .map(|rank| {
            total += (rank as f64).powf(-EXPONENT);
            total
        })
        .collect();
    let mut draw = || {
        let place = rng.random_range(0.0..total);
        let rank = cumulated.partition_point(|&sum| sum < place);
        (rank as u64 * 7_919 % rows as u64) as u32
    };
    let mut batch = || (0..TOKENS).map(|_| draw()).collect::<Vec<u32>>();
    (0..BATCHES).map(|_| Ids::new(batch()).unwrap()).collect()
}

/// A lookup, which is when the exact mode catches up, and a step.
fn sparse_step<R: Rule<f32>>(criterion: &mut Criterion, name: &str, rule: R, mode: SparseMode) {
    let mut group = criterion.benchmark_group(format!("{name}, sparse step"));
    group.throughput(Throughput::Elements(TOKENS as u64));
    let mut rng = StdRng::seed_from_u64(1);
    let values: Tensor = Tensor::normal([TOKENS, DIM], 0.0, 1e-3, &mut rng);
    for rows in [10_000, 1_000_000] {
        let table = Param::new(Tensor::normal([rows, DIM], 0.0, 1.0, &mut rng));
        let mut optimizer = rule
            .clone()
            .builder()
            .sparse_mode(mode)
            .build(&table)
            .unwrap();
        let gradient = |ids: Ids| {
            let gradient = RowSparse::new(ids, values.clone(), rows).unwrap();
            Gradients::from_iter([(&table, Grad::RowSparse(Box::new(gradient)))])
        };
        let batches = batches(rows).into_iter();
        let steps: Vec<(Ids, Gradients)> =
            batches.map(|ids| (ids.clone(), gradient(ids))).collect();
        // The first steps also wait for the system to give the state its memory.
        for (_, gradients) in &steps {
            optimizer.step(gradients).unwrap();
        }
        let mut next = steps.iter().cycle();
        group.bench_function(BenchmarkId::new("rows", rows), |bencher| {
            bencher.iter(|| {
                let (ids, gradients) = next.next().unwrap();
                drop(black_box(table.rows("lookup", ids).unwrap()));
                optimizer.step(gradients).unwrap();
            });
        });
    }
    group.finish();
}

fn sparse_steps(criterion: &mut Criterion) {
    sparse_step(criterion, "Sgd", Sgd::new(0.01), SparseMode::Lazy);
    sparse_step(
        criterion,
        "SparseAdam",
        SparseAdam::new(1e-3),
        SparseMode::Lazy,
    );
    sparse_step(criterion, "Adagrad", Adagrad::new(0.01), SparseMode::Lazy);
    sparse_step(
        criterion,
        "RowWiseAdagrad",
        RowWiseAdagrad::new(0.01),
        SparseMode::Lazy,
    );
    sparse_step(criterion, "Adam Lazy", Adam::new(1e-3), SparseMode::Lazy);
    sparse_step(criterion, "Adam Exact", Adam::new(1e-3), SparseMode::Exact);
}

/// Adam reads the gradient and reads and writes parameter and two moments: seven passes over memory, against a copy's two.
fn dense_step(criterion: &mut Criterion) {
    const NUMBERS: usize = 10_000_000;
    let mut group = criterion.benchmark_group("10 million numbers");
    let bytes = |passes: usize| Throughput::Bytes((passes * NUMBERS * size_of::<f32>()) as u64);
    let weight = Param::new(Tensor::zeros([NUMBERS / DIM, DIM]));
    let gradient = Grad::Dense(Tensor::full([NUMBERS / DIM, DIM], 1e-3));
    let gradients = Gradients::from_iter([(&weight, gradient)]);
    let mut optimizer = Adam::new(1e-3).build(&weight);
    group.throughput(bytes(7));
    group.bench_function("Adam, dense step", |bencher| {
        bencher.iter(|| optimizer.step(&gradients).unwrap());
    });
    let (from, mut to) = (vec![1.0_f32; NUMBERS], vec![0.0_f32; NUMBERS]);
    group.throughput(bytes(2));
    group.bench_function("copy", |bencher| {
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
    });
    group.finish();
}

criterion_group!(benches, sparse_steps, dense_step);
criterion_main!(benches);
