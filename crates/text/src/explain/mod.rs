//! What a model's answer comes from, and where its words stand.

mod integrated_gradients;
mod projection;

pub use integrated_gradients::{Attribution, IntegratedGradients};
pub use projection::{Projection, TsneOptions, pca, tsne};
