//! What recording and differentiating one operation costs, beside its arithmetic: a chain of 1,000 additions of 8 numbers.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lexigrad::tensor::{Gradients, Tape, Tensor};

const OPERATIONS: u64 = 1_000;

fn forward_and_backward(start: &Tensor, step: &Tensor) -> Gradients {
    let tape = Tape::new();
    let mut x = tape.watch(start);
    for _ in 0..OPERATIONS {
        x = x.add(step).unwrap();
    }
    tape.backward_with(&x, step).unwrap()
}

fn forward(start: &Tensor, step: &Tensor) -> Tensor {
    let mut x = start.clone();
    for _ in 0..OPERATIONS {
        x = x.add(step).unwrap();
    }
    x
}

fn overhead(criterion: &mut Criterion) {
    let (start, step) = (Tensor::zeros([8]), Tensor::ones([8]));
    let mut group = criterion.benchmark_group("chain of 1,000 adds on 8 elements");
    group.throughput(Throughput::Elements(OPERATIONS));
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| forward_and_backward(black_box(&start), black_box(&step)));
    });
    group.bench_function("forward, nothing recorded", |bencher| {
        bencher.iter(|| forward(black_box(&start), black_box(&step)));
    });
    group.finish();
}

criterion_group!(benches, overhead);
criterion_main!(benches);
