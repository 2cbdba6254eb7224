//! Files that break the rules of their formats, or only seem to: what must happen to each.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod texts;
#[cfg(feature = "tokenizers")]
mod tokenizers;
mod vectors;
mod words;
