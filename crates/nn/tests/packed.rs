//! The packed copies that parameters keep for passes without a tape: they give what a tape's pass gives, and follow every change.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{
    Gru, Linear, Lstm, Module, MultiheadAttention, MultiheadAttentionConfig, RecurrentConfig, Rnn,
};
use lexigrad_optim::{Adam, Build};
use lexigrad_tensor::{AttentionMask, Nonlinearity, Param, Result, Tape, Tensor, linear};
use rand::{SeedableRng, rngs::StdRng};

const SIZE: usize = 40;

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn draw(shape: [usize; 3]) -> Tensor {
    Tensor::uniform(shape, -1.0, 1.0, &mut rng())
}

/// Holds an answer, and the same asked again, against the pass of a tape, which reads the parameters where they stand.
fn check(what: &str, forward: &impl Fn() -> Result<Tensor>) {
    let answer = forward().unwrap();
    let again = forward().unwrap();
    assert_eq!(answer.to_vec(), again.to_vec(), "{what}: the second answer");
    let tape = Tape::eval();
    let recorded = forward().unwrap();
    drop(tape);
    for (answer, recorded) in answer.values().iter().zip(&*recorded.values()) {
        assert!(
            (answer - recorded).abs() < 1e-5,
            "{what}: {answer} {recorded}"
        );
    }
}

/// Checks a module before and after each way in which its parameters may change.
fn check_changes<M: Module>(what: &str, module: &M, forward: impl Fn(&M) -> Result<Tensor>) {
    let forward = || forward(module);
    check(what, &forward);
    for param in module.parameters() {
        param.update(|values| values.iter_mut().for_each(|value| *value += 0.01));
    }
    check(&format!("{what}, updated"), &forward);
    for param in module.parameters() {
        param.set(&param.value().mul_scalar(0.5)).unwrap();
    }
    check(&format!("{what}, set"), &forward);
    let mut optimizer = Adam::new(0.01).build(module);
    for _ in 0..3 {
        let tape = Tape::new();
        let loss = forward().unwrap().square().sum();
        optimizer.step(&tape.backward(&loss).unwrap()).unwrap();
        check(&format!("{what}, after a step"), &forward);
    }
    for param in module.parameters() {
        param.set_keeps_packed(false);
    }
    check(&format!("{what}, not packed"), &forward);
}

#[test]
fn a_linear_layer_answers_as_it_trains() {
    for (inputs, outputs) in [(SIZE, SIZE), (33, 65), (128, 3), (3, 2), (1, 2000)] {
        for rows in [1, 3, 8, 9, 70] {
            let layer = Linear::new(inputs, outputs, &mut rng());
            let x = draw([1, rows, inputs]);
            let what = format!("{rows} rows, {inputs} to {outputs}");
            check_changes(&what, &layer, |layer| layer.forward(&x));
        }
    }
}

#[test]
fn recurrences_answer_as_they_train() {
    for (steps, batch) in [(1, 1), (6, 1), (5, 18)] {
        let config = RecurrentConfig::new(SIZE, SIZE);
        let x = draw([steps, batch, SIZE]);
        let lstm: Lstm = config.clone().lstm(&mut rng()).unwrap();
        check_changes("lstm", &lstm, |lstm| Ok(lstm.forward(&x)?.0));
        let gru: Gru = config.clone().gru(&mut rng()).unwrap();
        check_changes("gru", &gru, |gru| Ok(gru.forward(&x)?.0));
        let rnn: Rnn = config.rnn(Nonlinearity::Tanh, &mut rng()).unwrap();
        check_changes("rnn", &rnn, |rnn| Ok(rnn.forward(&x)?.0));
    }
}

#[test]
fn attention_answers_as_it_trains() {
    let (x, others) = (draw([4, 7, SIZE]), draw([9, 7, SIZE]));
    let layer = MultiheadAttentionConfig::new(SIZE, 4);
    let layer: MultiheadAttention = layer.build(&mut rng()).unwrap();
    let mask = AttentionMask::default();
    check_changes("self-attention", &layer, |layer| {
        layer.forward(&x, &x, &x, &mask)
    });
    check_changes("cross-attention", &layer, |layer| {
        layer.forward(&x, &others, &others, &mask)
    });
}

/// Each layer reads the rows in pieces of its own.
#[test]
fn layers_of_one_weight_do_not_mix_up_their_pieces() {
    let gru: Gru = RecurrentConfig::new(SIZE, SIZE).gru(&mut rng()).unwrap();
    let weights: Vec<Param> = gru.parameters();
    let tied = &weights[1];
    assert_eq!(*tied.shape(), [3 * SIZE, SIZE]);
    let x = draw([2, 3, SIZE]);
    for _ in 0..2 {
        check("linear", &|| linear(&x, tied, None));
        check("gru", &|| Ok(gru.forward(&x)?.0));
    }
}

#[test]
fn a_tensor_read_before_a_change_keeps_its_products() {
    let layer = Linear::new(SIZE, SIZE, &mut rng());
    let x = draw([1, 2, SIZE]);
    let before = layer.weight.value();
    let answer = layer.forward(&x).unwrap();
    layer.weight.update(|values| values.fill(0.0));
    let bias = layer.bias.as_ref().unwrap().value();
    let again = linear(&x, &before, Some(&bias)).unwrap();
    for (answer, again) in answer.values().iter().zip(&*again.values()) {
        assert!((answer - again).abs() < 1e-5);
    }
    let zero = layer.forward(&x).unwrap();
    assert_eq!(zero.to_vec()[..SIZE], bias.to_vec()[..]);
}
