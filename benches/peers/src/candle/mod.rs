//! candle's side of each case.

mod attention;
mod models;
mod products;
mod steps;

use std::error::Error;
use std::path::Path;

use candle_core::{Result, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD};

use crate::case::{Case, Rule};
use crate::protocol::Step;
use attention::Attention;
use models::{Bag, Recurrent, Rows, TextCnn, Tiny};
use steps::training;

/// A step, or why candle has none.
type Loaded = std::result::Result<Step, Box<dyn Error>>;

/// Learning rates, the same for every peer.
const SGD_RATE: f64 = 0.1;
const ADAM_RATE: f64 = 1e-3;

/// Makes a case ready.
pub fn load(case: &Case, file: &Path) -> Loaded {
    match case {
        Case::Tiny => training(file, Tiny::new, sgd),
        Case::Chain { length, .. } => steps::chain(*length, file),
        &Case::Bag { rows, dim, .. } => training(file, |values| Bag::new(rows, dim, values), sgd),
        &Case::Rows {
            rule,
            rows,
            dim,
            ids,
        } => match rule {
            Rule::Sgd => training(file, |values| Rows::new(rows, dim, ids, values), sgd),
            Rule::SparseAdam => Err("candle's Adam moves every row".into()),
            Rule::Adagrad => Err("candle has no Adagrad".into()),
        },
        Case::TextCnn { .. } => training(file, |values| TextCnn::new(case, values), adam),
        &Case::Recurrent {
            cell,
            rows,
            dim,
            hidden,
            ..
        } => training(
            file,
            |values| Recurrent::new(cell, rows, dim, hidden, values),
            adam,
        ),
        Case::Encoder(sizes) => {
            training(file, |values| Attention::new(sizes, false, values), adam_w)
        }
        Case::CharGpt(sizes) => {
            training(file, |values| Attention::new(sizes, true, values), adam_w)
        }
        Case::Gemm { layout, .. } => products::gemm(*layout, file),
        Case::Elementwise { function, .. } => products::elementwise(*function, file),
        Case::Sgns { .. } | Case::FastText { .. } => Err("candle has no such training".into()),
        Case::Answer { .. } => Err("its training steps stand for it".into()),
    }
}

fn sgd(variables: Vec<Var>) -> Result<SGD> {
    SGD::new(variables, SGD_RATE)
}

/// AdamW without its decay.
fn adam(variables: Vec<Var>) -> Result<AdamW> {
    let params = ParamsAdamW {
        lr: ADAM_RATE,
        weight_decay: 0.0,
        ..ParamsAdamW::default()
    };
    AdamW::new(variables, params)
}

fn adam_w(variables: Vec<Var>) -> Result<AdamW> {
    AdamW::new_lr(variables, ADAM_RATE)
}
