//! The models of `ours/models.rs`, with the same names of parameters.

use candle_core::{Device, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{
    Dropout, Embedding, GRU, LSTM, Linear, Module, RNN, VarBuilder, embedding, gru, linear, lstm,
};

use crate::case::{Case, Cell};

/// A model of ids, with the loss of a batch.
pub trait Model {
    fn loss(&self, ids: &Tensor, labels: &Tensor) -> Result<Tensor>;
}

pub struct Tiny {
    embed: Embedding,
    out: Linear,
}

impl Tiny {
    pub fn new(values: VarBuilder) -> Result<Self> {
        Ok(Self {
            embed: embedding(6, 3, values.pp("embed"))?,
            out: linear(3, 2, values.pp("out"))?,
        })
    }
}

impl Model for Tiny {
    fn loss(&self, ids: &Tensor, labels: &Tensor) -> Result<Tensor> {
        cross_entropy(&self.out.forward(&self.embed.forward(ids)?)?, labels)
    }
}

/// There is no layer of bags: all vectors are looked up, then averaged.
pub struct Bag {
    embed: Embedding,
    out: Linear,
}

impl Bag {
    pub fn new(rows: usize, dim: usize, values: VarBuilder) -> Result<Self> {
        Ok(Self {
            embed: embedding(rows, dim, values.pp("embed"))?,
            out: linear(dim, 2, values.pp("out"))?,
        })
    }
}

impl Model for Bag {
    fn loss(&self, ids: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let means = self.embed.forward(ids)?.mean(1)?;
        cross_entropy(&self.out.forward(&means)?, labels)
    }
}

pub struct Rows {
    embed: Embedding,
    direction: Tensor,
}

impl Rows {
    pub fn new(rows: usize, dim: usize, ids: usize, values: VarBuilder) -> Result<Self> {
        Ok(Self {
            embed: embedding(rows, dim, values.pp("embed"))?,
            direction: values.get((ids, dim), "direction")?.detach(), // not trained
        })
    }
}

impl Model for Rows {
    fn loss(&self, ids: &Tensor, _labels: &Tensor) -> Result<Tensor> {
        self.embed.forward(ids)?.mul(&self.direction)?.sum_all()
    }
}

pub struct TextCnn {
    embed: Embedding,
    windows: Vec<Window>,
    dropout: Dropout,
    out: Linear,
}

impl TextCnn {
    pub fn new(case: &Case, values: VarBuilder) -> Result<Self> {
        let &Case::TextCnn {
            rows,
            dim,
            batch,
            time,
            widths,
            maps,
            dropout,
        } = case
        else {
            candle_core::bail!("another case");
        };
        let window = |(index, &width): (usize, &usize)| {
            let values = values.pp(format!("windows.{index}"));
            Window::new([maps, dim, width], [batch, time], values)
        };
        Ok(Self {
            embed: embedding(rows, dim, values.pp("embed"))?,
            windows: widths
                .iter()
                .enumerate()
                .map(window)
                .collect::<Result<_>>()?,
            dropout: Dropout::new(dropout as f32),
            out: linear(widths.len() * maps, 2, values.pp("out"))?,
        })
    }
}

impl Model for TextCnn {
    fn loss(&self, ids: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let x = self.embed.forward(ids)?; // [B, L, D]
        let strongest = |window: &Window| window.forward(&x)?.relu()?.max(1);
        let features: Vec<Tensor> = self.windows.iter().map(strongest).collect::<Result<_>>()?;
        let features = self.dropout.forward(&Tensor::cat(&features, 1)?, true)?;
        cross_entropy(&self.out.forward(&features)?, labels)
    }
}

/// A convolution as a product of the words of each window: the gradients of candle's own, as of 0.11.1, are wrong.
struct Window {
    /// `[maps, dim, width]`
    weight: Tensor,
    bias: Tensor,
    /// The places of the words of each window, of all texts of a batch one after another.
    words: Tensor,
}

impl Window {
    fn new(
        [maps, dim, width]: [usize; 3],
        [batch, time]: [usize; 2],
        values: VarBuilder,
    ) -> Result<Self> {
        let starts = (0..batch).flat_map(|text| text * time..(text + 1) * time + 1 - width);
        let words: Vec<u32> = starts
            .flat_map(|start| start as u32..(start + width) as u32)
            .collect();
        Ok(Self {
            weight: values.get((maps, dim, width), "weight")?,
            bias: values.get(maps, "bias")?,
            words: Tensor::new(words, &Device::Cpu)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (maps, dim, width) = self.weight.dims3()?;
        let words = x.flatten_to(1)?.index_select(&self.words, 0)?;
        let windows = words.reshape((x.dim(0)?, (), width * dim))?;
        let weight = self.weight.transpose(1, 2)?.reshape((maps, width * dim))?;
        Linear::new(weight, Some(self.bias.clone())).forward(&windows)
    }
}

pub struct Recurrent {
    embed: Embedding,
    layer: Layer,
    out: Linear,
}

enum Layer {
    Lstm(LSTM),
    Gru(GRU),
}

impl Recurrent {
    pub fn new(
        cell: Cell,
        rows: usize,
        dim: usize,
        hidden: usize,
        values: VarBuilder,
    ) -> Result<Self> {
        let layer = match cell {
            Cell::Lstm => Layer::Lstm(lstm(dim, hidden, Default::default(), values.pp("lstm"))?),
            Cell::Gru => Layer::Gru(gru(dim, hidden, Default::default(), values.pp("gru"))?),
        };
        Ok(Self {
            embed: embedding(rows, dim, values.pp("embed"))?,
            layer,
            out: linear(hidden, 2, values.pp("out"))?,
        })
    }
}

impl Model for Recurrent {
    fn loss(&self, ids: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let x = self.embed.forward(ids)?;
        let last = match &self.layer {
            Layer::Lstm(layer) => layer.seq(&x)?.pop().map(|state| state.h),
            Layer::Gru(layer) => layer.seq(&x)?.pop().map(|state| state.h),
        };
        let Some(last) = last else {
            candle_core::bail!("no words");
        };
        cross_entropy(&self.out.forward(&last)?, labels)
    }
}
