//! How good predictions are: means of losses, confusion, edit distance, BLEU, rank correlation.

mod classification;
mod correlation;
mod distance;
mod mean;

pub use classification::Confusion;
pub use correlation::{pearson, spearman};
pub use distance::{ErrorRate, bleu, edit_distance};
pub use mean::Mean;
