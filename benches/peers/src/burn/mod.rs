//! burn's side of each case, on its fastest backend for a CPU.

mod attention;
mod models;
mod products;
mod recurrent;
mod steps;
mod values;

use std::error::Error;
use std::path::Path;

use burn::optim::{AdaGradConfig, AdamConfig, AdamWConfig, SgdConfig};

use crate::case::{Case, Rule};
use crate::protocol::Step;
use attention::Attention;
use models::{Bag, Rows, TextCnn, Tiny};
use recurrent::Recurrent;
use steps::training;
use values::Values;

/// A step, or why burn has none.
type Loaded = Result<Step, Box<dyn Error>>;

/// Learning rates, the same for every peer.
const SGD_RATE: f64 = 0.1;
const ADAM_RATE: f64 = 1e-3;

/// Makes a case ready.
pub fn load(case: &Case, file: &Path) -> Loaded {
    let values = || Values::load(file);
    let sgd = || SgdConfig::new().init();
    // Everyone's numbers; burn's own differ.
    let adam = || AdamConfig::new().with_epsilon(1e-8).init();
    let adam_w = || {
        AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.01)
    };
    let adagrad = || AdaGradConfig::new().with_epsilon(1e-10).init();
    match case {
        Case::Tiny => training(Tiny::new, values()?, sgd(), SGD_RATE),
        Case::Chain { length, .. } => steps::chain(*length, &values()?),
        Case::Bag { .. } => training(Bag::new, values()?, sgd(), SGD_RATE),
        Case::Rows { rule, .. } => match rule {
            Rule::Sgd => training(Rows::new, values()?, sgd(), SGD_RATE),
            Rule::SparseAdam => Err("burn's Adam moves every row".into()),
            Rule::Adagrad => training(Rows::new, values()?, adagrad(), SGD_RATE),
        },
        Case::TextCnn { .. } => {
            let model = |values: &Values| TextCnn::new(case, values);
            training(model, values()?, adam(), ADAM_RATE)
        }
        &Case::Recurrent {
            cell, dim, hidden, ..
        } => {
            let model = |values: &Values| Recurrent::new(cell, dim, hidden, values);
            training(model, values()?, adam(), ADAM_RATE)
        }
        Case::Encoder(sizes) => {
            let model = |values: &Values| Attention::new(sizes, false, values);
            training(model, values()?, adam_w().init(), ADAM_RATE)
        }
        Case::CharGpt(sizes) => {
            let model = |values: &Values| Attention::new(sizes, true, values);
            training(model, values()?, adam_w().init(), ADAM_RATE)
        }
        Case::Gemm { layout, .. } => products::gemm(*layout, &values()?),
        Case::Elementwise { function, .. } => products::elementwise(*function, &values()?),
        Case::Sgns { .. } | Case::FastText { .. } => Err("burn has no such training".into()),
        Case::Answer { .. } => Err("its training steps stand for it".into()),
    }
}
