//! How long each sequence of a padded batch is.

use crate::error::{Error, Result};

/// Whether there is a length for each of `batch` sequences, none beyond the `longest`; the error says of what, such as the
/// `["input", "steps"]`.
///
/// ```
/// use lexigrad_tensor::check_lengths;
/// let error = check_lengths("lstm", ["input", "steps"], &[4, 9], 2, 5).unwrap_err();
/// assert_eq!(error.to_string(), "lstm: length 9 at [1] is beyond the input; lengths are at most the input's 5 steps");
/// ```
///
/// # Errors
/// If there is another number of lengths, or one is too long.
pub fn check_lengths(
    operation: &'static str,
    [owner, elements]: [&str; 2],
    lengths: &[usize],
    batch: usize,
    longest: usize,
) -> Result<()> {
    if lengths.len() != batch {
        let message = format!("{} lengths for {batch} sequences", lengths.len());
        return Err(Error::other(operation, message));
    }
    match lengths.iter().position(|&length| length > longest) {
        Some(row) => {
            let length = lengths[row];
            let rule = format!("lengths are at most the {owner}'s {longest} {elements}");
            let message = format!("length {length} at [{row}] is beyond the {owner}; {rule}");
            Err(Error::other(operation, message))
        }
        None => Ok(()),
    }
}
