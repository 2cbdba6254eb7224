//! Trainings and evaluations side by side in one thread pool: a thread that waits for the parts of a kernel may be given another of
//! these tasks, and neither may see the other's tape.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::OnceLock;

use lexigrad::prelude::*;
use lexigrad::tensor::{is_recording, is_training, set_seed};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::ThreadPoolBuilder;

const WORDS: usize = 100;
const CLASSES: usize = 8;
/// With 1,024 tokens of 128 numbers, elementwise kernels reach 2¹⁷ elements and products 2²⁰ multiplications, where both are
/// cut up for the thread pool.
const TOKENS: usize = 1_024;
const DIM: usize = 128;
const HIDDEN: usize = 16;
const STEPS: usize = 2;
const TASKS: u32 = 32;

#[derive(Module)]
struct Tagger {
    embed: Embedding,
    hidden: Linear,
    out: Linear,
}

impl Tagger {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        Self {
            embed: Embedding::new(WORDS, DIM, &mut rng),
            hidden: Linear::new(DIM, HIDDEN, &mut rng),
            out: Linear::new(HIDDEN, CLASSES, &mut rng),
        }
    }

    fn scores(&self, words: &Ids) -> Result<Tensor> {
        let x = dropout(&self.embed.forward(words)?, 0.2)?;
        self.out.forward(&self.hidden.forward(&x)?.tanh())
    }
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.values().iter().map(|x| x.to_bits()).collect()
}

fn assert_no_tape(task: u32) {
    assert!(!is_recording(), "task {task} is recorded by another's tape");
    assert!(!is_training(), "dropout is on in task {task}");
}

/// The bits of the weights after some steps.
fn train(task: u32) -> Vec<u32> {
    assert_no_tape(task);
    set_seed(u64::from(task));
    let words: Vec<u32> = (0..TOKENS as u32).map(|i| i % WORDS as u32).collect();
    let tags: Vec<u32> = words.iter().map(|word| word % CLASSES as u32).collect();
    let (words, tags) = (Ids::new(words).unwrap(), Ids::new(tags).unwrap());
    let model = Tagger::new();
    let mut optimizer = Sgd::new(0.1).build(&model);
    for _ in 0..STEPS {
        let tape = Tape::new();
        let loss = cross_entropy(&model.scores(&words).unwrap(), &tags).unwrap();
        optimizer.step(&tape.backward(&loss).unwrap()).unwrap();
    }
    assert_no_tape(task);
    bits(&model.out.weight.value())
}

/// The bits of the scores of an untrained model, without a tape.
fn evaluate(task: u32) -> Vec<u32> {
    assert_no_tape(task);
    let words: Vec<u32> = (0..TOKENS as u32).map(|i| i % WORDS as u32).collect();
    let scores = Tagger::new().scores(&Ids::new(words).unwrap()).unwrap();
    assert_no_tape(task);
    bits(&scores)
}

/// Every even task trains, every odd one evaluates.
fn run(task: u32) -> Vec<u32> {
    if task.is_multiple_of(2) {
        train(task)
    } else {
        evaluate(task)
    }
}

fn tasks_disturb_each_other_in_no_round(rounds: usize) {
    let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    let alone: Vec<Vec<u32>> = (0..TASKS).map(|task| pool.install(|| run(task))).collect();
    assert!(alone[0] != alone[2], "each training has a seed of its own");
    for round in 0..rounds {
        let together: Vec<OnceLock<Vec<u32>>> = alone.iter().map(|_| OnceLock::new()).collect();
        // Spawned from outside the pool, tasks wait in one queue, to which a thread turns that waits for parts of its own.
        pool.in_place_scope(|scope| {
            for (task, place) in (0..TASKS).zip(&together) {
                scope.spawn(move |_| place.set(run(task)).unwrap());
            }
        });
        for (task, (together, alone)) in together.iter().zip(&alone).enumerate() {
            assert!(
                together.get() == Some(alone),
                "other bits of task {task} in round {round}"
            );
        }
    }
}

#[test]
fn tasks_of_one_pool_have_the_bits_of_lone_ones() {
    tasks_disturb_each_other_in_no_round(30);
}

#[test]
#[ignore = "takes minutes"]
fn so_they_have_in_a_thousand_rounds() {
    tasks_disturb_each_other_in_no_round(1_000);
}
