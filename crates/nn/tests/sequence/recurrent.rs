//! Recurrent layers against themselves: both directions, step by step, in parts.

use lexigrad_nn::{CellConfig, Lstm, Module, Nonlinearity, RecurrentConfig};
use lexigrad_tensor::{Tape, Tensor, cat, stack};
use proptest::prelude::*;

use super::{assert_close, copy, rng, uniform};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_directions_are_forward_and_reversed(
        (length, batch) in (1..5_usize, 1..4_usize),
        seed in any::<u64>(),
    ) {
        let one = RecurrentConfig::new(3, 2);
        let two = RecurrentConfig { bidirectional: true, ..one.clone() };
        let x = uniform(&[length, batch, 3], &mut rng(seed));
        let reversed = x.flip(&[0]).unwrap();

        macro_rules! check {
            ($build:expr) => {
                let both = $build(&two);
                let (forward, backward) = ($build(&one), $build(&one));
                let parameters = both.parameters();
                copy(&parameters[..4], &forward);
                copy(&parameters[4..], &backward);
                let ahead = forward.forward(&x).unwrap().0;
                let back = backward.forward(&reversed).unwrap().0.flip(&[0]).unwrap();
                let expected = cat(&[&ahead, &back], -1).unwrap();
                assert_close(&both.forward(&x).unwrap().0, &expected, "the output");
            };
        }
        check!(|config: &RecurrentConfig| config.lstm::<f64>(&mut rng(seed)).unwrap());
        check!(|config: &RecurrentConfig| config.gru::<f64>(&mut rng(seed)).unwrap());
        let tanh = Nonlinearity::Tanh;
        check!(|config: &RecurrentConfig| config.rnn::<f64>(tanh, &mut rng(seed)).unwrap());
    }

    #[test]
    fn cells_step_through_a_layer((length, batch) in (1..5_usize, 1..4_usize), seed in any::<u64>()) {
        let config = RecurrentConfig::new(3, 2);
        let x = uniform(&[length, batch, 3], &mut rng(seed));
        let steps = x.split(&vec![1; length], 0).unwrap();
        let steps: Vec<Tensor<f64>> = steps.iter().map(|x| x.squeeze(0).unwrap()).collect();

        let lstm = config.lstm::<f64>(&mut rng(seed)).unwrap();
        let (cell, mut state, mut outputs) = (lstm.cell(0, 0).unwrap(), None, Vec::new());
        for step in &steps {
            let next = cell.forward(step, state.as_ref()).unwrap();
            outputs.push(next.hidden.clone());
            state = Some(next);
        }
        let (output, last) = lstm.forward(&x).unwrap();
        assert_close(&stack(&outputs.iter().collect::<Vec<_>>(), 0).unwrap(), &output, "lstm");
        assert_close(&state.unwrap().cell, &last.cell.squeeze(0).unwrap(), "the state");

        let gru = config.gru::<f64>(&mut rng(seed)).unwrap();
        let cell = gru.cell(0, 0).unwrap();
        let last = steps.iter().fold(None, |hidden: Option<Tensor<f64>>, step| {
            Some(cell.forward(step, hidden.as_ref()).unwrap())
        });
        assert_close(&last.unwrap(), &gru.forward(&x).unwrap().1.squeeze(0).unwrap(), "gru");

        let rnn = config.rnn::<f64>(Nonlinearity::Relu, &mut rng(seed)).unwrap();
        let cell = rnn.cell(0, 0).unwrap();
        let last = steps.iter().fold(None, |hidden: Option<Tensor<f64>>, step| {
            Some(cell.forward(step, hidden.as_ref()).unwrap())
        });
        assert_close(&last.unwrap(), &rnn.forward(&x).unwrap().1.squeeze(0).unwrap(), "rnn");
    }
}

#[test]
fn a_state_handed_on_is_a_constant_to_the_next_tape() {
    let lstm: Lstm<f64> = RecurrentConfig::new(2, 3).lstm(&mut rng(1)).unwrap();
    let x = uniform(&[4, 1, 2], &mut rng(2));
    let parts = x.split(&[2, 2], 0).unwrap();
    let weight = &lstm.parameters()[1];

    let (whole, _) = lstm.forward(&x).unwrap();
    let first = Tape::new();
    let (_, state) = lstm.forward(&parts[0]).unwrap();
    drop(first);
    let tape = Tape::new();
    let (output, _) = lstm.forward_with(&parts[1], None, Some(&state)).unwrap();
    assert_close(
        &output.detach(),
        &whole.narrow(0, 2, 2).unwrap(),
        "the second part",
    );
    let truncated = tape
        .backward(&output.sum())
        .unwrap()
        .dense(weight)
        .unwrap()
        .unwrap();

    let tape = Tape::new();
    let whole = lstm.forward(&x).unwrap().0.narrow(0, 2, 2).unwrap();
    let full = tape
        .backward(&whole.sum())
        .unwrap()
        .dense(weight)
        .unwrap()
        .unwrap();
    let difference = truncated.sub(&full).unwrap().abs().sum().item().unwrap();
    assert!(difference > 1e-6, "the gradient went through the state");
}

#[test]
fn a_sequence_without_steps_ends_where_it_began() {
    let config = RecurrentConfig {
        bidirectional: true,
        num_layers: 2,
        ..RecurrentConfig::new(2, 3)
    };
    let gru = config.gru::<f64>(&mut rng(1)).unwrap();
    let start = uniform(&[4, 2, 3], &mut rng(2));
    let nothing = Tensor::zeros([0, 2, 2]);
    let (output, last) = gru.forward_with(&nothing, None, Some(&start)).unwrap();
    assert_eq!(*output.shape(), [0, 2, 6]);
    assert_eq!(last.to_vec(), start.to_vec());
    let padding = uniform(&[3, 2, 2], &mut rng(3));
    let (output, last) = gru
        .forward_with(&padding, Some(&[0, 0]), Some(&start))
        .unwrap();
    assert_eq!(output.to_vec(), [0.0; 36]);
    assert_eq!(last.to_vec(), start.to_vec());
}

#[test]
fn parameters_have_pytorchs_names_in_its_order() {
    let config = RecurrentConfig {
        bidirectional: true,
        num_layers: 2,
        ..RecurrentConfig::new(5, 3)
    };
    let lstm = config.lstm::<f64>(&mut rng(1)).unwrap();
    let names: Vec<String> = lstm
        .named_parameters()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let expected = ["l0", "l0_reverse", "l1", "l1_reverse"]
        .iter()
        .flat_map(|suffix| {
            ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map(|name| format!("{name}_{suffix}"))
        });
    assert_eq!(names, expected.collect::<Vec<_>>());
    assert_eq!(lstm.parameters()[8].shape().to_vec(), [4 * 3, 2 * 3]);
    let cell = CellConfig {
        bias: false,
        ..CellConfig::new(5, 3)
    }
    .gru::<f64>(&mut rng(1))
    .unwrap();
    let names: Vec<String> = cell
        .named_parameters()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["weight_ih", "weight_hh"]);
}
