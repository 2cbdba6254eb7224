//! Training steps: batches in turn, the way back, a step of the optimizer.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor, Var, safetensors};
use candle_nn::{Optimizer, VarBuilder};

use super::Loaded;
use super::models::Model;

/// The batches of a file.
struct Batches {
    ids: Vec<Tensor>,
    labels: Vec<Tensor>,
    next: usize,
}

impl Batches {
    fn take(tensors: &mut HashMap<String, Tensor>) -> Result<Self> {
        let mut parts = |name: &str| -> Result<Vec<Tensor>> {
            let all = take(tensors, name)?.to_dtype(DType::U32)?;
            (0..all.dim(0)?).map(|index| all.get(index)).collect()
        };
        Ok(Self {
            ids: parts("ids")?,
            labels: parts("labels")?,
            next: 0,
        })
    }

    fn next(&mut self) -> (&Tensor, &Tensor) {
        let index = self.next;
        self.next = (index + 1) % self.ids.len();
        (&self.ids[index], &self.labels[index])
    }
}

fn take(tensors: &mut HashMap<String, Tensor>, name: &str) -> Result<Tensor> {
    match tensors.remove(name) {
        Some(tensor) => Ok(tensor),
        None => candle_core::bail!("no {name}"),
    }
}

/// What is added, multiplied or mapped.
pub fn operands(file: &Path) -> Result<[Tensor; 2]> {
    let mut tensors = safetensors::load(file, &Device::Cpu)?;
    Ok([take(&mut tensors, "x")?, take(&mut tensors, "y")?])
}

/// The step of a model under a rule, from the values in the file.
pub fn training<M: Model + 'static, R: Optimizer + 'static>(
    file: &Path,
    model: impl FnOnce(VarBuilder) -> Result<M>,
    rule: impl FnOnce(Vec<Var>) -> Result<R>,
) -> Loaded {
    let mut tensors = safetensors::load(file, &Device::Cpu)?;
    let mut batches = Batches::take(&mut tensors)?;
    let mut variables = Vec::new();
    for tensor in tensors.values_mut() {
        let variable = Var::from_tensor(tensor)?;
        *tensor = variable.as_tensor().clone();
        variables.push(variable);
    }
    let values = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let model = model(values)?;
    let mut optimizer = rule(variables)?;
    let mut step = move || {
        let (ids, labels) = batches.next();
        let loss = model.loss(ids, labels)?;
        optimizer.backward_step(&loss)?;
        loss.to_scalar::<f32>()
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}

/// `x + y + y + ..`, and the way back.
pub fn chain(length: usize, file: &Path) -> Loaded {
    let [x, y] = operands(file)?;
    let x = Var::from_tensor(&x)?;
    let step = move || -> Result<f32> {
        let sum = (0..length).try_fold(x.as_tensor().clone(), |sum, _| sum + &y)?;
        // The way back starts from ones, so the product is what brings `y` there.
        let gradients = (sum * &y)?.backward()?;
        match gradients.get(&x) {
            Some(gradient) => gradient.sum_all()?.to_scalar(),
            None => candle_core::bail!("no gradient"),
        }
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}
