//! How good predictions are: means of losses, confusion, edit distance, BLEU, rank correlation.

mod distance;

pub use crate::statistics::{Confusion, Mean, pearson, spearman};
pub use distance::{ErrorRate, bleu, edit_distance};
