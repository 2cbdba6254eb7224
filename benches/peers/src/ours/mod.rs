//! lexigrad's side of each case.

pub mod models;
mod products;
mod steps;
mod wholes;
mod word2vec;

use std::error::Error;
use std::path::Path;

use lexigrad::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use crate::case::{self, Case};
use crate::protocol::Step;
use models::{Attention, Bag, Model, Recurrent, Rows, TextCnn, Tiny};
use steps::training;

/// Learning rates, the same for every peer.
const SGD_RATE: f64 = 0.1;
const ADAM_RATE: f64 = 1e-3;

/// Into how many shards the batch of a large model is cut, on one thread as on two: how it is cut decides the bits.
const SHARDS: usize = 2;
/// A small step is not cut, nor one of a recurrence, which shares the sequences of a batch itself.
const WHOLE: usize = 1;

/// Makes a case ready.
pub fn load(case: &Case, file: &Path) -> std::result::Result<Step, Box<dyn Error>> {
    let rng = &mut StdRng::seed_from_u64(0); // every value comes from the file
    // Rows without a gradient move as a dense optimizer moves them.
    let adam = || {
        Adam::new(ADAM_RATE)
            .builder()
            .sparse_mode(SparseMode::Exact)
    };
    let adam_w = || {
        AdamW::new(ADAM_RATE)
            .builder()
            .sparse_mode(SparseMode::Exact)
    };
    match case {
        Case::Tiny => training(Tiny::new(rng), Sgd::new(SGD_RATE).builder(), file, WHOLE),
        Case::Chain { length, .. } => steps::chain(*length, file),
        &Case::Bag { rows, dim, .. } => training(
            Bag::new(rows, dim, rng),
            Sgd::new(SGD_RATE).builder(),
            file,
            WHOLE,
        ),
        &Case::Rows {
            rule,
            rows,
            dim,
            ids,
        } => {
            let model = Rows::new(rows, dim, ids, rng);
            match rule {
                case::Rule::Sgd => training(model, Sgd::new(SGD_RATE).builder(), file, WHOLE),
                case::Rule::SparseAdam => {
                    training(model, SparseAdam::new(ADAM_RATE).builder(), file, WHOLE)
                }
                case::Rule::Adagrad => {
                    training(model, Adagrad::new(SGD_RATE).builder(), file, WHOLE)
                }
            }
        }
        Case::TextCnn { .. } => training(TextCnn::new(case, rng)?, adam(), file, SHARDS),
        &Case::Recurrent {
            cell,
            rows,
            dim,
            hidden,
            ..
        } => training(
            Recurrent::new(cell, rows, dim, hidden, rng)?,
            adam(),
            file,
            WHOLE,
        ),
        Case::Encoder(sizes) => {
            training(Attention::new(sizes, false, rng)?, adam_w(), file, SHARDS)
        }
        Case::CharGpt(sizes) => training(Attention::new(sizes, true, rng)?, adam_w(), file, SHARDS),
        Case::Answer { of } => steps::answering(model(of, rng)?, file),
        Case::Gemm { layout, .. } => products::gemm(*layout, file),
        Case::Elementwise { function, .. } => products::elementwise(*function, file),
        Case::Sgns {
            text,
            dim,
            window,
            negatives,
        } => wholes::sgns(text, *dim, *window, *negatives),
        Case::FastText { train, dev } => wholes::fasttext(train, dev),
    }
}

/// The model of a case that can also answer.
fn model(case: &Case, rng: &mut StdRng) -> Result<Box<dyn Model>> {
    Ok(match case {
        &Case::Bag { rows, dim, .. } => Box::new(Bag::new(rows, dim, rng)),
        &Case::Recurrent {
            cell,
            rows,
            dim,
            hidden,
            ..
        } => Box::new(Recurrent::new(cell, rows, dim, hidden, rng)?),
        Case::Encoder(sizes) => Box::new(Attention::new(sizes, false, rng)?),
        other => {
            return Err(lexigrad::tensor::Error::other(
                "forward",
                format!("not of {other}"),
            ));
        }
    })
}
