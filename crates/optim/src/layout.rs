//! How a parameter is cut into rows, and where the state of each stands.

use std::ops::Range;

use lexigrad_tensor::{Element, Shape};

use crate::rule::{Rule, Runs};

/// A matrix is cut into its rows; a vector or a number is one row.
///
/// State is kept in runs, each over all rows: so a dense step reads every run from one end to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowLayout {
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    pub(crate) runs: usize,
    /// How many numbers of a run belong to a row: dim, or 1.
    pub(crate) width: usize,
}

impl RowLayout {
    pub(crate) fn new(shape: &Shape) -> Self {
        let (rows, dim) = match shape[..] {
            [rows, ref row @ ..] if !row.is_empty() => (rows, row.iter().product()),
            _ => (1, shape.elements()),
        };
        Self {
            rows,
            dim,
            runs: 0,
            width: dim,
        }
    }

    /// With room for the state of a rule.
    pub(crate) fn with_state<R: Rule<T>, T: Element>(shape: &Shape, rule: &R) -> Self {
        let layout = Self::new(shape);
        Self {
            runs: rule.runs(),
            width: if R::BY_ROW { 1 } else { layout.dim },
            ..layout
        }
    }

    /// `[runs, rows, width]`
    pub(crate) fn state_shape(&self) -> [usize; 3] {
        [self.runs, self.rows, self.width]
    }

    /// Where rows stand in the parameter.
    #[inline(always)]
    pub(crate) fn values(&self, rows: Range<usize>) -> Range<usize> {
        rows.start * self.dim..rows.end * self.dim
    }

    /// The runs of a state.
    #[inline(always)]
    pub(crate) fn split<'a, T>(&self, state: &'a mut [T]) -> Runs<'a, T> {
        let length = self.rows * self.width;
        let mut rest = state;
        [(); 3].map(|()| {
            let end = length.min(rest.len());
            let (run, after) = std::mem::take(&mut rest).split_at_mut(end);
            rest = after;
            run
        })
    }

    /// What belongs to rows in each run.
    #[inline(always)]
    pub(crate) fn part<'a, T>(&self, runs: &'a mut Runs<'_, T>, rows: Range<usize>) -> Runs<'a, T> {
        let place = rows.start * self.width..rows.end * self.width;
        runs.each_mut().map(|run| match run.is_empty() {
            true => &mut [][..],
            false => &mut run[place.clone()],
        })
    }
}
