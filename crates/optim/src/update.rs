//! One pass of a rule over rows.

use std::ops::Range;

use lexigrad_tensor::{Element, Kernel, dispatch, prefetch};

use crate::layout::RowLayout;
use crate::rule::Rule;

/// How many rows ahead the memory is asked for them.
pub(crate) const ROWS_AHEAD: usize = 8;

/// Moves rows of a parameter; `rows` are the first of some entries in the gradient, and the rows that they move.
fn move_rows<R: Rule<T>, T: Element>(
    factors: &R::Factors,
    layout: &RowLayout,
    values: &mut [T],
    gradient: &[T],
    state: &mut [T],
    rows: impl Iterator<Item = (usize, Range<usize>)> + Clone,
) {
    dispatch(MoveRows::<R, T, _> {
        factors,
        layout,
        values,
        gradient,
        state,
        rows,
    });
}

/// Moves every row but `fixed` by a dense gradient: several at once if the rule allows.
pub(crate) fn move_all<R: Rule<T>, T: Element>(
    factors: &R::Factors,
    layout: &RowLayout,
    values: &mut [T],
    gradient: &[T],
    state: &mut [T],
    fixed: Option<usize>,
) {
    let (end, rest) = fixed.map_or((layout.rows, layout.rows), |row| (row, row + 1));
    let step = if R::BY_ROW { 1 } else { layout.rows.max(1) };
    let pieces = [0..end, rest..layout.rows].into_iter().flat_map(|piece| {
        let starts = piece.clone().step_by(step);
        starts.map(move |start| (start, start..(start + step).min(piece.end)))
    });
    move_rows::<R, T>(factors, layout, values, gradient, state, pieces);
}

struct MoveRows<'a, R: Rule<T>, T: Element, I> {
    factors: &'a R::Factors,
    layout: &'a RowLayout,
    values: &'a mut [T],
    gradient: &'a [T],
    state: &'a mut [T],
    rows: I,
}

impl<R: Rule<T>, T: Element, I> Kernel for MoveRows<'_, R, T, I>
where
    I: Iterator<Item = (usize, Range<usize>)> + Clone,
{
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let layout = self.layout;
        let mut state = layout.split(self.state);
        let mut ahead = self.rows.clone().skip(ROWS_AHEAD);
        for (entry, rows) in self.rows {
            if let Some((_, next)) = ahead.next()
                && next.len() == 1
            {
                prefetch(&self.values[layout.values(next.clone())]);
                for run in layout.part(&mut state, next) {
                    prefetch(run);
                }
            }
            let gradient = &self.gradient[layout.values(entry..entry + rows.len())];
            let values = &mut self.values[layout.values(rows.clone())];
            R::update(
                self.factors,
                values,
                gradient,
                layout.part(&mut state, rows),
            );
        }
    }
}
