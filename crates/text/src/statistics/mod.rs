//! Means, correlations and confusions, for every part that counts; [`metrics`](crate::metrics) offers them.

mod confusion;
mod correlation;
mod mean;

pub use confusion::Confusion;
pub use correlation::{pearson, spearman};
pub use mean::Mean;
