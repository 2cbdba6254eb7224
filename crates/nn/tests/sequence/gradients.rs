//! First and second derivatives of small modules against central differences, by inputs and by parameters.

use lexigrad_check::{Options, gradcheck_module, gradgradcheck_module};
use lexigrad_nn::{
    AttentionMask, BatchNorm1dConfig, BilinearConfig, CellConfig, Conv1dConfig,
    LearnedPositionsConfig, LstmState, Module, MultiheadAttentionConfig, Nonlinearity,
    PoolOverTime, RecurrentConfig, RmsNormConfig, RotaryPositions, TransformerConfig,
};
use lexigrad_tensor::{Mask, Result, Tensor};

use super::{redraw, rng, uniform};

type Forward<'a> = &'a dyn Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>;

/// Checks the derivatives by the inputs, of these shapes, and by every parameter.
fn check(name: &str, model: &impl Module<f64>, shapes: &[&[usize]], forward: Forward<'_>) {
    redraw(model, &mut rng(1));
    let inputs: Vec<Tensor<f64>> = shapes
        .iter()
        .map(|shape| uniform(shape, &mut rng(2)))
        .collect();
    let options = Options::default();
    gradcheck_module(name, model, forward, &inputs, &options).unwrap();
    gradgradcheck_module(name, model, forward, &inputs, &options).unwrap();
}

#[test]
fn of_recurrent_layers() {
    let config = RecurrentConfig {
        bidirectional: true,
        num_layers: 2,
        ..RecurrentConfig::new(2, 2)
    };
    let lengths = Some(&[3, 1, 0][..]);
    let shapes: [&[usize]; 3] = [&[3, 3, 2], &[4, 3, 2], &[4, 3, 2]];
    let lstm = config.lstm::<f64>(&mut rng(0)).unwrap();
    check("lstm", &lstm, &shapes, &|inputs| {
        let state = LstmState {
            hidden: inputs[1].clone(),
            cell: inputs[2].clone(),
        };
        Ok(lstm.forward_with(&inputs[0], lengths, Some(&state))?.0)
    });
    let gru = config.gru::<f64>(&mut rng(0)).unwrap();
    check("gru", &gru, &shapes[..2], &|inputs| {
        Ok(gru.forward_with(&inputs[0], lengths, Some(&inputs[1]))?.0)
    });
    let rnn = config.rnn::<f64>(Nonlinearity::Tanh, &mut rng(0)).unwrap();
    check("rnn", &rnn, &shapes[..2], &|inputs| {
        Ok(rnn.forward_with(&inputs[0], lengths, Some(&inputs[1]))?.0)
    });
    let cell = CellConfig::new(2, 2).lstm::<f64>(&mut rng(0)).unwrap();
    check("lstm cell", &cell, &[&[2, 2]], &|inputs| {
        Ok(cell.forward(&inputs[0], None)?.cell)
    });
}

#[test]
fn of_attention() {
    let config = MultiheadAttentionConfig {
        vdim: Some(3),
        batch_first: true,
        ..MultiheadAttentionConfig::new(4, 2)
    };
    let attention = config.build::<f64>(&mut rng(0)).unwrap();
    let keys = Mask::from_lengths(&[3, 0], 3);
    let shapes: [&[usize]; 4] = [&[2, 2, 4], &[2, 3, 4], &[2, 3, 3], &[2, 3]];
    check("multihead attention", &attention, &shapes, &|inputs| {
        let mask = AttentionMask::keys(&keys)
            .and(AttentionMask::bias(&inputs[3]))
            .and(AttentionMask::causal());
        attention.forward(&inputs[0], &inputs[1], &inputs[2], &mask)
    });
    let rotary = RotaryPositions::new(4).unwrap();
    check("rotary positions", &rotary, &[&[3, 4]], &|inputs| {
        rotary.forward(&inputs[0], 2)
    });
}

#[test]
fn of_transformers() {
    for norm_first in [true, false] {
        let config = TransformerConfig {
            dim_feedforward: 3,
            dropout: 0.0,
            norm_first,
            activation: lexigrad_nn::FeedForwardActivation::Gelu,
            ..TransformerConfig::new(4, 2)
        };
        let layer = config.encoder_layer::<f64>(&mut rng(0)).unwrap();
        check("encoder layer", &layer, &[&[2, 2, 4]], &|inputs| {
            layer.forward(&inputs[0], &AttentionMask::causal())
        });
        let layer = config.decoder_layer::<f64>(&mut rng(0)).unwrap();
        let no_mask = AttentionMask::default();
        check(
            "decoder layer",
            &layer,
            &[&[2, 1, 4], &[3, 1, 4]],
            &|inputs| layer.forward(&inputs[0], &inputs[1], &AttentionMask::causal(), &no_mask),
        );
    }
}

#[test]
fn of_the_rest() {
    let norm = RmsNormConfig {
        eps: Some(0.1),
        ..RmsNormConfig::new([2, 3])
    }
    .build::<f64>()
    .unwrap();
    check("rms norm", &norm, &[&[2, 2, 3]], &|inputs| {
        norm.forward(&inputs[0])
    });
    let norm = BatchNorm1dConfig::new(2).build::<f64>().unwrap();
    check("batch norm", &norm, &[&[3, 2, 2]], &|inputs| {
        norm.forward(&inputs[0])
    });
    let conv = Conv1dConfig::new(2, 3, 2)
        .build::<f64>(&mut rng(0))
        .unwrap();
    check("conv1d", &conv, &[&[2, 2, 4]], &|inputs| {
        conv.forward(&inputs[0])
    });
    let bilinear = BilinearConfig::new(2, 3, 2)
        .build::<f64>(&mut rng(0))
        .unwrap();
    check("bilinear", &bilinear, &[&[3, 2], &[3, 3]], &|inputs| {
        bilinear.forward(&inputs[0], &inputs[1])
    });
    let positions = LearnedPositionsConfig { longest: 4, dim: 3 }
        .build::<f64>(&mut rng(0))
        .unwrap();
    check("learned positions", &positions, &[&[2, 2, 3]], &|inputs| {
        positions.forward(&inputs[0], 1)
    });
    for pool in [PoolOverTime::Max, PoolOverTime::Mean, PoolOverTime::Sum] {
        check("pool", &pool, &[&[3, 3, 2]], &|inputs| {
            pool.forward(&inputs[0], Some(&[3, 2, 0]))
        });
    }
}
