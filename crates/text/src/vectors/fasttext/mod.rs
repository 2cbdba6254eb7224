//! Whole fastText models, `.bin`: a dictionary and the vectors of words and subwords.

mod cursor;
mod model;
mod subwords;

pub(super) use model::{MAGIC, read};
pub use subwords::Subwords;
