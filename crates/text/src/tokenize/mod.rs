//! Text cut into tokens: words, characters, or what a `tokenizer.json` says.

mod characters;
#[cfg(feature = "tokenizers")]
mod guard;
mod hashed;
#[cfg(feature = "tokenizers")]
mod outline;
#[cfg(feature = "tokenizers")]
mod pretrained;
mod words;

pub use characters::characters;
pub use hashed::HashedFeatures;
#[cfg(feature = "tokenizers")]
pub use pretrained::PretrainedTokenizer;
pub use words::{WordOptions, words};
