//! Records that are lent by a tape that lives on.

use super::record::{Computed, Indices, Record, Source};
use super::recording::with_lane;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::leaf::TapeId;

/// A record's operation, out of its tape while its gradient is computed, and back in it when dropped.
pub(super) struct Lent<T: Element> {
    tape: TapeId,
    index: u32,
    computed: Option<Computed<T>>,
}

/// The operation of a record that is no leaf.
///
/// # Errors
/// If its gradient is being computed already, and `is_needed` says that its inputs are needed.
pub(super) fn lend<T: Element>(
    tape: TapeId,
    index: u32,
    is_needed: impl Fn(&Indices) -> bool,
) -> Result<Option<Lent<T>>> {
    let lent = with_lane::<T, _>(tape, |lane| {
        let Record { shape, source } = &mut lane.records[index as usize];
        let inputs = match source {
            Source::Computed(Computed { inputs, .. }) if is_needed(inputs) => inputs.clone(),
            Source::Lent(inputs) if is_needed(inputs) => {
                let rule = "a hook can differentiate only what was computed before its tensor";
                let what = format!(
                    "the way back leads through a tensor of shape {shape} whose gradient is being computed; {rule}"
                );
                return Err(Error::other("grad", what));
            }
            _ => return Ok(None),
        };
        let Source::Computed(computed) = std::mem::replace(source, Source::Lent(inputs)) else {
            return Ok(None);
        };
        Ok(Some(Lent {
            tape,
            index,
            computed: Some(computed),
        }))
    });
    lent.unwrap_or(Ok(None))
}

impl<T: Element> Lent<T> {
    pub(super) fn computed(&self) -> Option<&Computed<T>> {
        self.computed.as_ref()
    }
}

impl<T: Element> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(computed) = self.computed.take() {
            with_lane::<T, _>(self.tape, |lane| {
                lane.records[self.index as usize].source = Source::Computed(computed);
            });
        }
    }
}
