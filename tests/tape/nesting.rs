//! Tapes inside tapes: the innermost records.

use lexigrad::tensor::{Tape, Tensor, is_recording};

use crate::{gradient, gradient_of, param};

#[test]
fn the_innermost_tape_records_and_the_outer_one_goes_on_afterwards() {
    let weight = param([3.0]);
    let outer = Tape::new();
    let x = outer.watch(&Tensor::new([2.0]));
    let product = x.mul(&weight.value()).unwrap();

    let inner = Tape::new();
    let inner_loss = product.mul(&weight.value()).unwrap().sum();
    let inner_gradients = inner.backward(&inner_loss).unwrap();
    // To the inner tape the product is the constant 6, although it was computed from the weight.
    assert_eq!(gradient(&inner_gradients, &weight), [6.0]);
    assert!(inner_gradients.of(&x).is_none());

    let outer_gradients = outer.backward(&product.square().sum()).unwrap();
    assert_eq!(gradient(&outer_gradients, &weight), [24.0]);
    assert_eq!(gradient_of(&outer_gradients, &x), [36.0]);
}

#[test]
fn a_loss_goes_to_the_tape_that_was_innermost_when_it_was_computed() {
    let outer = Tape::new();
    let x = outer.watch(&Tensor::new([2.0]));
    let loss = x.square().sum();
    let inner = Tape::new();
    let error = inner.backward(&loss).unwrap_err();
    assert_eq!(
        error.to_string(),
        "backward: the loss was recorded by another tape; use the tape that was the innermost one when it was computed"
    );
    assert_eq!(gradient_of(&outer.backward(&loss).unwrap(), &x), [4.0]);
}

#[test]
fn tapes_may_be_dropped_in_any_order() {
    let weight = param([3.0]);
    let outer = Tape::new();
    let inner = Tape::new();
    let loss = weight.value().square().sum();
    drop(outer);
    assert!(is_recording(), "the inner tape still records");
    let more = loss.mul_scalar(10.0);
    let gradients = inner.backward(&more).unwrap();
    assert_eq!(gradient(&gradients, &weight), [60.0]);
    assert!(!is_recording());
}

#[test]
fn a_parameter_read_under_each_of_two_tapes_is_a_leaf_of_each() {
    let weight = param([3.0]);
    let outer = Tape::new();
    let outside = weight.value();
    let inner = Tape::new();
    let inside = weight.value();
    let both = inside.mul(&outside).unwrap().sum();
    assert_eq!(gradient(&inner.backward(&both).unwrap(), &weight), [3.0]);
    let square = outside.square().sum();
    assert_eq!(gradient(&outer.backward(&square).unwrap(), &weight), [6.0]);
}
