//! From a file of sentences to a trained model that its user understands.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

pub mod batch;
mod coverage;
pub mod decode;
mod error;
pub mod explain;
mod file;
mod foreign;
pub mod metrics;
mod object;
mod progress;
pub mod read;
pub mod report;
mod save;
mod statistics;
mod tokenize;
pub mod train;
pub mod usage;
pub mod validate;
pub mod vectors;
mod vocab;

pub use coverage::Coverage;
pub use error::{Error, Place, Result};
#[cfg(feature = "tokenizers")]
pub use tokenize::PretrainedTokenizer;
pub use tokenize::{HashedFeatures, WordOptions, characters, words};
pub use vocab::{Vocab, VocabOptions};
