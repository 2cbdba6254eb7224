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

/// The saved state with the numbers under `name` changed.
fn changed<R: Rule<f32>>(
    training: &Training<R>,
    name: &str,
    change: impl Fn(&mut [f32]),
) -> StateDict {
    let state = training.state_dict();
    assert!(state.get(name).is_some(), "{name}");
    let with = |(own, tensor): (&str, &Tensor)| {
        let mut values = tensor.to_vec();
        if own == name {
            change(&mut values);
        }
        let tensor = Tensor::from_slice(&values, tensor.shape().clone());
        (own.to_owned(), tensor.unwrap())
    };
    state.iter().map(with).collect()
}

/// No training leaves such a state: the model and the optimizer load both or neither, and the text says what stands where.
#[test]
fn a_state_that_no_training_leaves_is_refused_and_changes_nothing() {
    let mut training = Training::new(Adam::new(0.1), SparseMode::Lazy, 4);
    training.train(3, None);
    let refused = |name: &str, change: &dyn Fn(&mut [f32]), expected: &str| {
        let fresh = Training::new(Adam::new(0.1), SparseMode::Lazy, 4);
        let before = fresh.bits();
        let state = changed(&training, name, change);
        let text = fresh.load_state_dict(&state).unwrap_err().to_string();
        assert_eq!(text, format!("load_state_dict: refused: {name} {expected}"));
        let report = fresh.load_partial(&state).unwrap();
        assert_eq!(report.refused.len(), 1);
        let kept = fresh.bits().into_iter().zip(before);
        kept.filter(|(now, _)| now.0 == name)
            .for_each(|(now, then)| assert_eq!(now, then));
    };
    let all = |value: f32| move |values: &mut [f32]| values.fill(value);
    let first = |value: f32| move |values: &mut [f32]| values[0] = value;
    let last = |value: f32| move |values: &mut [f32]| values[values.len() - 1] = value;
    let spells = |number: u64| {
        move |digits: &mut [f32]| {
            let places = digits.iter_mut().zip([0, 16, 32, 48]);
            places.for_each(|(digit, place)| *digit = (number >> place & 0xffff) as f32);
        }
    };
    for name in [
        "optimizer.v1.adam.steps",
        "optimizer.v1.adam.parameters.out.bias.steps",
        "average.steps",
        "plateau.no_better",
    ] {
        let most = "a count is at most 9007199254740992";
        refused(
            name,
            &all(65535.0),
            &format!("is 18446744073709551615; {most}"),
        );
        let digits = "a number's digits are whole, from 0 to 65535";
        refused(
            name,
            &first(f32::NAN),
            &format!("holds NaN at [0]; {digits}"),
        );
        for wrong in [0.5, -1.0, 65536.0, f32::INFINITY] {
            let expected = format!("holds {wrong} at [3]; {digits}");
            refused(name, &last(wrong), &expected);
        }
    }
    let rate = "optimizer.v1.adam.learning_rates.0";
    for wrong in [-0.5, f64::NAN, f64::INFINITY, 1e300] {
        let expected = format!("is {wrong:?}; a learning rate is finite and not negative");
        refused(rate, &spells(wrong.to_bits()), &expected);
    }
    refused(
        "plateau.best",
        &all(65535.0),
        "is NaN; a measure is a number",
    );
    for (name, right) in [
        ("plateau.no_better", 1 << 53),
        ("plateau.best", f64::NEG_INFINITY.to_bits()),
        (rate, 0.0_f64.to_bits()),
    ] {
        let fresh = Training::new(Adam::new(0.1), SparseMode::Lazy, 4);
        let state = changed(&training, name, spells(right));
        fresh.load_state_dict(&state).unwrap();
    }
    let moments = "optimizer.v1.adam.parameters.embed.weight.state";
    refused(
        moments,
        &first(f32::INFINITY),
        "holds inf at [0, 0, 0]; numbers must be finite",
    );
    refused(
        moments,
        &last(-1e-9),
        "holds -0.000000001 at [1, 39, 3]; numbers must be finite and not negative",
    );
    refused(
        "average.parameters.out.bias",
        &last(f32::NAN),
        "holds NaN at [2]; numbers must be finite",
    );
    refused(
        "model.embed.weight",
        &last(f32::NAN),
        "holds NaN at [39, 3]; numbers must be finite",
    );
}

/// What a rule leaves behind after any training is taken back; squares that are negative are not.
fn takes_its_own_state(rule: impl Rule<f32>) {
    let mut training = Training::new(rule.clone(), SparseMode::Lazy, 4);
    training.train(5, None);
    let fresh = Training::new(rule, SparseMode::Lazy, 4);
    fresh.load_state_dict(&training.state_dict()).unwrap();
    assert_eq!(fresh.bits(), training.bits());
}

#[test]
fn every_rule_takes_its_own_state() {
    takes_its_own_state(Sgd {
        momentum: 0.9,
        ..Sgd::new(0.1)
    });
    takes_its_own_state(Adam {
        amsgrad: true,
        ..Adam::new(0.1)
    });
    takes_its_own_state(AdamW::new(0.1));
    takes_its_own_state(Adagrad::new(0.1));
    takes_its_own_state(RowWiseAdagrad::new(0.1));
    takes_its_own_state(RmsProp {
        momentum: 0.9,
        centered: true,
        ..RmsProp::new(0.01)
    });
    takes_its_own_state(RmsProp {
        momentum: 0.9,
        ..RmsProp::new(0.01)
    });
    takes_its_own_state(Adadelta::new(1.0));
    takes_its_own_state(Adamax::new(0.1));
    takes_its_own_state(NAdam::default());
    takes_its_own_state(RAdam::new(0.1));
    takes_its_own_state(Lion::new(0.01));
}

/// A state from before a parameter was thawed goes into a training after it, and the other way round; both go on to the same bits.
#[test]
fn a_state_crosses_a_thaw() {
    for mode in [SparseMode::Lazy, SparseMode::Exact] {
        let new = || {
            let training = Training::new(Adam::new(0.1), mode, 4);
            let builder = Adam::new(0.1).builder().sparse_mode(mode).freeze("embed.*");
            let optimizer = builder.build(&training.model).unwrap();
            let average = Average::new(&training.model, 0.9).unwrap();
            Training {
                optimizer,
                average,
                ..training
            }
        };
        let thaw = |training: &Training<Adam>| training.model.embed.weight.set_requires_grad(true);
        let mut whole = new();
        whole.train(4, None);
        let before = whole.state_dict();
        thaw(&whole);
        whole.train(8, None);
        let after = whole.state_dict();
        assert_ne!(
            before.get("model.embed.weight").unwrap().to_vec(),
            after.get("model.embed.weight").unwrap().to_vec()
        );
        whole.train(12, None);

        let mut from_before = new();
        thaw(&from_before);
        from_before.train(3, None); // what it did before does not matter
        from_before.load_state_dict(&before).unwrap();
        from_before.train(8, None);
        let at_eight = from_before.state_dict();
        let same = |one: &StateDict, other: &StateDict| {
            let pairs = one.iter().zip(other.iter());
            pairs.for_each(|(one, other)| {
                assert_eq!((one.0, one.1.to_vec()), (other.0, other.1.to_vec()))
            });
        };
        same(&at_eight, &after);
        let mut from_after = new();
        from_after.load_state_dict(&after).unwrap();
        thaw(&from_after);
        from_after.train(12, None);
        assert_eq!(from_after.bits(), whole.bits());
    }
}
