//! Training, evaluation, pauses and frozen parameters.

use lexigrad::tensor::{Tape, Tensor, dropout, is_recording, is_training, set_seed};

use crate::{gradient, param};

#[test]
fn nothing_is_recorded_while_a_tape_is_paused() {
    let weight = param([3.0]);
    let tape = Tape::new();
    let paused = {
        let _pause = tape.pause();
        assert!(!is_recording() && !is_training());
        weight.value().square()
    };
    assert!(is_recording());
    let loss = weight.value().mul(&paused).unwrap().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert_eq!(gradient(&gradients, &weight), [9.0]);
}

#[test]
fn a_tape_made_under_a_pause_records() {
    let weight = param([3.0]);
    let tape = Tape::new();
    let _pause = tape.pause();
    let inner = Tape::new();
    let gradients = inner.backward(&weight.value().square().sum()).unwrap();
    assert_eq!(gradient(&gradients, &weight), [6.0]);
    assert!(!is_recording(), "the pause goes on");
}

#[test]
fn dropout_is_on_under_a_training_tape_only() {
    let x: Tensor = Tensor::ones([1_000]);
    let zeros = |y: &Tensor| y.values().iter().filter(|&&value| value == 0.0).count();
    assert_eq!(zeros(&dropout(&x, 0.5).unwrap()), 0);
    let evaluation = Tape::eval();
    assert!(is_recording() && !is_training());
    assert_eq!(zeros(&dropout(&x, 0.5).unwrap()), 0);
    drop(evaluation);
    let _tape = Tape::new();
    let dropped = zeros(&dropout(&x, 0.5).unwrap());
    assert!((400..600).contains(&dropped), "{dropped} of 1000");
}

#[test]
fn an_eval_tape_gives_gradients() {
    let weight = param([3.0]);
    let tape = Tape::eval();
    let loss = dropout(&weight.value(), 0.9).unwrap().square().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert_eq!(gradient(&gradients, &weight), [6.0]);
}

#[test]
fn the_randomness_of_a_step_belongs_to_its_tape() {
    let x: Tensor = Tensor::ones([64]);
    let draw = |tape: Tape| {
        let pair = [dropout(&x, 0.5).unwrap(), dropout(&x, 0.5).unwrap()];
        drop(tape);
        pair.map(|y| y.to_vec())
    };
    let [first, second] = draw(Tape::seeded(7));
    assert_ne!(first, second, "two uses in one step differ");
    assert_eq!(draw(Tape::seeded(7)), [first.clone(), second]);
    assert_ne!(draw(Tape::seeded(8))[0], first);
    set_seed(1);
    let step = draw(Tape::new());
    assert_ne!(draw(Tape::new()), step, "two steps differ");
    set_seed(1);
    assert_eq!(draw(Tape::new()), step);
}

#[test]
fn a_frozen_parameter_is_a_constant() {
    let (frozen, trained) = (param([3.0]), param([2.0]));
    frozen.set_requires_grad(false);
    let tape = Tape::new();
    let loss = frozen.value().mul(&trained.value()).unwrap().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert!(gradients.get(&frozen).is_none());
    assert_eq!(gradient(&gradients, &trained), [3.0]);
}
