//! Attention: the layer in `multihead.rs`, what it keeps of earlier positions in `cache.rs`. The function is an operation of the tensor
//! crate.

mod cache;
mod multihead;

pub use cache::KeyValueCache;
pub use multihead::{InProjection, MultiheadAttention, MultiheadAttentionConfig};
