//! What a user of pretrained vectors relies on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod embedding;
mod formats;
mod geometry;
mod overlay;
mod peers;
mod prefixes;
mod refusals;
mod support;
mod writing;
