//! The packed copies that parameters keep for passes without a tape: they give what a tape's pass gives, and follow every change.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{
    Gru, Linear, Lstm, Module, MultiheadAttention, MultiheadAttentionConfig, RecurrentConfig, Rnn,
};
use lexigrad_optim::{Adam, Build};
use lexigrad_tensor::{
    AttentionMask, Ids, Nonlinearity, Param, Result, Tape, Tensor, Weight, linear,
};
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
    for param in module.parameters() {
        let first = Ids::new([0]).unwrap();
        param.update_rows(&first, |_, row| row.fill(0.25)).unwrap();
    }
    check(&format!("{what}, a row updated"), &forward);
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
    for (steps, batch, size) in [(1, 1, SIZE), (6, 1, 24), (5, 18, SIZE)] {
        let config = RecurrentConfig::new(size, size);
        let x = draw([steps, batch, size]);
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

/// The bits of the first row of an answer, which a batch of many rows shares if both read the packed copy: without one, few rows are dot
/// products, whose sums have another order.
fn is_packed(layer: &Linear) -> bool {
    let x = draw([1, 70, SIZE]);
    let alone = layer.forward(&x.narrow(1, 0, 1).unwrap()).unwrap();
    alone.to_vec() == layer.forward(&x).unwrap().to_vec()[..alone.elements()]
}

#[test]
fn a_copy_is_read_where_no_tape_records() {
    let layer = Linear::new(SIZE, SIZE, &mut rng());
    assert!(is_packed(&layer));
    let tape = Tape::eval();
    assert!(!is_packed(&layer));
    drop(tape);
    layer.weight.set_keeps_packed(false);
    assert!(!is_packed(&layer));
    layer.weight.set_keeps_packed(true);
    assert!(is_packed(&layer));
}

/// One that was read before a tape is recorded by it: else the tape would lose what flows through the layer.
#[test]
fn a_weight_read_before_a_tape_is_recorded() {
    let layer = Linear::new(SIZE, SIZE, &mut rng());
    let weight = Weight::from(&layer.weight);
    let tape = Tape::new();
    let x = tape.watch(&draw([1, 2, SIZE]));
    let loss = linear(&x, weight, None).unwrap().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert!(gradients.of(&x).is_some());
}

#[test]
fn a_weight_read_before_a_change_keeps_its_value_and_its_bits() {
    let halves = draw([1, 2 * SIZE, SIZE]).squeeze(0).unwrap();
    let half = |index| halves.narrow(0, index * SIZE, SIZE).unwrap();
    let param = Param::new(half(0));
    let x = draw([1, 2, SIZE]);
    let before = Weight::from(&param);
    param.set(&half(1)).unwrap();
    let first = linear(&x, before.clone(), None).unwrap();
    let second = linear(&x, &param, None).unwrap();
    param.update(|values| values.fill(0.0));
    let again = linear(&x, before, None).unwrap();
    assert_eq!(first.to_vec(), again.to_vec());
    for (answer, half) in [(first, half(0)), (second, half(1))] {
        let expected = linear(&x, half, None).unwrap();
        for (answer, expected) in answer.values().iter().zip(&*expected.values()) {
            assert!((answer - expected).abs() < 1e-5);
        }
    }
    assert!(
        linear(&x, &param, None)
            .unwrap()
            .to_vec()
            .iter()
            .all(|&y| y == 0.0)
    );
}

#[test]
fn threads_that_ask_first_at_the_same_time_get_the_same() {
    let layer = Linear::new(SIZE, SIZE, &mut rng());
    let x = draw([1, 3, SIZE]);
    let answers: Vec<Vec<f32>> = std::thread::scope(|scope| {
        let ask = || layer.forward(&x).unwrap().to_vec();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn no_rows_and_what_does_not_fit() {
    let layer = Linear::new(SIZE, SIZE, &mut rng());
    assert_eq!(
        *layer.forward(&Tensor::zeros([0, SIZE])).unwrap().shape(),
        [0, SIZE]
    );
    let error = layer
        .forward(&Tensor::zeros([2, 3]))
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("linear: "), "{error}");
}
