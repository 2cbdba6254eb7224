//! Products and functions of a whole tensor, without a tape.

use std::error::Error;
use std::path::Path;

use lexigrad::prelude::*;

use crate::case::{Function, Layout, ROW};
use crate::protocol::Step;

type Loaded = std::result::Result<Step, Box<dyn Error>>;

fn operands(file: &Path) -> std::result::Result<(Tensor, Tensor), Box<dyn Error>> {
    let state = StateDict::<f32>::load(file)?;
    let get = |name: &str| state.get(name).cloned().ok_or(format!("no {name}"));
    Ok((get("x")?, get("y")?))
}

/// A step that computes a tensor, and gives its first number.
fn forward(compute: impl Fn() -> Result<Tensor> + 'static) -> Loaded {
    Ok(Box::new(move || {
        let first = compute().map(|y| f64::from(y.values()[0]));
        first.unwrap_or(f64::NAN)
    }))
}

pub fn gemm(layout: Layout, file: &Path) -> Loaded {
    let (x, y) = operands(file)?;
    let (x, y) = match layout {
        Layout::Nn => (x, y),
        Layout::Nt => (x, y.transpose(0, 1)?),
        Layout::Tn => (x.transpose(0, 1)?, y),
    };
    forward(move || x.matmul(&y))
}

pub fn elementwise(function: Function, file: &Path) -> Loaded {
    let (x, y) = operands(file)?;
    let norm = LayerNorm::new(ROW);
    forward(move || match function {
        Function::Add => x.add(&y),
        Function::Mul => x.mul(&y),
        Function::Exp => Ok(x.exp()),
        Function::Tanh => Ok(x.tanh()),
        Function::Gelu => Ok(x.gelu()),
        Function::Softmax => x.softmax(-1),
        Function::LayerNorm => norm.forward(&x),
        Function::Sum => Ok(x.sum()),
    })
}
