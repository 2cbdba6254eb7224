//! Losses, as functions and as modules that hold the options.

pub(crate) mod bce_with_logits;
pub(crate) mod cross_entropy;
pub(crate) mod mse;

use lexigrad_tensor::{Element, Reduction, Tensor};

/// The losses of the elements, as one number if asked for.
fn reduce<T: Element>(losses: Tensor<T>, reduction: Reduction) -> Tensor<T> {
    match reduction {
        Reduction::None => losses,
        Reduction::Mean => losses.mean(),
        Reduction::Sum => losses.sum(),
    }
}
