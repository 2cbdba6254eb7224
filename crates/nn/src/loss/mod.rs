//! Losses, as functions and as modules that hold the options.

pub(crate) mod absolute;
pub(crate) mod bce_with_logits;
pub(crate) mod cross_entropy;
pub(crate) mod ctc;
pub(crate) mod divergence;
pub(crate) mod margin;
pub(crate) mod mse;
pub(crate) mod multi_label;
pub(crate) mod nll;
pub(crate) mod similarity;

use lexigrad_tensor::{Element, Error, Reduction, Result, Tensor};

/// The losses of the elements, as one number if asked for.
fn reduce<T: Element>(losses: Tensor<T>, reduction: Reduction) -> Tensor<T> {
    match reduction {
        Reduction::None => losses,
        Reduction::Mean => losses.mean(),
        Reduction::Sum => losses.sum(),
    }
}

fn check_same_shape<T: Element>(name: &'static str, x: &Tensor<T>, y: &Tensor<T>) -> Result<()> {
    if x.shape() == y.shape() {
        return Ok(());
    }
    let rule = format!("it must have the target's shape, {}", y.shape());
    Err(Error::shape(name, "the input", x.shape(), rule))
}
