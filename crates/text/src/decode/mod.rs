//! Sequences out of a model that says what comes next: the most likely one, or one drawn.

mod beam;
mod sample;

pub use beam::{BeamOptions, Hypothesis, beam_search};
pub use sample::{SampleOptions, sample};
