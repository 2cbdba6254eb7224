//! Initial values and batches of a case, in a safetensors file that every peer reads.

use std::error::Error;
use std::path::Path;

use lexigrad::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::case::{Case, Layout, ROW};
use crate::ours::models::{Attention, Bag, Recurrent, Rows, TextCnn, Tiny};

/// Batches that differ, so that no step finds its rows in the cache because the one before had the same.
const BATCHES: usize = 16;
/// Words come up in proportion to a power of their rank.
const ZIPF: f64 = 1.05;

/// Writes the file of a case; a case that reads texts has none.
pub fn write(case: &Case, file: &Path) -> std::result::Result<(), Box<dyn Error>> {
    let rng = &mut StdRng::seed_from_u64(1);
    let uniform =
        |rng: &mut StdRng, shape: &[usize]| -> Tensor { Tensor::uniform(shape, -1.0, 1.0, rng) };
    let mut tensors: Vec<(String, Tensor)> = match case {
        Case::Answer { of } => return write(of, file),
        Case::Tiny => batches(&Tiny::new(rng), 6, &[6], &[6], 2, rng)?,
        &Case::Chain { size, .. } | &Case::Elementwise { elements: size, .. } => {
            let shape = if size.is_multiple_of(ROW) {
                vec![size / ROW, ROW]
            } else {
                vec![size]
            };
            ["x", "y"]
                .map(|name| (name.to_owned(), uniform(rng, &shape)))
                .into()
        }
        &Case::Bag {
            rows,
            dim,
            batch,
            words,
        } => batches(
            &Bag::new(rows, dim, rng),
            rows,
            &[batch, words],
            &[batch],
            2,
            rng,
        )?,
        &Case::Rows { rows, dim, ids, .. } => {
            batches(&Rows::new(rows, dim, ids, rng), rows, &[ids], &[1], 2, rng)?
        }
        &Case::TextCnn {
            rows, batch, time, ..
        } => batches(
            &TextCnn::new(case, rng)?,
            rows,
            &[batch, time],
            &[batch],
            2,
            rng,
        )?,
        &Case::Recurrent {
            cell,
            rows,
            dim,
            hidden,
            batch,
            time,
        } => {
            let model = Recurrent::new(cell, rows, dim, hidden, rng)?;
            batches(&model, rows, &[batch, time], &[batch], 2, rng)?
        }
        Case::Encoder(sizes) => {
            let shape = [sizes.batch, sizes.time];
            batches(
                &Attention::new(sizes, false, rng)?,
                sizes.rows,
                &shape,
                &shape[..1],
                2,
                rng,
            )?
        }
        Case::CharGpt(sizes) => {
            let shape = [sizes.batch, sizes.time];
            let model = Attention::new(sizes, true, rng)?;
            batches(&model, sizes.rows, &shape, &shape, sizes.rows, rng)?
        }
        &Case::Gemm { layout, m, k, n } => {
            let (x, y) = match layout {
                Layout::Nn => ([m, k], [k, n]),
                Layout::Nt => ([m, k], [n, k]),
                Layout::Tn => ([k, m], [k, n]),
            };
            [("x", x), ("y", y)]
                .map(|(name, shape)| (name.to_owned(), uniform(rng, &shape)))
                .into()
        }
        Case::Sgns { .. } | Case::FastText { .. } => Vec::new(),
    };
    let state: StateDict = tensors.drain(..).collect();
    Ok(state.save(file)?)
}

/// The values of a model, ids of Zipf's law, and labels.
fn batches(
    model: &impl Module,
    rows: usize,
    ids: &[usize],
    labels: &[usize],
    classes: usize,
    rng: &mut StdRng,
) -> Result<Vec<(String, Tensor)>> {
    let words = Zipf::new(rows);
    let mut draw = |shape: &[usize], mut next: Box<dyn FnMut(&mut StdRng) -> usize>| {
        let shape = [&[BATCHES], shape].concat();
        let numbers: Vec<f32> = (0..shape.iter().product())
            .map(|_| next(rng) as f32)
            .collect();
        Tensor::from_slice(&numbers, &shape[..])
    };
    let ids = draw(ids, Box::new(move |rng| words.draw(rng)))?;
    let labels = draw(labels, Box::new(move |rng| rng.random_range(0..classes)))?;
    let state = model.state_dict();
    let values = state
        .iter()
        .map(|(name, value)| (name.to_owned(), value.clone()));
    Ok(values
        .chain([("ids".to_owned(), ids), ("labels".to_owned(), labels)])
        .collect())
}

/// Row r (counted from 1) in proportion to `r^-1.05`, spread over the table.
struct Zipf {
    cumulated: Vec<f64>,
}

impl Zipf {
    fn new(rows: usize) -> Self {
        let mut total = 0.0;
        let cumulated = (1..=rows).map(|rank| {
            total += (rank as f64).powf(-ZIPF);
            total
        });
        Self {
            cumulated: cumulated.collect(),
        }
    }

    fn draw(&self, rng: &mut StdRng) -> usize {
        let total = self.cumulated[self.cumulated.len() - 1];
        let place = rng.random_range(0.0..total);
        let rank = self.cumulated.partition_point(|&sum| sum < place);
        rank * 7_919 % self.cumulated.len()
    }
}
