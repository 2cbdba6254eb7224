//! A chain of 300,000 operations on a small stack: forward, backward and drop are loops, not recursions.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;

use lexigrad::tensor::{Param, Tape, Tensor};

const STEPS: usize = 300_000;
const STACK: usize = 256 << 10;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    thread.unwrap().join().unwrap();
}

/// `x + 1 - 1 + 1 - 1 ..`, then squared and summed.
fn chain(start: &Tensor) -> Tensor {
    let mut x = start.clone();
    for step in 0..STEPS {
        x = x.add_scalar(if step % 2 == 0 { 1.0 } else { -1.0 });
    }
    x.square().sum()
}

#[test]
fn it_runs_forward_and_backward() {
    on_a_small_stack(|| {
        let weight: Param = Param::new(Tensor::new([1.0, 2.0]));
        let tape = Tape::new();
        let loss = chain(&weight.value());
        assert_eq!(loss.item().unwrap(), 5.0);
        let gradients = tape.backward(&loss).unwrap();
        let gradient = gradients.dense(&weight).unwrap().unwrap();
        assert_eq!(gradient.to_vec(), [2.0, 4.0]);
    });
}

#[test]
fn its_gradient_can_be_recorded() {
    on_a_small_stack(|| {
        let tape = Tape::new();
        let x = tape.watch(&Tensor::new([1.0, 2.0]));
        let first = tape.grad(&chain(&x), &[&x]).unwrap().remove(0);
        assert_eq!(first.to_vec(), [2.0, 4.0]);
        let second = tape.grad(&first.sum(), &[&x]).unwrap().remove(0);
        assert_eq!(second.to_vec(), [2.0, 2.0]);
    });
}

#[test]
fn it_is_dropped_without_a_backward() {
    on_a_small_stack(|| {
        let tape = Tape::new();
        let loss = chain(&tape.watch(&Tensor::new([1.0, 2.0])));
        drop(tape);
        assert_eq!(loss.item().unwrap(), 5.0);
    });
}

#[test]
fn it_is_dropped_with_every_step_still_held() {
    on_a_small_stack(|| {
        let tape = Tape::new();
        let mut steps = vec![tape.watch(&Tensor::new([1.0]))];
        for step in 0..STEPS {
            steps.push(steps[step].tanh());
        }
        drop(tape);
        drop(steps);
        assert!(!lexigrad::tensor::is_recording());
    });
}
