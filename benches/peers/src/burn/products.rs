//! Products and functions of a whole tensor, without gradients.

use burn::nn::LayerNormConfig;
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Device, Tensor};

use super::Loaded;
use super::values::Values;
use crate::case::{Function, Layout, ROW};

/// A step that computes a tensor, and gives its first number.
fn forward<const D: usize>(
    compute: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<D> + 'static,
    values: &Values,
) -> Loaded {
    let (x, y) = (values.tensor("x")?, values.tensor("y")?);
    let step = move || {
        let first = [0; D].map(|place| place..place + 1);
        let first = compute(x.clone(), y.clone()).slice(first);
        f64::from(first.into_scalar::<f32>())
    };
    Ok(Box::new(step))
}

pub fn gemm(layout: Layout, values: &Values) -> Loaded {
    match layout {
        Layout::Nn => forward(|x, y| x.matmul(y), values),
        Layout::Nt => forward(|x, y| x.matmul(y.transpose()), values),
        Layout::Tn => forward(|x, y| x.transpose().matmul(y), values),
    }
}

pub fn elementwise(function: Function, values: &Values) -> Loaded {
    let norm = LayerNormConfig::new(ROW).init(&Device::flex());
    match function {
        Function::Add => forward(|x, y| x + y, values),
        Function::Mul => forward(|x, y| x * y, values),
        Function::Exp => forward(|x, _| x.exp(), values),
        Function::Tanh => forward(|x, _| x.tanh(), values),
        Function::Gelu => forward(|x, _| gelu(x), values),
        Function::Softmax => forward(|x, _| softmax(x, 1), values),
        Function::LayerNorm => forward(move |x, _| norm.forward(x), values),
        Function::Sum => forward(|x, _| x.sum(), values),
    }
}
