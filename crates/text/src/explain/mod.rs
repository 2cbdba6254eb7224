//! What a model's answer comes from, and where its words stand.

mod integrated_gradients;
mod projection;
#[cfg(feature = "report")]
mod tsne;

pub use integrated_gradients::{Attribution, IntegratedGradients};
pub use projection::{Projection, pca};
#[cfg(feature = "report")]
pub use tsne::{TsneOptions, tsne};
