//! Numbers as the state of an optimizer, a parameter of which is frozen, in the place of those that it saved: what is refused changes
//! nothing, what is taken is given back, and the next step works.
#![no_main]

use lexigrad_nn::{ModuleState, StateDict};
use lexigrad_optim::{Adam, Build, RmsProp, Rule, Sgd, SparseMode};
use lexigrad_tensor::{Param, Tape, Tensor};
use libfuzzer_sys::fuzz_target;

fn bits(state: &StateDict) -> Vec<Vec<u32>> {
    let tensors = state.iter();
    let bits = tensors.map(|(_, tensor)| {
        tensor
            .values()
            .iter()
            .map(|value| value.to_bits())
            .collect()
    });
    bits.collect()
}

fn run<R: Rule<f32>>(rule: R, mode: SparseMode, mut numbers: impl Iterator<Item = f32>) {
    let model = [
        Param::new(Tensor::ones([3, 2])),
        Param::new(Tensor::ones([2])),
    ];
    let builder = rule.builder().sparse_mode(mode).freeze("1");
    let mut optimizer = builder.build(&model).expect("the options are right");
    let saved = optimizer.state_dict();
    let fed = saved.iter().map(|(name, tensor)| {
        let values = tensor
            .values()
            .iter()
            .map(|value| numbers.next().unwrap_or(*value))
            .collect::<Vec<f32>>();
        let fed = Tensor::from_slice(&values, tensor.shape().clone());
        (name.to_owned(), fed.expect("the shape is the same"))
    });
    let fed: StateDict = fed.collect();
    match optimizer.load_state_dict(&fed) {
        Err(_) => assert_eq!(bits(&optimizer.state_dict()), bits(&saved)),
        Ok(()) => assert_eq!(bits(&optimizer.state_dict()), bits(&fed)),
    }
    model[1].set_requires_grad(true);
    let tape = Tape::new();
    let loss = model[0]
        .value()
        .sum()
        .add(&model[1].value().sum())
        .expect("two numbers");
    let gradients = tape.backward(&loss).expect("the loss was recorded");
    let steps = optimizer.steps();
    optimizer
        .step(&gradients)
        .expect("a state that was taken can be stepped from");
    assert_eq!(optimizer.steps(), steps + 1);
}

fuzz_target!(|input: (u8, Vec<f32>)| {
    let (kind, numbers) = input;
    let mode = if kind & 1 == 0 {
        SparseMode::Lazy
    } else {
        SparseMode::Exact
    };
    let numbers = numbers.into_iter();
    match kind / 2 % 3 {
        0 => run(Adam::new(0.1), mode, numbers),
        1 => run(
            RmsProp {
                centered: true,
                momentum: 0.9,
                ..RmsProp::new(0.1)
            },
            mode,
            numbers,
        ),
        _ => run(
            Sgd {
                momentum: 0.9,
                ..Sgd::new(0.1)
            },
            mode,
            numbers,
        ),
    }
});
