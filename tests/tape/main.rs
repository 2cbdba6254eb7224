//! What a tape promises: who records, when it ends, and what becomes of a tensor that outlives it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod checkpoint;
mod differentiation;
mod gradients;
mod lifetime;
mod modes;
mod nesting;
mod threads;
mod tracing;
mod transforms;

use lexigrad::tensor::{Gradients, Param, Tensor};

fn param<const N: usize>(values: [f32; N]) -> Param {
    Param::new(Tensor::new(values))
}

fn gradient(gradients: &Gradients, param: &Param) -> Vec<f32> {
    gradients.dense(param).unwrap().unwrap().to_vec()
}

fn gradient_of(gradients: &Gradients, watched: &Tensor) -> Vec<f32> {
    gradients.of(watched).unwrap().to_dense().unwrap().to_vec()
}
