//! When a tape ends, and what is left then.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use lexigrad::tensor::{
    Cotangents, Needs, Op, Result, Saved, Tape, Tensor, apply, copies_on_write, is_recording,
};

use crate::{gradient, param};

#[test]
fn a_tensor_of_an_ended_tape_is_a_constant() {
    let weight = param([3.0]);
    let first = Tape::new();
    let left_over = weight.value().square();
    drop(first);

    let second = Tape::new();
    let loss = weight.value().mul(&left_over).unwrap().sum();
    let gradients = second.backward(&loss).unwrap();
    assert_eq!(gradient(&gradients, &weight), [9.0]);
}

#[test]
fn without_a_tape_nothing_is_recorded() {
    let weight = param([3.0]);
    let loss = weight.value().square().sum();
    assert!(!is_recording());
    let error = Tape::new().backward(&loss).unwrap_err();
    assert_eq!(
        error.to_string(),
        "backward: the loss was not recorded; create a Tape before the forward pass"
    );
}

#[test]
fn a_loss_that_is_kept_for_the_log_keeps_no_parameter_from_being_changed_in_place() {
    let weight = param([3.0, 4.0]);
    let mut log = Vec::new();
    for _ in 0..3 {
        let tape = Tape::new();
        let loss = weight.value().square().sum();
        tape.backward(&loss).unwrap();
        log.push(loss);
        let copies = copies_on_write();
        weight.update(|values| values[0] += 1.0);
        assert_eq!(copies_on_write(), copies);
    }
    let losses: Vec<f32> = log.iter().map(|loss| loss.item().unwrap()).collect();
    assert_eq!(losses, [25.0, 32.0, 41.0]);
}

#[test]
fn a_failed_backward_ends_the_tape_too() {
    let weight = param([3.0, 4.0]);
    let tape = Tape::new();
    let not_a_loss = weight.value().square();
    tape.backward(&not_a_loss).unwrap_err();
    assert!(!is_recording());
}

#[test]
fn a_panic_inside_leaves_the_thread_usable() {
    let weight = param([3.0]);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let tape = Tape::new();
        let _inner = Tape::new();
        let _pause = tape.pause();
        let _sum = weight.value() + &Tensor::<f32>::zeros([2, 3, 4]);
        panic!("in the middle of a step");
    }));
    let message = *outcome.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(message, "in the middle of a step");
    assert!(!is_recording());

    let tape = Tape::new();
    let gradients = tape.backward(&weight.value().square().sum()).unwrap();
    assert_eq!(gradient(&gradients, &weight), [6.0]);
}

/// An operation of a user whose gradient panics.
struct Broken;

impl Op<f32> for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn forward(&mut self, inputs: &[&Tensor], _needs: Needs) -> Result<Tensor> {
        Ok(inputs[0].detach())
    }

    fn vjp(&self, _saved: &Saved<'_, f32>, _cotangent: Tensor) -> Result<Cotangents<f32>> {
        panic!("no gradient")
    }
}

#[test]
fn a_panic_inside_a_gradient_leaves_the_thread_usable() {
    let weight = param([3.0]);
    let outer = Tape::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let tape = Tape::new();
        let loss = apply(Broken, &[&weight.value()]).unwrap().sum();
        tape.backward(&loss)
    }));
    assert!(outcome.is_err());
    assert!(is_recording(), "the outer tape still records");
    let gradients = outer.backward(&weight.value().square().sum()).unwrap();
    assert_eq!(gradient(&gradients, &weight), [6.0]);
}

thread_local! {
    static KEPT: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_may_end_before_a_tape_that_it_keeps() {
    // What a thread keeps goes in the reverse of the order in which it came: here the tapes before `KEPT`, and after it.
    for kept_first in [true, false] {
        let ended = thread::spawn(move || {
            if kept_first {
                KEPT.set(None);
            }
            let tape = Tape::new();
            let _sum = param([3.0]).value().square().sum();
            KEPT.set(Some(tape));
        });
        ended.join().unwrap();
    }
}

#[test]
fn so_it_may_if_a_hook_on_the_tape_holds_it() {
    let ended = thread::spawn(|| {
        let kept: Rc<RefCell<Option<Tape>>> = Rc::default();
        let tape = Tape::new();
        let own = kept.clone();
        let _hooked = tape
            .watch(&Tensor::new([3.0_f32]))
            .inspect_gradient(move |_| assert!(own.borrow().is_some()));
        kept.replace(Some(tape));
    });
    ended.join().unwrap();
}

#[test]
fn many_nested_tapes_end_in_the_order_they_began() {
    // If ending one took time for each of the others, this would take minutes.
    let tapes: Vec<Tape> = (0..200_000).map(|_| Tape::new()).collect();
    for tape in tapes {
        assert!(is_recording());
        drop(tape);
    }
    assert!(!is_recording());
}
