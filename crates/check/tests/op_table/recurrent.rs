//! Recurrences over sequences, forwards and in reverse, of different lengths.

use lexigrad_check::strategies::{Domain, tensor};
use lexigrad_check::{Case, Row, row};
use lexigrad_tensor::{
    Element, Ids, Nonlinearity, RecurrentWeights, Result, Shape, Tensor, Walk, cat, gru_sequence,
    lstm_sequence, rnn_sequence,
};
use proptest::prelude::*;

#[test]
fn recurrences() {
    crate::run(&rows());
}

/// x, the weights and the biases of so many gates, two states, and a length for each sequence.
fn sequences(gates: usize, domain: Domain) -> impl Strategy<Value = Case> {
    let sizes = (0..=3usize, 1..=3usize, 1..=2usize, 1..=3usize);
    sizes.prop_flat_map(move |(steps, batch, inputs, hidden)| {
        let shapes = [
            Shape::from([steps, batch, inputs]),
            Shape::from([gates * hidden, inputs]),
            Shape::from([gates * hidden, hidden]),
            Shape::from([gates * hidden]),
            Shape::from([gates * hidden]),
            Shape::from([batch, hidden]),
            Shape::from([batch, hidden]),
        ];
        let tensors = shapes.map(|shape| tensor(shape, domain)).to_vec();
        let lengths = proptest::collection::vec(0..=steps as u32, batch);
        (tensors, lengths).prop_map(|(tensors, lengths)| Case {
            tensors,
            ids: Ids::new(lengths).unwrap(),
        })
    })
}

fn weights<T: Element>(x: &[Tensor<T>]) -> RecurrentWeights<T> {
    RecurrentWeights {
        weight_ih: (&x[1]).into(),
        weight_hh: (&x[2]).into(),
        biases: Some([x[3].clone(), x[4].clone()]),
    }
}

/// All steps of all sequences.
fn forwards() -> Walk {
    Walk::default()
}

/// The steps that each sequence has.
fn with_lengths(lengths: &Ids, reverse: bool) -> Walk {
    let lengths = lengths.as_slice().iter().map(|&length| length as usize);
    Walk {
        lengths: Some(lengths.collect()),
        reverse,
    }
}

/// The hidden states and the last state as one tensor.
fn joined<T: Element>(output: &Tensor<T>, last: &[Tensor<T>]) -> Result<Tensor<T>> {
    let last: Vec<Tensor<T>> = last
        .iter()
        .map(|last| last.unsqueeze(0))
        .collect::<Result<_>>()?;
    let parts: Vec<&Tensor<T>> = std::iter::once(output).chain(&last).collect();
    cat(&parts, 0)
}

fn rnn<T: Element>(x: &[Tensor<T>], nonlinearity: Nonlinearity, walk: &Walk) -> Result<Tensor<T>> {
    let (output, last) = rnn_sequence(&x[0], &x[5], &weights(x), nonlinearity, walk)?;
    joined(&output, &[last])
}

fn lstm<T: Element>(x: &[Tensor<T>], walk: &Walk) -> Result<Tensor<T>> {
    let (output, last) = lstm_sequence(&x[0], [&x[5], &x[6]], &weights(x), walk)?;
    joined(&output, &last)
}

/// The GRU in reverse has no biases.
fn gru<T: Element>(x: &[Tensor<T>], walk: &Walk) -> Result<Tensor<T>> {
    let mut weights = weights(x);
    weights.biases = weights.biases.filter(|_| !walk.reverse);
    let (output, last) = gru_sequence(&x[0], &x[5], &weights, walk)?;
    joined(&output, &[last])
}

pub fn rows() -> Vec<Row> {
    use Nonlinearity::{Relu, Tanh};
    vec![
        row!("rnn_sequence", sequences(1, Domain::Any), |x, _ids| rnn(
            x,
            Tanh,
            &forwards()
        )),
        row!(
            "rnn_sequence with relu, in reverse",
            sequences(1, Domain::Positive),
            |x, ids| rnn(x, Relu, &with_lengths(ids, true))
        ),
        row!("lstm_sequence", sequences(4, Domain::Any), |x, _ids| lstm(
            x,
            &forwards()
        )),
        row!(
            "lstm_sequence of lengths",
            sequences(4, Domain::Any),
            |x, ids| lstm(x, &with_lengths(ids, false))
        ),
        row!(
            "lstm_sequence of lengths, in reverse",
            sequences(4, Domain::Any),
            |x, ids| lstm(x, &with_lengths(ids, true))
        ),
        row!("gru_sequence", sequences(3, Domain::Any), |x, _ids| gru(
            x,
            &forwards()
        )),
        row!(
            "gru_sequence of lengths",
            sequences(3, Domain::Any),
            |x, ids| gru(x, &with_lengths(ids, false))
        ),
        row!(
            "gru_sequence of lengths, in reverse",
            sequences(3, Domain::Any),
            |x, ids| gru(x, &with_lengths(ids, true))
        ),
    ]
}
