//! What the modules over sequences share.

use lexigrad_tensor::{Element, Mask, Result, Tensor, check_lengths};

/// The axes before the features, as errors name them.
pub(crate) fn axes(batch_first: bool) -> &'static str {
    if batch_first {
        "batch, length"
    } else {
        "length, batch"
    }
}

/// Checks the lengths of the sequences of an input.
pub(crate) fn check_input_lengths(
    name: &'static str,
    lengths: &[usize],
    batch: usize,
    longest: usize,
) -> Result<()> {
    check_lengths(name, ["input", "steps"], lengths, batch, longest)
}

/// `x: [batch, length, ..]`, or `[length, batch, ..]`, with zeros in the padding, so that not even an infinity there reaches a gradient.
pub(crate) fn without_padding<T: Element>(
    x: &Tensor<T>,
    lengths: &[usize],
    batch_first: bool,
) -> Result<Tensor<T>> {
    let (rows, columns) = (x.shape()[0], x.shape()[1]);
    let is_padding = |place: usize| match (place / columns, place % columns) {
        (row, time) if batch_first => time >= lengths[row],
        (time, row) => time >= lengths[row],
    };
    let places = (0..rows * columns).map(is_padding);
    let absent = Mask::new(places.collect(), [rows, columns, 1])?;
    x.masked_fill(&absent, T::zero())
}
