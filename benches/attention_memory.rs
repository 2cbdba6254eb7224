//! How much memory the attention of four texts takes, with and without a backward pass: what is allocated at most at one time, besides
//! the inputs. `cargo bench --bench attention_memory` prints the table of docs/speed.md.

#![allow(unsafe_code, reason = "an allocator is unsafe to implement")]
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use lexigrad::prelude::*;
use lexigrad::tensor::{AttentionOptions, self_attention, trim_pool};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the rules of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TEXTS: usize = 4;
const HEADS: usize = 4;
const SIZE: usize = 32;

/// Runs `work`; the most MiB that it held beyond what was held before, and its seconds.
fn measured(work: impl FnOnce()) -> (f64, f64) {
    trim_pool();
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let start = Instant::now();
    work();
    let most = MOST.load(Ordering::Relaxed) - before;
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
