//! Training steps: batches in turn, a tape, a step of the optimizer.

use std::error::Error;
use std::path::Path;

use lexigrad::optim::Builder;
use lexigrad::prelude::*;

use super::models::Model;
use crate::protocol::Step;

/// The batches of a file: ids, and labels where the loss has any.
pub struct Batches {
    ids: Vec<Ids>,
    labels: Vec<Ids>,
    next: usize,
}

impl Batches {
    pub fn load(state: &StateDict) -> Result<Self> {
        let parts = |name: &str| -> Result<Vec<Ids>> {
            let all = state
                .get(name)
                .ok_or_else(|| lexigrad::tensor::Error::other("load", format!("no {name}")))?;
            (0..all.shape()[0])
                .map(|index| {
                    let part = all.narrow(0, index, 1)?.squeeze(0)?;
                    let ids: Vec<u32> = part.to_vec().into_iter().map(|id| id as u32).collect();
                    Ids::from_vec(ids, part.shape().clone())
                })
                .collect()
        };
        Ok(Self {
            ids: parts("ids")?,
            labels: parts("labels")?,
            next: 0,
        })
    }

    fn next(&mut self) -> (&Ids, &Ids) {
        let index = self.next;
        self.next = (index + 1) % self.ids.len();
        (&self.ids[index], &self.labels[index])
    }
}

/// The step of a model under a rule, from the values in the file.
pub fn training<R: Rule<f32>>(
    model: impl Model + 'static,
    rule: Builder<R>,
    file: &Path,
) -> std::result::Result<Step, Box<dyn Error>> {
    let state = StateDict::load(file)?;
    model.load_partial(&state)?;
    let mut batches = Batches::load(&state)?;
    let mut optimizer = rule.build(&model)?;
    let mut step = move || -> Result<f32> {
        let (ids, labels) = batches.next();
        let tape = Tape::new();
        let loss = model.loss(ids, labels)?;
        optimizer.step(&tape.backward(&loss)?)?;
        loss.item()
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
