//! One time through the training examples.

use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::history::Record;
use crate::progress::Progress;

/// One time through the training examples: its number, its randomness, and what was seen in it.
#[derive(Debug)]
pub struct Epoch {
    index: usize,
    epochs: usize,
    seed: u64,
    started: Instant,
    metrics: Vec<(String, f64)>,
    shows_progress: bool,
    is_last: bool,
}

impl Epoch {
    pub(super) fn new(index: usize, epochs: usize, seed: u64, shows_progress: bool) -> Self {
        Self {
            index,
            epochs,
            seed,
            started: Instant::now(),
            metrics: Vec::new(),
            shows_progress,
            is_last: false,
        }
    }

    /// Which epoch this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The generator of this epoch, at its start: it follows from the training's seed and the epoch's number alone.
    pub fn rng(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// The same items, with a progress bar for them if the training shows one.
    pub fn progress<I: IntoIterator>(&self, items: I) -> Progress<I::IntoIter> {
        let label = format!("epoch {}/{}", self.index + 1, self.epochs);
        Progress::new(items.into_iter(), &label, self.shows_progress)
    }

    /// Writes a number down; under a name that has one already, in its place.
    pub fn record(&mut self, name: &str, value: impl Into<f64>) {
        let value = value.into();
        match self.metrics.iter_mut().find(|(metric, _)| metric == name) {
            Some((_, old)) => *old = value,
            None => self.metrics.push((name.to_owned(), value)),
        }
    }

    /// What was written down, in order.
    pub fn metrics(&self) -> &[(String, f64)] {
        &self.metrics
    }

    /// Ends the training after this epoch.
    pub fn stop(&mut self) {
        self.is_last = true;
    }

    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    pub(super) fn into_record(self) -> Record {
        Record {
            seconds: self.started.elapsed().as_secs_f64(),
            metrics: self.metrics,
        }
    }
}
