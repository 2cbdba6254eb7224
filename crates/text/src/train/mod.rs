//! Training by epochs: what is seen is written down, the best is kept, and a training that was stopped goes on.
//!
//! Each part can be had alone: a [`History`] is a table of numbers by epoch, [`Training`] hands out epochs to a `for` loop of
//! yours, and [`fit`] is that loop for the plain case.

mod checkpoint;
mod epoch;
mod fit;
mod history;
mod monitor;
mod training;

pub use crate::progress::Progress;
pub use epoch::Epoch;
pub use fit::fit;
pub use history::{History, Record};
pub use monitor::{Goal, Monitor};
pub use training::{Training, TrainingOptions};
