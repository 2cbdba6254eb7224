//! The pieces that steps are made of: products, functions of numbers and of rows, lookups of bags.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lexigrad::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Square, of a transformer, of a recurrent step, and as small as the last layer of a classifier.
const PRODUCTS: [[usize; 3]; 5] = [
    [64, 64, 64],
    [256, 256, 256],
    [2_048, 128, 512],
    [32, 256, 1_024],
    [256, 64, 2],
];

fn products(criterion: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut group = criterion.benchmark_group("product of [m, k] and [k, n], multiply-adds");
    for [m, k, n] in PRODUCTS {
        group.throughput(Throughput::Elements((m * k * n) as u64));
        let mut draw = |rows, columns| Tensor::<f32>::normal([rows, columns], 0.0, 1.0, &mut rng);
        let (x, y) = (draw(m, k), draw(k, n));
        let (x_columns, y_columns) = (draw(k, m), draw(n, k));
        let x_columns = x_columns.transpose(0, 1).unwrap();
        let y_columns = y_columns.transpose(0, 1).unwrap();
        for (layout, x, y) in [
            ("NN", &x, &y),
            ("NT", &x, &y_columns),
            ("TN", &x_columns, &y),
        ] {
            let name = BenchmarkId::new(layout, format!("{m}x{k}x{n}"));
            group.bench_function(name, |bencher| {
                bencher.iter(|| black_box(x).matmul(y).unwrap());
            });
        }
    }
    group.finish();
}

fn functions(criterion: &mut Criterion) {
    const ROW: usize = 128;
    const ROWS: usize = 8_192;
    let x: Tensor = Tensor::normal([ROWS, ROW], 0.0, 1.0, &mut StdRng::seed_from_u64(1));
    let norm = LayerNorm::new(ROW);
    let mut group = criterion.benchmark_group("functions of a million numbers, rows of 128");
    group.throughput(Throughput::Elements((ROWS * ROW) as u64));
    let mut bench = |name: &str, function: &dyn Fn(&Tensor) -> Tensor| {
        group.bench_function(name, |bencher| bencher.iter(|| function(black_box(&x))));
    };
    bench("add", &|x| x.add(x).unwrap());
    bench("exp", &Tensor::exp);
    bench("tanh", &Tensor::tanh);
    bench("sigmoid", &Tensor::sigmoid);
    bench("gelu", &Tensor::gelu);
    bench("softmax", &|x| x.softmax(-1).unwrap());
    bench("layer norm", &|x| norm.forward(x).unwrap());
    bench("sum", &Tensor::sum);
    bench("transpose", &|x| x.transpose(0, 1).unwrap().add_scalar(1.0));
    group.finish();
}

fn bags(criterion: &mut Criterion) {
    const ROWS: usize = 100_000;
    let mut rng = StdRng::seed_from_u64(1);
    let embed = EmbeddingBag::new(ROWS, 64, &mut rng);
    let mut batch = || {
        let ids: Vec<u32> = (0..256 * 32)
            .map(|_| rng.random_range(0..ROWS as u32))
            .collect();
        Bags::from_rows(&Ids::from_vec(ids, [256, 32]).unwrap()).unwrap()
    };
    let batches: Vec<Bags> = (0..16).map(|_| batch()).collect();
    let mut group = criterion.benchmark_group("means of 256 bags of 32 rows of 64");
    group.throughput(Throughput::Elements(256 * 32));
    let mut next = batches.iter().cycle();
    group.bench_function("forward", |bencher| {
        bencher.iter(|| embed.forward(next.next().unwrap()).unwrap());
    });
    let mut next = batches.iter().cycle();
    group.bench_function("forward and backward", |bencher| {
        bencher.iter(|| {
            let tape = Tape::new();
            let means = embed.forward(next.next().unwrap()).unwrap();
            tape.backward(&means.sum()).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, products, functions, bags);
criterion_main!(benches);
