//! A training that is stopped, saved and resumed has the bits of one that was not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use lexigrad::optim::schedule::{Cosine, Linear as Rising, Plateau, PlateauOptions, Sequential};
use lexigrad::optim::{Average, NAdam, Schedule, SparseMode};
use lexigrad::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const WORDS: usize = 40;

#[derive(Module)]
struct Classifier {
    embed: Embedding,
    out: Linear,
}

/// All that changes in a training, saved as one.
#[derive(Module)]
struct Training<R: Rule<f32>> {
    model: Classifier,
    optimizer: Optimizer<R>,
    average: Average,
    plateau: Plateau,
}

fn schedule() -> impl Schedule {
    let rising = Rising {
        start_factor: 0.1,
        end_factor: 1.0,
        steps: 5,
    };
    let cosine = Cosine {
        steps: 40,
        minimum: 1e-4,
    };
    Sequential::new(rising).then_at(5, cosine)
}

impl<R: Rule<f32>> Training<R> {
    fn new(rule: R, mode: SparseMode, dim: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        let model = Classifier {
            embed: Embedding::new(WORDS, dim, &mut rng),
            out: Linear::new(dim, 3, &mut rng),
        };
        let options = PlateauOptions {
            patience: 1,
            ..PlateauOptions::default()
        };
        Self {
            optimizer: rule.builder().sparse_mode(mode).build(&model).unwrap(),
            average: Average::new(&model, 0.9).unwrap(),
            plateau: Plateau::new(options),
            model,
        }
    }

    /// Trains until so many steps are done; what is random in a step follows from its number.
    fn train(&mut self, steps: u64, schedule: Option<&dyn Schedule>) {
        while self.optimizer.steps() < steps {
            let step = self.optimizer.steps();
            let mut rng = StdRng::seed_from_u64(step);
            let ids: Vec<usize> = (0..4).map(|_| rng.random_range(0..WORDS)).collect();
            let labels = Ids::new(ids.iter().map(|id| id % 3).collect::<Vec<_>>()).unwrap();
            let tape = Tape::seeded(step);
            let hidden = self.model.embed.forward(&Ids::new(ids).unwrap()).unwrap();
            let hidden = dropout(&hidden, 0.3).unwrap();
            let scores = self.model.out.forward(&hidden).unwrap();
            let loss = cross_entropy(&scores, &labels).unwrap();
            let grads = tape.backward(&loss).unwrap();
            if let Some(schedule) = schedule {
                self.optimizer.follow(schedule);
            }
            self.average.step(&mut self.optimizer, &grads).unwrap();
            if schedule.is_none() {
                let loss = f64::from(loss.item().unwrap());
                self.plateau.observe(loss, &mut self.optimizer);
            }
        }
    }

    fn bits(&self) -> Vec<(String, Vec<u32>)> {
        let state = self.state_dict();
        let bits = |tensor: &Tensor| tensor.values().iter().map(|x| x.to_bits()).collect();
        let named = state.iter();
        named
            .map(|(name, tensor)| (name.to_owned(), bits(tensor)))
            .collect()
    }
}

/// Trains 30 steps, saving after 17, and again with another training that goes on from the file.
fn resumes(rule: impl Rule<f32>, mode: SparseMode, schedule: Option<&dyn Schedule>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    let new = || Training::new(rule.clone(), mode, 4);
    let mut whole = new();
    whole.train(17, schedule);
    whole.save(&path).unwrap();
    whole.train(30, schedule);
    let mut resumed = new();
    resumed.train(5, schedule); // what it did before does not matter
    resumed.load(&path).unwrap();
    resumed.train(30, schedule);
    assert_eq!(resumed.optimizer.steps(), 30);
    let (found, expected) = (resumed.bits(), whole.bits());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());

    if mode == SparseMode::Lazy {
        let optimizer_alone = |name: &str| !name.starts_with("average");
        let mut unsaved = new();
        unsaved.train(30, schedule);
        let without = unsaved.bits().into_iter().zip(expected);
        let pairs = without.filter(|(one, _)| optimizer_alone(&one.0));
        pairs.for_each(|(one, other)| assert_eq!(one, other, "saving changed the training"));
    }
}

#[test]
fn a_resumed_training_has_the_same_bits() {
    let schedule = schedule();
    for mode in [SparseMode::Lazy, SparseMode::Exact] {
        resumes(
            Adam {
                amsgrad: true,
                ..Adam::new(0.05)
            },
            mode,
            Some(&schedule),
        );
        resumes(AdamW::new(0.05), mode, Some(&schedule));
        resumes(AdamW::new(0.05), mode, None);
        resumes(NAdam::default(), mode, Some(&schedule));
        resumes(Adagrad::new(0.1), mode, None);
        resumes(
            Sgd {
                momentum: 0.9,
                dampening: 0.1,
                weight_decay: 0.01,
                ..Sgd::new(0.1)
            },
            mode,
            Some(&schedule),
        );
        resumes(Sgd::new(0.1), mode, None);
    }
}

fn refusal<R: Rule<f32>>(training: &Training<R>, path: &Path) -> String {
    let before = training.bits();
    let text = training.load(path).unwrap_err().to_string();
    assert_eq!(training.bits(), before, "a refused state changed something");
    text
}

#[test]
fn a_foreign_state_is_refused_by_what_differs_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.safetensors");
    let mut training = Training::new(Adam::new(0.1), SparseMode::Lazy, 4);
    training.train(3, None);
    training.save(&path).unwrap();

    let wider = Training::new(Adam::new(0.1), SparseMode::Lazy, 5);
    let text = refusal(&wider, &path);
    assert!(
        text.starts_with(
            "load_state_dict: shapes differ: model.embed.weight (model [40, 5], given [40, 4])"
        ),
        "{text}"
    );

    let other = Training::new(AdamW::new(0.1), SparseMode::Lazy, 4);
    let text = refusal(&other, &path);
    assert!(
        text.starts_with("load_state_dict: missing: optimizer.v1.adamw.steps"),
        "{text}"
    );

    let amsgrad = Training::new(
        Adam {
            amsgrad: true,
            ..Adam::new(0.1)
        },
        SparseMode::Lazy,
        4,
    );
    let text = refusal(&amsgrad, &path);
    assert!(
        text.contains(
            "optimizer.v1.adam.parameters.embed.weight.state (model [3, 40, 4], given [2, 40, 4])"
        ),
        "{text}"
    );
}
