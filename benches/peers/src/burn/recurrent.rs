//! Recurrent layers, each gate of which is a layer of its own.

use burn::module::Module;
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::{Embedding, GateController, Linear, Lstm, LstmConfig};
use burn::tensor::{Int, Tensor};

use super::models::{Model, cross_entropy};
use super::values::{Part, Result, Values};
use crate::case::Cell;

#[derive(Module, Debug)]
pub struct Recurrent {
    embed: Embedding,
    lstm: Option<Lstm>,
    gru: Option<Gru>,
    out: Linear,
}

impl Recurrent {
    pub fn new(cell: Cell, dim: usize, hidden: usize, values: &Values) -> Result<Self> {
        Ok(Self {
            embed: values.embedding("embed")?,
            lstm: (cell == Cell::Lstm)
                .then(|| lstm(dim, hidden, values))
                .transpose()?,
            gru: (cell == Cell::Gru)
                .then(|| gru(dim, hidden, values))
                .transpose()?,
            out: values.linear("out")?,
        })
    }
}

impl Model for Recurrent {
    fn loss(&self, ids: Tensor<2, Int>, labels: Tensor<1, Int>) -> Tensor<1> {
        let x = self.embed.forward(ids);
        let last = match (&self.lstm, &self.gru) {
            (Some(lstm), _) => lstm.forward(x, None).1.hidden,
            (_, Some(gru)) => {
                let time = x.dims()[1];
                gru.forward(x, None).narrow(1, time - 1, 1).squeeze_dim(1)
            }
            _ => panic!("no cell"),
        };
        cross_entropy(self.out.forward(last), labels)
    }
}

fn lstm(dim: usize, hidden: usize, values: &Values) -> Result<Lstm> {
    let gate = |index| gate("lstm", Part { index, of: 4 }, values);
    let mut layer = LstmConfig::new(dim, hidden, true).init(&values.device);
    layer.input_gate = gate(0)?;
    layer.forget_gate = Some(gate(1)?);
    layer.cell_gate = gate(2)?;
    layer.output_gate = gate(3)?;
    Ok(layer)
}

fn gru(dim: usize, hidden: usize, values: &Values) -> Result<Gru> {
    let gate = |index| gate("gru", Part { index, of: 3 }, values);
    let mut layer = GruConfig::new(dim, hidden, true).init(&values.device);
    layer.reset_gate = gate(0)?;
    layer.update_gate = gate(1)?;
    layer.new_gate = gate(2)?;
    Ok(layer)
}

fn gate(layer: &str, part: Part, values: &Values) -> Result<GateController> {
    let transform = |from: &str| {
        let names = ["weight", "bias"].map(|kind| format!("{layer}.{kind}_{from}_l0"));
        values.linear_of([&names[0], &names[1]], part)
    };
    Ok(GateController {
        input_transform: transform("ih")?,
        hidden_transform: transform("hh")?,
    })
}
