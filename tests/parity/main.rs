//! The same numbers as PyTorch: every recorded case, in f64 to 1e-10 (optimizers 1e-12) and the layers in f32 to 1e-5.
//!
//! The JSON files beside this one were written by `record.py`; its README says how.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod case;
mod layers;
mod losses;
mod models;
mod module;
mod modules;
mod operations;
mod optimizers;
mod schedules;
mod sequence;
mod table;
