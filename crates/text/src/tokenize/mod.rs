//! Text cut into tokens: words, characters, or what a `tokenizer.json` says.

mod characters;
#[cfg(feature = "tokenizers")]
mod pretrained;
mod words;

pub use characters::characters;
#[cfg(feature = "tokenizers")]
pub use pretrained::PretrainedTokenizer;
pub use words::{WordOptions, words};
