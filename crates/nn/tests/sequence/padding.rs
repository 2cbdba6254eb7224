//! A sequence's outputs and gradients depend neither on what else is in the batch nor on the padding behind it.

use lexigrad_nn::{
    AttentionMask, Module, Nonlinearity, PoolOverTime, RecurrentConfig, TransformerConfig,
};
use lexigrad_tensor::{Gradients, Mask, Result, Tape, Tensor, cat};
use proptest::prelude::*;

use super::{assert_close, redraw, rng, uniform};

const DIM: usize = 4;

/// What a model makes of `x: [B, L, 4]`: outputs for each place `[B, L, ..]`, and outputs for each sequence `[B, ..]`.
struct Outputs {
    places: Option<Tensor<f64>>,
    whole: Option<Tensor<f64>>,
}

type Forward<'a> = &'a dyn Fn(&Tensor<f64>, &[usize]) -> Result<Outputs>;

/// A run on leaves of a tape, and the gradients under the cotangents.
struct Run {
    outputs: Outputs,
    x_gradient: Tensor<f64>,
    gradients: Gradients<f64>,
}

/// Outputs and gradients; the cotangent of a place or sequence follows from its `rows` (its number in the batch).
fn run(forward: Forward<'_>, x: &Tensor<f64>, lengths: &[usize], rows: &[usize]) -> Run {
    let tape = Tape::new();
    let leaf = tape.watch(x);
    let outputs = forward(&leaf, lengths).unwrap();
    // Zero, and on the tape even if there are no outputs.
    let mut loss = leaf
        .mul_scalar(0.0)
        .masked_fill(&leaf.mask(|_| true), 0.0)
        .unwrap()
        .sum();
    if let Some(places) = &outputs.places {
        let longest = x.shape()[1];
        // Outputs in the padding may be anything, so they are left out.
        let padding = Mask::from_lengths(lengths, longest).not().to_vec();
        let padding = Mask::new(padding, [lengths.len(), longest, 1]).unwrap();
        let counted = places.masked_fill(&padding, 0.0).unwrap();
        loss = loss
            .add(&counted.mul(&waves(places, rows)).unwrap().sum())
            .unwrap();
    }
    if let Some(whole) = &outputs.whole {
        let weights = waves(whole, rows);
        loss = loss.add(&whole.mul(&weights).unwrap().sum()).unwrap();
    }
    let gradients = tape.backward(&loss).unwrap();
    let x_gradient = gradients.of(&leaf).unwrap().to_dense().unwrap();
    Run {
        outputs,
        x_gradient,
        gradients,
    }
}

/// Different numbers for each element, the same for a row whatever the batch and the length.
fn waves(like: &Tensor<f64>, rows: &[usize]) -> Tensor<f64> {
    let inner: usize = like.shape()[1..].iter().product();
    let wave = |(row, index): (usize, usize)| ((17 * row + 3 * index + 1) as f64).sin();
    let places = rows
        .iter()
        .flat_map(|&row| (0..inner).map(move |index| (row, index)));
    Tensor::from_slice(&places.map(wave).collect::<Vec<_>>(), like.shape()).unwrap()
}

/// Holds a padded batch against each of its sequences alone; `padding` is what stands behind them.
fn check(
    model: &impl Module<f64>,
    forward: Forward<'_>,
    lengths: &[usize],
    longest: usize,
    padding: f64,
    seed: u64,
) {
    let x = uniform(&[lengths.len(), longest, DIM], &mut rng(seed));
    let absent = Mask::from_lengths(lengths, longest).not().to_vec();
    let absent = Mask::new(absent, [lengths.len(), longest, 1]).unwrap();
    let padded = x.masked_fill(&absent, padding).unwrap();
    let rows: Vec<usize> = (0..lengths.len()).collect();
    let batch = run(forward, &padded, lengths, &rows);

    let mut sums: Vec<Tensor<f64>> = model
        .parameters()
        .iter()
        .map(|parameter| Tensor::zeros(parameter.shape()))
        .collect();
    for (row, &length) in lengths.iter().enumerate() {
        let own = |x: &Tensor<f64>| x.narrow(0, row, 1).unwrap();
        let part = |x: &Tensor<f64>| own(x).narrow(1, 0, length).unwrap();
        let alone = run(forward, &part(&x), &[length], &[row]);
        if let (Some(found), Some(expected)) = (&batch.outputs.places, &alone.outputs.places) {
            assert_close(&part(found), expected, "the places");
        }
        if let (Some(found), Some(expected)) = (&batch.outputs.whole, &alone.outputs.whole) {
            assert_close(&own(found), expected, "the sequence");
        }
        assert_close(
            &part(&batch.x_gradient),
            &alone.x_gradient,
            "the gradient of x",
        );
        let rest = own(&batch.x_gradient)
            .narrow(1, length, longest - length)
            .unwrap();
        assert!(
            rest.to_vec().iter().all(|&g| g == 0.0),
            "padding has a gradient"
        );
        for (sum, parameter) in sums.iter_mut().zip(model.parameters()) {
            if let Some(gradient) = alone.gradients.dense(&parameter).unwrap() {
                *sum = sum.add(&gradient).unwrap();
            }
        }
    }
    for (expected, (name, parameter)) in sums.iter().zip(model.named_parameters()) {
        let found = batch.gradients.dense(&parameter).unwrap();
        assert_close(
            &found.unwrap_or_else(|| Tensor::zeros(parameter.shape())),
            expected,
            &name,
        );
    }
}

fn lengths(shortest: usize) -> impl Strategy<Value = (Vec<usize>, usize)> {
    (1..=4_usize).prop_flat_map(move |longest| {
        (
            prop::collection::vec(shortest..=longest, 1..4),
            Just(longest),
        )
    })
}

fn recurrent(num_layers: usize, bidirectional: bool) -> RecurrentConfig {
    RecurrentConfig {
        num_layers,
        bidirectional,
        batch_first: true,
        ..RecurrentConfig::new(DIM, 3)
    }
}

/// States `[layers directions, B, H]` batch first.
fn by_sequence(states: &[&Tensor<f64>]) -> Result<Tensor<f64>> {
    cat(states, -1)?.transpose(0, 1)
}

fn not_finite() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![f64::NAN, f64::INFINITY, 1e9, 0.0])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn of_recurrent_layers(
        (lengths, longest) in lengths(0),
        (num_layers, bidirectional) in (1..3_usize, any::<bool>()),
        padding in not_finite(),
        seed in any::<u64>(),
    ) {
        let config = recurrent(num_layers, bidirectional);
        let lstm = config.lstm::<f64>(&mut rng(seed)).unwrap();
        let forward = |x: &Tensor<f64>, lengths: &[usize]| {
            let (output, last) = lstm.forward_with(x, Some(lengths), None)?;
            let whole = by_sequence(&[&last.hidden, &last.cell])?;
            Ok(Outputs { places: Some(output), whole: Some(whole) })
        };
        check(&lstm, &forward, &lengths, longest, padding, seed);

        let gru = config.gru::<f64>(&mut rng(seed)).unwrap();
        let forward = |x: &Tensor<f64>, lengths: &[usize]| {
            let (output, last) = gru.forward_with(x, Some(lengths), None)?;
            Ok(Outputs { places: Some(output), whole: Some(by_sequence(&[&last])?) })
        };
        check(&gru, &forward, &lengths, longest, padding, seed);

        let rnn = config.rnn::<f64>(Nonlinearity::Relu, &mut rng(seed)).unwrap();
        let forward = |x: &Tensor<f64>, lengths: &[usize]| {
            let (output, last) = rnn.forward_with(x, Some(lengths), None)?;
            Ok(Outputs { places: Some(output), whole: Some(by_sequence(&[&last])?) })
        };
        check(&rnn, &forward, &lengths, longest, padding, seed);
    }

    #[test]
    fn of_pooling((lengths, longest) in lengths(0), padding in not_finite(), seed in any::<u64>()) {
        for pool in [PoolOverTime::Max, PoolOverTime::Mean, PoolOverTime::Sum] {
            let forward = |x: &Tensor<f64>, lengths: &[usize]| {
                Ok(Outputs { places: None, whole: Some(pool.forward(x, Some(lengths))?) })
            };
            check(&pool, &forward, &lengths, longest, padding, seed);
        }
    }

    #[test]
    fn of_transformers(
        (lengths, longest) in lengths(0),
        (norm_first, causal) in any::<(bool, bool)>(),
        padding in prop::sample::select(vec![0.0, -3.0, 1e3]),
        seed in any::<u64>(),
    ) {
        let config = TransformerConfig {
            dim_feedforward: 5,
            dropout: 0.0,
            norm_first,
            batch_first: true,
            ..TransformerConfig::new(DIM, 2)
        };
        let encoder = config.encoder::<f64>(2, norm_first, &mut rng(seed)).unwrap();
        redraw(&encoder, &mut rng(seed));
        let forward = |x: &Tensor<f64>, lengths: &[usize]| {
            let mask = AttentionMask::lengths(lengths);
            let mask = if causal { mask.and(AttentionMask::causal()) } else { mask };
            Ok(Outputs { places: Some(encoder.forward(x, &mask)?), whole: None })
        };
        check(&encoder, &forward, &lengths, longest, padding, seed);

        // The padded sequences are the memory here.
        let decoder = config.decoder::<f64>(1, norm_first, &mut rng(seed)).unwrap();
        redraw(&decoder, &mut rng(seed));
        let target = uniform(&[1, 2, DIM], &mut rng(seed ^ 1));
        let forward = |x: &Tensor<f64>, lengths: &[usize]| {
            let present = Mask::from_lengths(lengths, x.shape()[1]);
            let memory_mask = AttentionMask::keys(&present);
            let target = target.expand([lengths.len(), 2, DIM])?;
            let y = decoder.forward(&target, x, &AttentionMask::causal(), &memory_mask)?;
            Ok(Outputs { places: None, whole: Some(y) })
        };
        check(&decoder, &forward, &lengths, longest, padding, seed);
    }
}
