//! One pass of a rule over rows.

use lexigrad_tensor::{Element, Kernel, dispatch};

use crate::layout::RowLayout;
use crate::rule::Rule;

/// Moves rows of a parameter; `rows` are pairs of the entry in the gradient and the row it moves.
pub(crate) fn move_rows<R: Rule<T>, T: Element>(
    factors: &R::Factors,
    layout: &RowLayout,
    values: &mut [T],
    gradient: &[T],
    state: &mut [T],
    rows: impl Iterator<Item = (usize, usize)>,
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

struct MoveRows<'a, R: Rule<T>, T: Element, I> {
    factors: &'a R::Factors,
    layout: &'a RowLayout,
    values: &'a mut [T],
    gradient: &'a [T],
    state: &'a mut [T],
    rows: I,
}

impl<R: Rule<T>, T: Element, I: Iterator<Item = (usize, usize)>> Kernel for MoveRows<'_, R, T, I> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (entry, row) in self.rows {
            let value = &mut self.values[self.layout.value(row)];
            let gradient = &self.gradient[self.layout.value(entry)];
            let state = &mut self.state[self.layout.state(row)];
            R::update(self.factors, value, gradient, state);
        }
    }
}
