//! A training step of a recurrent classifier: 32 texts of 64 words, 20,000 words of 128 numbers, a state of 256, two classes.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lexigrad::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const WORDS: u32 = 20_000;
const BATCH: usize = 32;
const LENGTH: usize = 64;
const STATE: usize = 256;

/// A recurrent layer of which only the last state is read.
trait LastState: Module {
    fn last_state(&self, x: &Tensor) -> Result<Tensor>;
}

impl LastState for Lstm {
    fn last_state(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x)?.1.hidden.squeeze(0)
    }
}

impl LastState for Gru {
    fn last_state(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x)?.1.squeeze(0)
    }
}

#[derive(Module)]
struct Classifier<R: LastState> {
    embed: Embedding,
    recurrent: R,
    out: Linear,
}

impl<R: LastState> Classifier<R> {
    fn loss(&self, words: &Ids, labels: &Ids) -> Result<Tensor> {
        let state = self.recurrent.last_state(&self.embed.forward(words)?)?;
        cross_entropy(&self.out.forward(&state)?, labels)
    }
}

fn bench<R: LastState>(criterion: &mut Criterion, name: &str, recurrent: R, rng: &mut StdRng) {
    let model = Classifier {
        embed: Embedding::new(WORDS as usize, 128, rng),
        recurrent,
        out: Linear::new(STATE, 2, rng),
    };
    let mut optimizer = Adam::new(1e-3).build(&model);
    let mut draw = |count: usize, below| -> Vec<u32> {
        (0..count).map(|_| rng.random_range(0..below)).collect()
    };
    let words = Ids::from_vec(draw(LENGTH * BATCH, WORDS), [LENGTH, BATCH]).unwrap();
    let labels = Ids::new(draw(BATCH, 2)).unwrap();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let tape = Tape::new();
            let loss = model.loss(black_box(&words), &labels).unwrap();
            optimizer.step(&tape.backward(&loss).unwrap()).unwrap();
        });
    });
}

fn recurrent(criterion: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let lstm = Lstm::new(128, STATE, &mut rng);
    bench(criterion, "step of an LSTM classifier", lstm, &mut rng);
    let gru = Gru::new(128, STATE, &mut rng);
    bench(criterion, "step of a GRU classifier", gru, &mut rng);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = recurrent
}
criterion_main!(benches);
