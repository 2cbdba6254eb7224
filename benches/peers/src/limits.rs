//! What the machine can do: arithmetic, memory in a row, memory at random.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::case::Case;

/// Of so many threads together.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    pub threads: usize,
    /// Floating-point operations a second, a fused multiply-add being two.
    pub operations: f64,
    /// Bytes a second read and written by a copy of 256 MiB.
    pub copy: f64,
    /// Bytes a second of `a[i] = b[i] + s c[i]`, 256 MiB each.
    pub triad: f64,
    /// Seconds to read a row of 256 bytes at a random place of 256 MB.
    pub gather: f64,
}

const REPEATS: usize = 5;
const FLOATS: usize = 64 << 20;
const ROW: usize = 64;

impl Limits {
    /// Measured now, the best of five.
    pub fn measure(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()?;
        Ok(pool.install(|| Self {
            threads,
            operations: operations(threads, LONG),
            copy: copy(threads),
            triad: triad(threads),
            gather: gather(threads),
        }))
    }

    /// The least time a step can take at so many operations a second, and what bounds it.
    pub fn floor(&self, case: &Case, operations: f64) -> Option<(f64, &'static str)> {
        let bounds = [
            (case.operations() / operations, "arithmetic"),
            (case.bytes() / self.triad, "memory"),
            (case.random_rows() * self.gather, "random rows"),
        ];
        let worst = bounds.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        (worst.0 > 0.0).then_some(worst)
    }
}

/// Measures the arithmetic alone, in some milliseconds, so that it can be done between the steps: the speed of a machine moves within a minute.
pub struct Peak {
    pool: rayon::ThreadPool,
}

impl Peak {
    /// On so many threads.
    pub fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = builder.build()?;
        Ok(Self { pool })
    }

    /// Floating-point operations a second, now.
    pub fn measure(&self) -> f64 {
        let threads = self.pool.current_num_threads();
        self.pool.install(|| operations(threads, SHORT))
    }
}

/// The best time of a task that is done on every thread at once.
fn best<T: Send>(parts: &mut [T], work: impl Fn(&mut T) + Sync) -> f64 {
    let times = (0..REPEATS).map(|_| {
        let started = Instant::now();
        parts.par_iter_mut().with_max_len(1).for_each(&work);
        started.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

/// How many multiply-adds of each chain are timed at once.
const LONG: usize = 20_000_000;
const SHORT: usize = 500_000;

fn operations(threads: usize, steps: usize) -> f64 {
    let mut parts = vec![0.0; threads];
    let seconds = best(&mut parts, |lanes| {
        *lanes = Arch::new().dispatch(MultiplyAdd(steps))
    });
    parts
        .iter()
        .map(|lanes| lanes * (steps * CHAINS * 2) as f64)
        .sum::<f64>()
        / seconds
}

/// So many independent chains hide how long one multiply-add takes.
const CHAINS: usize = 12;

struct MultiplyAdd(usize);

impl WithSimd for MultiplyAdd {
    /// The numbers in a register.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let (scale, shift) = (
            simd.splat_f32s(black_box(0.999)),
            simd.splat_f32s(black_box(0.001)),
        );
        let mut sums = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, scale, shift);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        (size_of::<S::f32s>() / size_of::<f32>()) as f64
    }
}

fn shares(threads: usize, value: f32) -> Vec<Vec<f32>> {
    vec![vec![value; FLOATS / threads]; threads]
}

fn copy(threads: usize) -> f64 {
    let mut parts: Vec<_> = shares(threads, 0.0)
        .into_iter()
        .zip(shares(threads, 1.0))
        .collect();
    let seconds = best(&mut parts, |(to, from)| to.copy_from_slice(black_box(from)));
    (2 * 4 * FLOATS) as f64 / seconds
}

fn triad(threads: usize) -> f64 {
    let operands = shares(threads, 1.0).into_iter().zip(shares(threads, 2.0));
    let mut parts: Vec<_> = shares(threads, 0.0).into_iter().zip(operands).collect();
    let seconds = best(&mut parts, |(to, (b, c))| {
        let scale = black_box(3.0);
        for ((to, b), c) in to.iter_mut().zip(b).zip(c) {
            *to = *b + scale * *c;
        }
    });
    (3 * 4 * FLOATS) as f64 / seconds
}

fn gather(threads: usize) -> f64 {
    const READS: usize = 1 << 20;
    let table = vec![1.0_f32; FLOATS];
    let mut rng = StdRng::seed_from_u64(1);
    let rows: Vec<usize> = (0..READS)
        .map(|_| rng.random_range(0..FLOATS / ROW))
        .collect();
    let mut parts: Vec<_> = rows
        .chunks(READS / threads)
        .map(|rows| (rows, [0.0_f32; ROW]))
        .collect();
    let seconds = best(&mut parts, |(rows, sum)| {
        for &row in *rows {
            for (sum, value) in sum.iter_mut().zip(&table[row * ROW..][..ROW]) {
                *sum += value;
            }
        }
        black_box(sum);
    });
    seconds / READS as f64
}
