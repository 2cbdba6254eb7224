//! Output layers for large vocabularies: a training step costs what the sampled or visited rows cost, never the vocabulary.

mod adaptive_softmax;
mod alias;
mod hierarchical_softmax;
mod negative_sampling;
mod sampled_softmax;
mod shared_negatives;

pub use adaptive_softmax::{AdaptiveSoftmax, AdaptiveSoftmaxConfig};
pub use alias::AliasTable;
pub use hierarchical_softmax::HierarchicalSoftmax;
pub use negative_sampling::{NegativeSampling, NegativeSamplingConfig};
pub use sampled_softmax::{SampledSoftmax, SampledSoftmaxConfig};
pub use shared_negatives::{SharedNegatives, SharedNegativesConfig};

use lexigrad_tensor::{
    Element, EmbeddingOptions, Error, Ids, Param, Result, Tensor, dropout_seed, embedding,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Randomness from the tape of this step; the same each time where there is none, so that an evaluation can be repeated.
fn step_rng() -> StdRng {
    StdRng::seed_from_u64(dropout_seed().unwrap_or(0))
}

/// Draws words by `count^power`; a word without a count is never drawn.
fn noise_table(counts: &[u64], power: f64) -> Result<AliasTable> {
    let weigh = |&count: &u64| {
        if count == 0 {
            0.0
        } else {
            (count as f64).powf(power)
        }
    };
    let weights: Vec<f64> = counts.iter().map(weigh).collect();
    AliasTable::new(&weights)
}

/// V and D of a table.
fn table_sizes<T: Element>(operation: &'static str, table: &Param<T>) -> Result<[usize; 2]> {
    let (shape, rule) = (table.shape(), "it must be [V, D]");
    let sizes = shape[..].try_into();
    sizes.map_err(|_| Error::shape(operation, "the table", &shape, rule))
}

/// The rows of a table for these ids, `[.., D]`.
fn look_up<T: Element>(operation: &'static str, table: &Param<T>, ids: &Ids) -> Result<Tensor<T>> {
    let read = table.rows(operation, ids)?;
    embedding(&read, ids, &EmbeddingOptions::default())
}

/// Checks `hidden: [B, D]` with `targets: [B]`, and gives B.
fn check_batch<T: Element>(
    operation: &'static str,
    hidden: &Tensor<T>,
    targets: &Ids,
    dim: usize,
    classes: usize,
) -> Result<usize> {
    targets.check_targets(operation, classes)?;
    let [batch] = targets.shape()[..] else {
        let rule = "they must have one axis";
        return Err(Error::shape(
            operation,
            "the targets",
            targets.shape(),
            rule,
        ));
    };
    if *hidden.shape() != [batch, dim] {
        let rule = format!("it must be [{batch}, {dim}], one row for each target");
        return Err(Error::shape(operation, "the input", hidden.shape(), rule));
    }
    Ok(batch)
}
