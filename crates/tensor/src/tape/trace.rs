//! What a tape keeps besides its records when it is asked to explain itself: where numbers left it, and what it knows of them.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use crate::error::Error;
use crate::leaf::ParamId;
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

/// The cuts of a tape, each with the record it was made at.
#[derive(Default)]
pub(super) struct Cuts {
    /// Element type, record, cut.
    pub(super) made: Vec<(&'static str, u32, Cut)>,
    pub(super) stale: Vec<StaleUse>,
}

/// A place where numbers left the tape, so that no gradient flows back from what was made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// What read them, such as `detach` or `argmax`.
    pub operation: &'static str,
    /// The shape of the tensor.
    pub shape: Shape,
    /// The line that did it.
    pub location: &'static Location<'static>,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} at {}",
            self.operation, self.shape, self.location
        )
    }
}

/// A use of a tensor that an older tape has recorded, where it is a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct StaleUse {
    /// The operation that took it.
    pub operation: &'static str,
    /// The shape of the tensor.
    pub shape: Shape,
}

impl fmt::Display for StaleUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} took a tensor {} of an older tape",
            self.operation, self.shape
        )
    }
}

/// What a tape remembers that checks its numbers.
#[derive(Default)]
pub(super) struct Finite {
    /// The path of each parameter of the model.
    pub(super) paths: BTreeMap<ParamId, String>,
    /// The operands of each record, by element type and index.
    pub(super) operands: BTreeMap<(&'static str, u32), String>,
    /// The first fault; a total operation cannot return it.
    pub(super) failure: Option<Error>,
}
