//! Products and functions of a whole tensor, without variables.

use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{LayerNorm, Module, ops};

use super::{Loaded, steps};
use crate::case::{Function, Layout, ROW};

/// A step that computes a tensor, and gives its first number.
fn forward(compute: impl Fn() -> Result<Tensor> + 'static) -> Loaded {
    let first = move || compute()?.flatten_all()?.get(0)?.to_scalar::<f32>();
    Ok(Box::new(move || first().map_or(f64::NAN, f64::from)))
}

pub fn gemm(layout: Layout, file: &Path) -> Loaded {
    let [x, y] = steps::operands(file)?;
    let (x, y) = match layout {
        Layout::Nn => (x, y),
        Layout::Nt => (x, y.t()?),
        Layout::Tn => (x.t()?, y),
    };
    forward(move || x.matmul(&y))
}

pub fn elementwise(function: Function, file: &Path) -> Loaded {
    let [x, y] = steps::operands(file)?;
    let ones = Tensor::ones(ROW, DType::F32, &Device::Cpu)?;
    let norm = LayerNorm::new(ones.clone(), ones.zeros_like()?, 1e-5);
    forward(move || match function {
        Function::Add => x.add(&y),
        Function::Mul => x.mul(&y),
        Function::Exp => x.exp(),
        Function::Tanh => x.tanh(),
        Function::Gelu => x.gelu_erf(),
        Function::Softmax => ops::softmax_last_dim(&x),
        Function::LayerNorm => norm.forward(&x),
        Function::Sum => x.sum_all(),
    })
}
