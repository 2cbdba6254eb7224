//! Attention: the function in `scaled_dot_product.rs`, the layer in `multihead.rs`, what a decoder remembers in `cache.rs`, who
//! may look where in `mask.rs`.

mod cache;
mod mask;
mod multihead;
mod scaled_dot_product;

pub use cache::KeyValueCache;
pub use mask::AttentionMask;
pub use multihead::{InProjection, MultiheadAttention, MultiheadAttentionConfig};
pub use scaled_dot_product::{AttentionOptions, attention_weights, scaled_dot_product_attention};
