//! How much memory the attention of four texts takes, with and without a backward pass: what is allocated at most at one time, besides
//! the inputs. `cargo bench --bench attention_memory` prints the table of docs/speed.md.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::time::Instant;

use lexigrad::prelude::*;
use lexigrad::tensor::{AttentionOptions, self_attention, trim_pool};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const TEXTS: usize = 4;
const HEADS: usize = 4;
const SIZE: usize = 32;

/// Runs `work`; the most MiB that it held beyond what was held before, and its seconds.
fn measured(work: impl FnOnce()) -> (f64, f64) {
    trim_pool();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let start = Instant::now();
    work();
    let most = ALLOCATOR.peak_usage() - before;
    (
        most as f64 / f64::from(1 << 20),
        start.elapsed().as_secs_f64(),
    )
}

fn main() {
    println!("{TEXTS} texts, {HEADS} heads of {SIZE}, causal, f32");
    println!(
        "| positions | all weights | forward: memory | with backward: memory | forward: time | with backward: time |"
    );
    println!("|---|---|---|---|---|---|");
    let options = AttentionOptions {
        mask: AttentionMask::causal(),
        ..AttentionOptions::default()
    };
    for length in [512, 2048, 8192] {
        let x: Tensor = Tensor::full([TEXTS, length, 3 * HEADS * SIZE], 0.1);
        let weights = (TEXTS * HEADS * length * length * size_of::<f32>()) >> 20;
        let forward = measured(|| drop(self_attention(&x, HEADS, &options).unwrap()));
        let both = measured(|| {
            let tape = Tape::new();
            let y = self_attention(&tape.watch(&x), HEADS, &options).unwrap();
            drop(tape.backward(&y.sum()).unwrap());
        });
        println!(
            "| {length} | {weights} MiB | {:.1} MiB | {:.1} MiB | {:.2} s | {:.2} s |",
            forward.0, both.0, forward.1, both.1
        );
    }
}
