//! The example, as it is.

#[path = "../../../../examples/word2vec/model.rs"]
pub mod model;
#[path = "../../../../examples/word2vec/train.rs"]
pub mod train;
