//! How a parameter is cut into rows, and where the state of each stands.

use std::ops::Range;

use lexigrad_tensor::Shape;

/// A matrix is cut into its rows; a vector or a number is one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLayout {
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    /// How many numbers of state a row has.
    pub(crate) state_size: usize,
}

impl RowLayout {
    pub(crate) fn new(shape: &Shape, state_size: impl Fn(usize) -> usize) -> Self {
        let (rows, dim) = match shape[..] {
            [rows, ref row @ ..] if !row.is_empty() => (rows, row.iter().product()),
            _ => (1, shape.elements()),
        };
        Self {
            rows,
            dim,
            state_size: state_size(dim),
        }
    }

    /// Where a row stands in the parameter.
    #[inline(always)]
    pub(crate) fn value(&self, row: usize) -> Range<usize> {
        row * self.dim..(row + 1) * self.dim
    }

    /// Where the state of a row stands.
    #[inline(always)]
    pub(crate) fn state(&self, row: usize) -> Range<usize> {
        row * self.state_size..(row + 1) * self.state_size
    }
}
