//! What a tape keeps besides its records when it is asked to explain itself.

use super::cuts::{Cuts, StaleUse};
use super::finite::Finite;
use crate::shape::Shape;

#[derive(Default)]
pub(super) struct Trace {
    pub(super) cuts: Option<Cuts>,
    pub(super) finite: Option<Finite>,
}

impl Trace {
    pub(super) fn note_stale(&mut self, operation: &'static str, shape: &Shape) {
        let shape = shape.clone();
        let stale = StaleUse { operation, shape };
        if let Some(cuts) = self
            .cuts
            .as_mut()
            .filter(|cuts| !cuts.stale.contains(&stale))
        {
            cuts.stale.push(stale);
        }
    }
}
