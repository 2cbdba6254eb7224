//! What the modules over sequences share.

use lexigrad_tensor::{Error, Result};

/// The axes before the features, as errors name them.
pub(crate) fn axes(batch_first: bool) -> &'static str {
    if batch_first {
        "batch, length"
    } else {
        "length, batch"
    }
}

/// Checks that there is a length for each of `batch` sequences, none beyond the `longest`.
pub(crate) fn check_lengths(
    name: &'static str,
    lengths: &[usize],
    batch: usize,
    longest: usize,
) -> Result<()> {
    check_lengths_of(name, "input", "steps", lengths, batch, longest)
}

/// [`check_lengths`] of what an `owner` holds.
pub(crate) fn check_lengths_of(
    name: &'static str,
    owner: &str,
    elements: &str,
    lengths: &[usize],
    batch: usize,
    longest: usize,
) -> Result<()> {
    if lengths.len() != batch {
        let message = format!("{} lengths for {batch} sequences", lengths.len());
        return Err(Error::other(name, message));
    }
    match lengths.iter().position(|&length| length > longest) {
        Some(row) => {
            let length = lengths[row];
            let rule = format!("lengths are at most the {owner}'s {longest} {elements}");
            let message = format!("length {length} at [{row}] is beyond the {owner}; {rule}");
            Err(Error::other(name, message))
        }
        None => Ok(()),
    }
}
