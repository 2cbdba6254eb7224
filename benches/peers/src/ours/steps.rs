//! Training steps: batches in turn, a tape, a step of the optimizer.

use std::error::Error;
use std::path::Path;

use lexigrad::optim::Builder;
use lexigrad::prelude::*;

use super::models::Model;
use crate::protocol::Step;

/// Ids, and labels where the loss has any.
type Shard = (Ids, Ids);

/// The batches of a file, each cut into shards of the same size.
struct Batches {
    batches: Vec<Vec<Shard>>,
    next: usize,
}

impl Batches {
    fn load(state: &StateDict, shards: usize) -> Result<Self> {
        let parts = |name: &str| -> Result<Vec<Vec<Ids>>> {
            let all = state
                .get(name)
                .ok_or_else(|| lexigrad::tensor::Error::other("load", format!("no {name}")))?;
            let batch = |index| -> Result<Vec<Ids>> {
                let batch = all.narrow(0, index, 1)?.squeeze(0)?;
                let size = batch.shape()[0] / shards;
                (0..shards)
                    .map(|shard| ids_of(&batch.narrow(0, shard * size, size)?))
                    .collect()
            };
            (0..all.shape()[0]).map(batch).collect()
        };
        let batches = parts("ids")?.into_iter().zip(parts("labels")?);
        let batches = batches.map(|(ids, labels)| ids.into_iter().zip(labels).collect());
        Ok(Self {
            batches: batches.collect(),
            next: 0,
        })
    }

    fn next(&mut self) -> &[Shard] {
        let index = self.next;
        self.next = (index + 1) % self.batches.len();
        &self.batches[index]
    }
}

fn ids_of(numbers: &Tensor) -> Result<Ids> {
    let ids: Vec<u32> = numbers.to_vec().into_iter().map(|id| id as u32).collect();
    Ids::from_vec(ids, numbers.shape().clone())
}

/// The step of a model under a rule, from the values in the file, on batches cut into so many shards.
pub fn training<R: Rule<f32>>(
    model: impl Model + 'static,
    rule: Builder<R>,
    file: &Path,
    shards: usize,
) -> std::result::Result<Step, Box<dyn Error>> {
    let state = StateDict::load(file)?;
    model.load_partial(&state)?;
    let mut batches = Batches::load(&state, shards)?;
    let mut optimizer = rule.build(&model)?;
    let mut step = move || -> Result<f32> {
        let (loss, gradients) = match batches.next() {
            [(ids, labels)] => {
                let tape = Tape::new();
                let loss = model.loss(ids, labels)?;
                let gradients = tape.backward(&loss)?;
                (loss.item()?, gradients)
            }
            shards => {
                let weight = 1.0 / shards.len() as f32;
                data_parallel(shards, |(ids, labels)| {
                    Ok(model.loss(ids, labels)?.mul_scalar(weight))
                })?
            }
        };
        optimizer.step(&gradients)?;
        Ok(loss)
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}

/// The loss of a model on the batches in the file, without a tape.
pub fn answering(model: Box<dyn Model>, file: &Path) -> std::result::Result<Step, Box<dyn Error>> {
    let state = StateDict::load(file)?;
    model.load_partial(&state)?;
    let mut batches = Batches::load(&state, 1)?;
    let mut step = move || -> Result<f32> {
        let (ids, labels) = &batches.next()[0];
        model.loss(ids, labels)?.item()
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}

/// `x + y + y + ..`, and the way back.
pub fn chain(length: usize, file: &Path) -> std::result::Result<Step, Box<dyn Error>> {
    let state = StateDict::<f32>::load(file)?;
    let (Some(x), Some(y)) = (state.get("x").cloned(), state.get("y").cloned()) else {
        return Err("no x, y".into());
    };
    let step = move || -> Result<f32> {
        let tape = Tape::new();
        let x = tape.watch(&x);
        let sum = (0..length).try_fold(x.clone(), |sum, _| sum.add(&y))?;
        let gradients = tape.grad_with(&sum, &y, &[&x])?;
        gradients[0].sum().item()
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}
