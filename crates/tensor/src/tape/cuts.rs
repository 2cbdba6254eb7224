//! Where the path from a parameter to the loss was cut, for parameters that got no gradient.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;

use super::record::{Record, Source};
use super::recording;
use super::thread;
use super::trace::{Cut, StaleUse};
use crate::element::Element;
use crate::leaf::{Leaf, ParamId, TapeId};
use crate::tensor::Tensor;

/// Why a parameter got no gradient.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MissingReason {
    /// The tape did not [record cuts](crate::Tape::record_cuts).
    NotTraced,
    /// It was not read while the tape recorded; if tensors of older tapes were used, one of them may hold it.
    NotRead(Vec<StaleUse>),
    /// What was computed from it left the tape.
    Cut(Vec<Cut>),
    /// It was read, but nothing computed from it is part of the loss.
    Unused,
}

/// A parameter that wants a gradient and got none.
#[derive(Clone, Debug, PartialEq)]
pub struct MissingGradient {
    /// Its path in the model.
    pub path: String,
    /// Why.
    pub reason: MissingReason,
}

impl fmt::Display for MissingGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |places: Vec<String>| places.join("; ");
        write!(f, "{}", self.path)?;
        match &self.reason {
            MissingReason::NotTraced => Ok(()),
            MissingReason::NotRead(stale) if stale.is_empty() => {
                write!(f, ": not read while the tape recorded")
            }
            MissingReason::NotRead(stale) => {
                let places = joined(stale.iter().map(StaleUse::to_string).collect());
                write!(f, ": not read while the tape recorded ({places})")
            }
            MissingReason::Cut(cuts) => {
                let places = joined(cuts.iter().map(Cut::to_string).collect());
                write!(f, ": its path is cut by {places}")
            }
            MissingReason::Unused => {
                write!(f, ": nothing computed from it is part of the loss")
            }
        }
    }
}

/// Notes that `operation` reads the numbers of a tensor on the tape that records.
#[track_caller]
pub(crate) fn note_cut<T: Element>(operation: &'static str, tensor: &Tensor<T>) {
    let location = Location::caller();
    let (Some(current), Some(node)) = (thread::current(), tensor.node()) else {
        return;
    };
    if !current.traced || current.tape != node.tape {
        return;
    }
    thread::with_current(|recording| {
        let trace = recording.trace.as_mut();
        if let Some(cuts) = trace.and_then(|trace| trace.cuts.as_mut()) {
            let shape = tensor.shape().clone();
            let cut = Cut {
                operation,
                shape,
                location,
            };
            cuts.made.push((T::NAME, node.index, cut));
        }
    });
}

/// What is known of the ways from the parameters, after a pass forward.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    read: BTreeSet<ParamId>,
    cuts: BTreeMap<ParamId, Vec<Cut>>,
    stale: Vec<StaleUse>,
}

impl Paths {
    pub(crate) fn reason(&self, param: ParamId) -> MissingReason {
        match self.cuts.get(&param) {
            Some(cuts) => MissingReason::Cut(cuts.clone()),
            None if self.read.contains(&param) => MissingReason::Unused,
            None => MissingReason::NotRead(self.stale.clone()),
        }
    }
}

/// The paths of a tape that records cuts.
pub(super) fn paths<T: Element>(tape: TapeId) -> Option<Paths> {
    let cuts = thread::with_recording(tape, |recording| recording.trace.as_mut()?.cuts.take())??;
    Some(recording::look::<T, Paths>(tape, |records| {
        let mut paths = Paths {
            read: params(records, |_| true),
            cuts: BTreeMap::new(),
            stale: cuts.stale,
        };
        for (element, index, cut) in cuts.made {
            if element == T::NAME {
                let before = upstream(records, index as usize);
                for param in params(records, |index| before[index]) {
                    paths.cuts.entry(param).or_default().push(cut.clone());
                }
            }
        }
        paths
    }))
}

/// The parameters whose leaf is among the records that `wanted` names.
fn params<T: Element>(records: &[Record<T>], wanted: impl Fn(usize) -> bool) -> BTreeSet<ParamId> {
    let leaves = records
        .iter()
        .enumerate()
        .filter(|(index, _)| wanted(*index));
    let params = leaves.filter_map(|(_, record)| match record.source {
        Source::Leaf(Leaf::Param(param)) => Some(param),
        _ => None,
    });
    params.collect()
}

/// For each record whether record `index` was computed from it.
fn upstream<T: Element>(records: &[Record<T>], index: usize) -> Vec<bool> {
    let mut before = vec![false; records.len()];
    before[index] = true;
    for place in (0..=index).rev() {
        if let (true, Source::Computed(computed)) = (before[place], &records[place].source) {
            computed
                .recorded_inputs()
                .for_each(|input| before[input] = true);
        }
    }
    before
}
