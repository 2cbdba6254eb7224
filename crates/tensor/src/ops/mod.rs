//! The differentiable operations, a family a file, forward and vector-Jacobian product side by side.
//!
//! G is the cotangent `dL/dy`. Everything here can be differentiated to any order; each has a row in the gradient table of the check
//! crate.
//!
//! | operation | formula | vjp | file |
//! |---|---|---|---|
//! | `add` `sub` `mul` `div` | x + y, x - y, x y, x / y | G and ±G, G y and G x, G / y and -G z / y | `binary.rs` |
//! | `maximum` `minimum` | max(x, y), min(x, y) | G to the one taken, halves if equal | `binary.rs` |
//! | `exp` `exp_m1` `ln` `ln_1p` `erf` `sin` `cos` | of each element | G f'(x) | `transcendental.rs` |
//! | `sqrt` `square` `recip` `powf` `abs` | of each element | G f'(x) | `unary.rs` |
//! | `clamp` | min(max(x, a), b) | G strictly between the bounds | `unary.rs` |
//! | `add_scalar` `mul_scalar` `neg` | x + c, c x, -x | G, c G, -G | `unary.rs` |
//! | `tanh` `sigmoid` `relu` `gelu` `gelu_tanh` `silu` `softplus` `log_sigmoid` `elu` `leaky_relu` | of each element | G f'(x) | `activation.rs` |
//! | `masked_fill` `where_mask` `tril` `triu` | a choice by mask | G where chosen | `select.rs` |
//! | `sum` `mean` | Σ x, Σ x / n | G repeated, G / n repeated | `reduce.rs` |
//! | `max` `min` | over axes | G shared by the winners | `reduce.rs` |
//! | `var` `std` | Σ (x - mean)² / (n - c), its root | composed | `reduce.rs` |
//! | `softmax` `log_softmax` `logsumexp` | e^x / Σ e^x, x - ln Σ e^x, ln Σ e^x | y (G - Σ G y), G - e^y Σ G, G softmax x | `softmax.rs` |
//! | `matmul` | A B | G Bᵀ, Aᵀ G | `matmul.rs` |
//! | `sampled_matmul` | elements of A Cᵀ | Σ G c by bag, Σ G a by id | `sampled.rs` |
//! | `linear` | x Wᵀ + b | G W, Gᵀ x, Σ G | `matmul.rs` |
//! | `outer` `bmm` | x yᵀ, A B | composed | `matmul.rs` |
//! | `einsum` | Σ Π x by index notation | composed | `einsum.rs` |
//! | `norm` | Σ \|x\|, √Σ x², max \|x\| | G x / y for the second | `norm.rs` |
//! | `cosine_similarity` | Σ a b / (‖a‖ ‖b‖) | composed | `norm.rs` |
//! | `reshape` `transpose` `permute` `expand` `sum_to` `squeeze` `unsqueeze` | the same elements | the way back | `shape.rs` |
//! | `narrow` `split` `chunk` `pad` `unfold` | parts of an axis, windows along it | narrow and pad, unfold and fold: each the other's | `windows.rs` |
//! | `cat` `stack` | one after another | G cut up | `join.rs` |
//! | `index_select` `gather` `scatter_add` `flip` `roll` `repeat` | elements by index along an axis | added back to where they stood | `index.rs` |
//! | `one_hot` | 1 at the id, 0 elsewhere | a constant | `ids.rs` |
//! | `cumsum` `sort` `topk` | sums so far, elements in order | sums from the end, G where the element stood | `order.rs` |
//! | `conv1d` | Σ W window | Σ G W at the windows, Σ G window | `convolution.rs` |
//! | `max_pool1d` `avg_pool1d` | of windows over time | composed | `convolution.rs` |
//! | `gather_rows` `scatter_rows` | table\[ids\], table\[ids\] += x | each the other's | `rows.rs` |
//! | `embedding` | table\[ids\] | row-sparse, without padding | `embedding.rs` |
//! | `embedding_bag` `embedding_bag_weighted` | Σ, mean, max of table\[ids\] by bag | row-sparse | `embedding_bag.rs` |
//! | `bag_sum` `segment_sum` `segment_mean` `segment_max` | Σ, mean, max of x by bag or id | G spread over the segment | `segments.rs` |
//! | `cross_entropy` | ln Σ e^x - x\[t\] | softmax x - onehot t | `cross_entropy.rs` |
//! | `rnn_sequence` `lstm_sequence` `gru_sequence` | h by steps over time | fused | `recurrent/` |
//! | `attention` `self_attention` `attention_with_weights` | softmax(s q kᵀ + b) v by heads | fused | `attention/` |
//! | `layer_norm` | (x - mean) / std w + b | fused | `layer_norm.rs` |
//! | `checkpoint` | f() | f again, and its gradient | `../tape/checkpoint.rs` |
//! | `map_gradient` `inspect_gradient` | x | f(G), whatever f is | `hooks.rs` |
//! | `dropout` | m x / (1 - p) | m G / (1 - p) | `dropout.rs` |

mod activation;
mod attention;
mod binary;
mod convolution;
mod cross_entropy;
mod dropout;
mod einsum;
mod elementwise;
mod embedding;
mod embedding_bag;
mod hooks;
mod index;
mod join;
mod layer_norm;
mod matmul;
mod norm;
mod order;
mod recurrent;
mod reduce;
pub(crate) mod rows;
mod sampled;
mod segments;
mod select;
mod shape;
mod softmax;
mod transcendental;
mod unary;
mod windows;

pub use attention::{
    AttentionMask, AttentionOptions, KEPT_WEIGHTS, attention, attention_with_weights,
    self_attention,
};
pub use convolution::{Conv1dOptions, PoolOptions, avg_pool1d, conv1d, max_pool1d};
pub use cross_entropy::{CrossEntropyOptions, Reduction, cross_entropy, cross_entropy_with};
pub use dropout::dropout;
pub use einsum::einsum;
pub use embedding::{EmbeddingOptions, embedding};
pub use embedding_bag::{BagMode, embedding_bag, embedding_bag_weighted};
pub use join::{cat, stack};
pub use layer_norm::layer_norm;
pub use matmul::linear;
pub use norm::{Norm, cosine_similarity};
pub use recurrent::{
    Nonlinearity, RecurrentWeights, Walk, gru_sequence, lstm_sequence, rnn_sequence,
};
pub use rows::{gather_rows, scatter_rows};
pub use sampled::sampled_matmul;
pub use segments::{bag_sum, segment_max, segment_mean, segment_sum};
pub use select::Mask;
