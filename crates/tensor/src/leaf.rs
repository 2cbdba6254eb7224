//! What identifies a parameter, a tape and a tensor on it, and so what a gradient belongs to.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a parameter for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(u64);

impl ParamId {
    /// The next parameter of any thread.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Identifies a tape for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TapeId(NonZeroU64);

impl TapeId {
    /// The tape before which so many were started.
    pub(crate) fn nth(before: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(before))
    }

    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }
}

/// A tensor's place: the record on the tape that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId {
    pub(crate) tape: TapeId,
    pub(crate) index: u32,
}

/// Stands for a tensor that was computed from one on the tape, but on another thread, where it was not recorded.
const LOST: u32 = u32::MAX;

impl NodeId {
    /// The mark of what was computed from this tensor on another thread.
    pub(crate) fn lost(self) -> Self {
        Self {
            index: LOST,
            ..self
        }
    }

    pub(crate) fn is_lost(self) -> bool {
        self.index == LOST
    }
}

/// What a gradient belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaf {
    Param(ParamId),
    Watched(NodeId),
}
