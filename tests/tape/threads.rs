//! A tape belongs to its thread.

use std::thread;

use lexigrad::tensor::{Tape, Tensor, is_recording};

use crate::{gradient, param};

const OTHER_THREAD: &str = "a tensor belongs to a tape that is alive on another thread; \
    give each thread a tape of its own, or pass the tensor on with detach()";

#[test]
fn each_thread_has_a_tape_of_its_own() {
    let weight = param([3.0]);
    let tape = Tape::new();
    let here = weight.value().square().sum();
    let there = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            assert!(!is_recording(), "a tape records on its own thread only");
            let tape = Tape::new();
            let loss = weight.value().mul_scalar(5.0).sum();
            gradient(&tape.backward(&loss).unwrap(), &weight)
        });
        worker.join().unwrap()
    });
    assert_eq!(there, [5.0]);
    assert_eq!(gradient(&tape.backward(&here).unwrap(), &weight), [6.0]);
}

/// What `work` says about a tensor of a tape that is alive on this thread, when another thread runs it.
fn elsewhere<R: Send>(work: impl FnOnce(&Tensor) -> R + Send) -> R {
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([1.0, 2.0])).square();
    let said = thread::scope(|scope| scope.spawn(|| work(&x)).join().unwrap());
    drop(tape);
    said
}

#[test]
fn a_tensor_of_a_tape_on_another_thread_is_an_error() {
    let error = elsewhere(|x| x.mul(x).unwrap_err());
    assert_eq!(error.to_string(), format!("mul: {OTHER_THREAD}"));
}

#[test]
fn so_it_is_under_a_tape_of_that_thread() {
    let error = elsewhere(|x| {
        let weight = param([3.0, 4.0]);
        let _tape = Tape::new();
        weight.value().mul(x).unwrap_err()
    });
    assert_eq!(error.to_string(), format!("mul: {OTHER_THREAD}"));
}

#[test]
fn after_an_operation_that_cannot_fail_the_next_one_says_so() {
    let error = elsewhere(|x| x.tanh().exp().add(&Tensor::new(1.0)).unwrap_err());
    assert_eq!(error.to_string(), format!("add: {OTHER_THREAD}"));
}

#[test]
fn so_does_backward() {
    let error = elsewhere(|x| {
        let tape = Tape::new();
        tape.backward(&x.tanh().sum()).unwrap_err()
    });
    assert_eq!(error.to_string(), format!("backward: {OTHER_THREAD}"));
}

#[test]
fn detached_it_may_be_used_anywhere() {
    let values = elsewhere(|x| x.detach().mul(&x.detach()).unwrap().to_vec());
    assert_eq!(values, [1.0, 16.0]);
}

#[test]
fn once_its_tape_has_ended_it_is_a_constant_everywhere() {
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([1.0, 2.0])).square();
    drop(tape);
    let sum = thread::spawn(move || x.add(&x).unwrap().to_vec());
    assert_eq!(sum.join().unwrap(), [2.0, 8.0]);
}

#[test]
fn what_another_thread_computed_from_a_recorded_tensor_is_refused_when_it_comes_back() {
    let tape = Tape::new();
    let x = tape.watch(&Tensor::<f32>::new([0.5]));
    let elsewhere = thread::scope(|scope| scope.spawn(|| x.tanh()).join().unwrap());
    let error = elsewhere.mul(&elsewhere).unwrap_err();
    assert_eq!(error.to_string(), format!("mul: {OTHER_THREAD}"));
    let error = tape.backward(&elsewhere.sum()).unwrap_err();
    assert_eq!(error.to_string(), format!("backward: {OTHER_THREAD}"));
}
