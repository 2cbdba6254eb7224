//! Modules over sequences: every output, and the gradient of every input and parameter.

use lexigrad::nn::{
    AttentionMask, AttentionOptions, CellConfig, FeedForwardActivation, GruCell, LstmCell,
    LstmState, MultiheadAttentionConfig, Nonlinearity, RecurrentConfig, RnnCell, TransformerConfig,
    scaled_dot_product_attention,
};
use lexigrad::prelude::*;

use crate::case::Case;
use crate::module::{check_module, given, in_both_precisions, output, rng};

// ---- Recurrent layers

#[test]
pub fn recurrent() {
    let json = include_str!("recurrent.json");
    in_both_precisions(json, check_recurrent::<f64>, check_recurrent::<f32>);
}

fn check_recurrent<T: Element>(case: &Case, tolerance: f64) {
    if case.name().starts_with("cell") {
        return check_cell::<T>(case, tolerance);
    }
    let config = RecurrentConfig {
        num_layers: case.number("num_layers").map_or(1, |count| count as usize),
        bias: case.flag_or("bias", true),
        batch_first: case.flag("batch_first"),
        bidirectional: case.flag("bidirectional"),
        ..RecurrentConfig::new(3, 2)
    };
    let lengths = case.list("lengths");
    let lengths = (!lengths.is_empty()).then_some(&lengths[..]);
    let inputs = ["x", "hidden", "cell"];
    match case.text("kind") {
        "LSTM" => {
            let lstm = config.lstm::<T>(&mut rng()).unwrap();
            check_module(case, &lstm, &inputs, tolerance, |inputs| {
                let (output, last) =
                    lstm.forward_with(given(&inputs[0]), lengths, state(inputs).as_ref())?;
                Ok(vec![
                    ("output", output),
                    ("last_hidden", last.hidden),
                    ("last_cell", last.cell),
                ])
            });
        }
        "GRU" => {
            let gru = config.gru::<T>(&mut rng()).unwrap();
            check_module(case, &gru, &inputs[..2], tolerance, |inputs| {
                let (output, last) =
                    gru.forward_with(given(&inputs[0]), lengths, inputs[1].as_ref())?;
                Ok(vec![("output", output), ("last_hidden", last)])
            });
        }
        _ => {
            let rnn = config.rnn::<T>(nonlinearity(case), &mut rng()).unwrap();
            check_module(case, &rnn, &inputs[..2], tolerance, |inputs| {
                let (output, last) =
                    rnn.forward_with(given(&inputs[0]), lengths, inputs[1].as_ref())?;
                Ok(vec![("output", output), ("last_hidden", last)])
            });
        }
    }
}

fn state<T: Element>(inputs: &[Option<Tensor<T>>]) -> Option<LstmState<T>> {
    let (hidden, cell) = (inputs[1].clone()?, inputs[2].clone()?);
    Some(LstmState { hidden, cell })
}

fn nonlinearity(case: &Case) -> Nonlinearity {
    match case.text("nonlinearity") {
        "relu" => Nonlinearity::Relu,
        _ => Nonlinearity::Tanh,
    }
}

fn check_cell<T: Element>(case: &Case, tolerance: f64) {
    let config = CellConfig {
        bias: case.flag_or("bias", true),
        ..CellConfig::new(3, 2)
    };
    let inputs = ["x", "hidden", "cell"];
    match case.text("kind") {
        "LSTM" => {
            let cell: LstmCell<T> = config.lstm(&mut rng()).unwrap();
            check_module(case, &cell, &inputs, tolerance, |inputs| {
                let last = cell.forward(given(&inputs[0]), state(inputs).as_ref())?;
                Ok(vec![("last_hidden", last.hidden), ("last_cell", last.cell)])
            });
        }
        "GRU" => {
            let cell: GruCell<T> = config.gru(&mut rng()).unwrap();
            check_module(case, &cell, &inputs[..2], tolerance, |inputs| {
                let last = cell.forward(given(&inputs[0]), inputs[1].as_ref())?;
                Ok(vec![("last_hidden", last)])
            });
        }
        _ => {
            let cell: RnnCell<T> = config.rnn(nonlinearity(case), &mut rng()).unwrap();
            check_module(case, &cell, &inputs[..2], tolerance, |inputs| {
                let last = cell.forward(given(&inputs[0]), inputs[1].as_ref())?;
                Ok(vec![("last_hidden", last)])
            });
        }
    }
}

// ---- Attention

#[test]
pub fn attention() {
    let json = include_str!("attention.json");
    in_both_precisions(json, check_attention::<f64>, check_attention::<f32>);
}

fn check_attention<T: Element>(case: &Case, tolerance: f64) {
    if case.name().starts_with("function") {
        check_function::<T>(case, tolerance);
    } else {
        check_multihead::<T>(case, tolerance);
    }
}

fn mask_of<T: Element>(
    keys: Option<&Mask>,
    pairs: Option<&Mask>,
    bias: Option<&Tensor<T>>,
    causal: bool,
) -> AttentionMask<T> {
    let parts = [
        keys.map(AttentionMask::keys),
        pairs.map(AttentionMask::pairs),
        bias.map(AttentionMask::bias),
        causal.then(AttentionMask::causal),
    ];
    let parts = parts.into_iter().flatten();
    parts.fold(AttentionMask::default(), AttentionMask::and)
}

fn check_function<T: Element>(case: &Case, tolerance: f64) {
    let mask = case.mask("mask");
    let inputs = ["q", "k", "v", "bias"];
    let no_parameters: [Param<T>; 0] = [];
    check_module(case, &no_parameters, &inputs, tolerance, |inputs| {
        let options = AttentionOptions {
            mask: mask_of(
                None,
                mask.as_ref(),
                inputs[3].as_ref(),
                case.flag("is_causal"),
            ),
            scale: case.number("scale"),
            ..AttentionOptions::default()
        };
        let [q, k, v] = [0, 1, 2].map(|index| given(&inputs[index]));
        scaled_dot_product_attention(q, k, v, &options).map(output)
    });
}

fn check_multihead<T: Element>(case: &Case, tolerance: f64) {
    let sizes = case.flag("sizes");
    let config = MultiheadAttentionConfig {
        bias: case.flag_or("bias", true),
        batch_first: case.flag("batch_first"),
        kdim: sizes.then_some(3),
        vdim: sizes.then_some(5),
        ..MultiheadAttentionConfig::new(4, 2)
    };
    let attention = config.build::<T>(&mut rng()).unwrap();
    let (lengths, pairs) = (case.list("key_lengths"), case.mask("pairs"));
    let keys = (!lengths.is_empty()).then(|| Mask::from_lengths(&lengths, 4));
    let inputs = ["query", "key", "value", "added"];
    check_module(case, &attention, &inputs, tolerance, |inputs| {
        let causal = case.flag("causal");
        let mask = mask_of(keys.as_ref(), pairs.as_ref(), inputs[3].as_ref(), causal);
        let query = given(&inputs[0]);
        let (key, value) = (inputs[1].as_ref(), inputs[2].as_ref());
        let (key, value) = (key.unwrap_or(query), value.unwrap_or(query));
        let (output, weights) = attention.forward_with_weights(query, key, value, &mask)?;
        Ok(vec![("output", output), ("weights", weights)])
    });
}

// ---- Transformer

#[test]
pub fn transformer() {
    let json = include_str!("transformer.json");
    in_both_precisions(json, check_transformer::<f64>, check_transformer::<f32>);
}

fn check_transformer<T: Element>(case: &Case, tolerance: f64) {
    let config = TransformerConfig {
        dim_feedforward: 3,
        dropout: 0.0,
        bias: case.flag_or("bias", true),
        batch_first: case.flag("batch_first"),
        norm_first: case.flag("norm_first"),
        activation: match case.text("activation") {
            "gelu" => FeedForwardActivation::Gelu,
            _ => FeedForwardActivation::Relu,
        },
        ..TransformerConfig::new(6, 2)
    };
    let lengths = case.list("lengths");
    let keys = (!lengths.is_empty()).then(|| Mask::from_lengths(&lengths, 3));
    let causal = mask_of(None, None, None, case.flag("causal"));
    let padding = mask_of(keys.as_ref(), None, None, false);
    let norm = case.flag("norm");
    let whole = case.number("num_layers").is_some();
    let inputs = ["x", "memory"];
    if case.name().starts_with("encoder") {
        let mask = causal.and(padding);
        let encoder = config.encoder::<T>(2, norm, &mut rng()).unwrap();
        let layer = &encoder.layers[0];
        if whole {
            check_module(case, &encoder, &inputs[..1], tolerance, |inputs| {
                encoder.forward(given(&inputs[0]), &mask).map(output)
            });
        } else {
            check_module(case, layer, &inputs[..1], tolerance, |inputs| {
                layer.forward(given(&inputs[0]), &mask).map(output)
            });
        }
        return;
    }
    let decoder = config.decoder::<T>(2, norm, &mut rng()).unwrap();
    let layer = &decoder.layers[0];
    if whole {
        check_module(case, &decoder, &inputs, tolerance, |inputs| {
            let (x, memory) = (given(&inputs[0]), given(&inputs[1]));
            decoder.forward(x, memory, &causal, &padding).map(output)
        });
    } else {
        check_module(case, layer, &inputs, tolerance, |inputs| {
            let (x, memory) = (given(&inputs[0]), given(&inputs[1]));
            layer.forward(x, memory, &causal, &padding).map(output)
        });
    }
}
