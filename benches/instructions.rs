//! How many instructions a step takes, which no other work of the machine changes: counted by valgrind's callgrind and compared
//! with `benches/instructions.tsv`.
//!
//! `cargo bench --bench instructions` fails if a step takes more than a twentieth more; `-- --record` writes the file anew.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use lexigrad::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.tsv");
const TOLERANCE: f64 = 0.05;
/// What two runs differ in is the steps alone.
const STEPS: [u64; 2] = [20, 220];

#[derive(Module)]
struct Tiny {
    embed: Embedding,
    out: Linear,
}

fn tiny(steps: u64) {
    let mut rng = StdRng::seed_from_u64(1);
    let model = Tiny {
        embed: Embedding::new(6, 3, &mut rng),
        out: Linear::new(3, 2, &mut rng),
    };
    let mut optimizer = Sgd::new(0.01).build(&model);
    let words = Ids::new([0, 1, 3, 4, 0, 5]).unwrap();
    let labels = Ids::new([0, 1, 1, 0, 0, 1]).unwrap();
    for _ in 0..steps {
        let tape = Tape::new();
        let scores = model.out.forward(&model.embed.forward(&words).unwrap());
        let loss = cross_entropy(&scores.unwrap(), &labels).unwrap();
        optimizer.step(&tape.backward(&loss).unwrap()).unwrap();
    }
}

#[derive(Module)]
struct Bag {
    embed: EmbeddingBag,
    out: Linear,
}

fn bag(steps: u64) {
    const ROWS: usize = 20_000;
    let mut rng = StdRng::seed_from_u64(1);
    let model = Bag {
        embed: EmbeddingBag::new(ROWS, 64, &mut rng),
        out: Linear::new(64, 2, &mut rng),
    };
    let mut optimizer = Sgd::new(0.1).build(&model);
    let ids: Vec<u32> = (0..64 * 32)
        .map(|_| rng.random_range(0..ROWS as u32))
        .collect();
    let texts = Bags::from_rows(&Ids::from_vec(ids, [64, 32]).unwrap()).unwrap();
    let labels = Ids::new((0..64).map(|text| text % 2).collect::<Vec<u32>>()).unwrap();
    for _ in 0..steps {
        let tape = Tape::new();
        let scores = model.out.forward(&model.embed.forward(&texts).unwrap());
        let loss = cross_entropy(&scores.unwrap(), &labels).unwrap();
        optimizer.step(&tape.backward(&loss).unwrap()).unwrap();
    }
}

/// Additions one after another, and the way back.
fn chain(steps: u64) {
    let (start, step): (Tensor, Tensor) = (Tensor::zeros([8]), Tensor::ones([8]));
    for _ in 0..steps {
        let tape = Tape::new();
        let start = tape.watch(&start);
        let sum = (0..100).fold(start, |sum, _| sum.add(&step).unwrap());
        black_box(tape.backward_with(&sum, &step).unwrap());
    }
}

/// A name, and what runs so many steps.
type Case = (&'static str, fn(u64));

const CASES: [Case; 3] = [("tiny", tiny), ("bag", bag), ("chain of 100", chain)];

/// The instructions that this program takes to run so many steps of a case.
fn count(case: &str, steps: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args([case, &steps.to_string()])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .expect("valgrind runs");
    let report = String::from_utf8_lossy(&output.stderr);
    let line = report
        .lines()
        .find_map(|line| line.split_once("Collected :"));
    line.expect("callgrind's report").1.trim().parse().unwrap()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [case, steps, ..] = &arguments[..]
        && let Some((_, run)) = CASES.iter().find(|(name, _)| name == case)
    {
        run(steps.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let recorded = std::fs::read_to_string(RECORDED).unwrap_or_default();
    let recorded: BTreeMap<&str, u64> = recorded
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(case, count)| (case, count.parse().unwrap()))
        .collect();
    let (mut lines, mut failed) = (String::new(), false);
    for (case, _) in CASES {
        let [few, many] = STEPS.map(|steps| count(case, steps));
        let per_step = (many - few) / (STEPS[1] - STEPS[0]);
        lines += &format!("{case}\t{per_step}\n");
        let before = recorded.get(case).copied().unwrap_or(0);
        let ratio = per_step as f64 / before as f64;
        println!("{case}: {per_step} instructions a step, {ratio:.3} of the {before} recorded");
        failed |= ratio > 1.0 + TOLERANCE;
    }
    if arguments.iter().any(|argument| argument == "--record") {
        std::fs::write(RECORDED, lines).unwrap();
    } else if failed {
        eprintln!("a step takes more instructions than recorded");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
