//! The differentiable operations, a family a file, forward and vector-Jacobian product side by side.
//!
//! G is the cotangent `dL/dy`. Everything here can be differentiated to any order; every row has a row in the gradient table of
//! `tests/gradients.rs`.
//!
//! | operation | formula | vjp | file |
//! |---|---|---|---|
//! | `add` `sub` `mul` `div` | x + y, x - y, x y, x / y | G and ±G, G y and G x, G / y and -G z / y | `binary.rs` |
//! | `maximum` `minimum` | max(x, y), min(x, y) | G to the one taken, halves if equal | `binary.rs` |
//! | `exp` `ln` `sqrt` `square` `recip` `powf` `abs` `erf` | of each element | G f'(x) | `unary.rs` |
//! | `clamp` | min(max(x, a), b) | G strictly between the bounds | `unary.rs` |
//! | `add_scalar` `mul_scalar` `neg` | x + c, c x, -x | G, c G, -G | `unary.rs` |
//! | `tanh` `sigmoid` `relu` `gelu` `gelu_tanh` `silu` `softplus` | of each element | G f'(x) | `activation.rs` |
//! | `masked_fill` `where_mask` | a choice by mask | G where chosen | `select.rs` |
//! | `sum` `mean` | Σ x, Σ x / n | G repeated, G / n repeated | `reduce.rs` |
//! | `max` `min` | over axes | G shared by the winners | `reduce.rs` |
//! | `var` | Σ (x - mean)² / (n - c) | composed | `reduce.rs` |
//! | `softmax` `log_softmax` `logsumexp` | e^x / Σ e^x, x - ln Σ e^x, ln Σ e^x | y (G - Σ G y), G - e^y Σ G, G softmax x | `softmax.rs` |
//! | `matmul` | A B | G Bᵀ, Aᵀ G | `matmul.rs` |
//! | `linear` | x Wᵀ + b | G W, Gᵀ x, Σ G | `matmul.rs` |
//! | `reshape` `transpose` `permute` `expand` `narrow` `squeeze` `unsqueeze` | the same elements | the way back | `shape.rs` |
//! | `cat` `stack` | one after another | G cut up | `join.rs` |
//! | `gather_rows` `scatter_rows` | table\[ids\], table\[ids\] += x | each the other's | `rows.rs` |
//! | `embedding` | table\[ids\] | row-sparse, without padding | `embedding.rs` |
//! | `embedding_bag` `embedding_bag_weighted` | Σ, mean, max of table\[ids\] by bag | row-sparse | `embedding_bag.rs` |
//! | `segment_sum` | Σ x by bag | G spread over the bag | `segments.rs` |
//! | `cross_entropy` | ln Σ e^x - x\[t\] | softmax x - onehot t | `cross_entropy.rs` |
//! | `layer_norm` | (x - mean) / std w + b | fused | `layer_norm.rs` |
//! | `dropout` | m x / (1 - p) | m G / (1 - p) | `dropout.rs` |

mod activation;
mod binary;
mod cross_entropy;
mod dropout;
mod elementwise;
mod embedding;
mod embedding_bag;
mod join;
mod layer_norm;
mod matmul;
mod reduce;
pub(crate) mod rows;
mod segments;
mod select;
mod shape;
mod softmax;
mod unary;

pub use cross_entropy::{CrossEntropyOptions, Reduction, cross_entropy, cross_entropy_with};
pub use dropout::dropout;
pub use embedding::{EmbeddingOptions, embedding};
pub use embedding_bag::{BagMode, embedding_bag, embedding_bag_weighted};
pub use join::{cat, stack};
pub use layer_norm::layer_norm;
pub use matmul::linear;
pub use rows::{gather_rows, scatter_rows};
pub use segments::segment_sum;
pub use select::Mask;
