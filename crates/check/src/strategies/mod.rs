//! proptest strategies: shapes that belong together, tensors by the domain of an operation, tables with ids, lengths with masks.
//!
//! Related values are drawn together, and all shrink to small shapes and round numbers.

mod ids;
mod shapes;
mod tensors;

pub use ids::{
    ids_of, lengths_with_mask, logits_with_ignored_targets, logits_with_targets, padded_ids,
    table_with_bags, table_with_ids,
};
pub use shapes::{broadcast_pair, matmul_shapes, matmul_sizes, shape};
pub use tensors::{Domain, tensor, well_conditioned};
