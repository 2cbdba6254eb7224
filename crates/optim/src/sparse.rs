//! One pass of a rule over the rows of a sparse gradient.

use lexigrad_kernels::{Kernel, ROWS_AHEAD, dispatch, is_worth_sharing, join, prefetch};
use lexigrad_tensor::{Element, RowSparse};

use crate::layout::RowLayout;
use crate::rule::{Rule, Runs};

/// A coalesced gradient was produced by one core, whose cache still holds its rows; splitting it across threads pays only for so many
/// times more work. The exact mode coalesces first, and is judged alike.
const NEARNESS: usize = 8;

/// Moves the rows of a gradient but `fixed`.
///
/// Rows are apart, so that threads can share them: the table is cut between two rows that move, into halves with as many.
pub(crate) fn move_rows_of<R: Rule<T>, T: Element>(
    gradient: &RowSparse<T>,
    factors: &R::Factors,
    layout: &RowLayout,
    values: &mut [T],
    state: &mut [T],
    fixed: Option<usize>,
) {
    let nearness = if gradient.is_coalesced() { NEARNESS } else { 1 };
    let gradient = gradient.coalesce();
    let rows = gradient.rows().as_slice();
    let step = Step::<R, T> {
        factors,
        layout,
        gradient: &gradient.values().values(),
        nearness,
    };
    let table = Part {
        first: 0,
        values,
        state: layout.split(state),
    };
    let moves = (0..).zip(rows).map(|(entry, &row)| Move { row, entry });
    let moves = moves.filter(|one| Some(one.row as usize) != fixed);
    if step.is_worth_sharing(rows.len()) {
        step.share(table, &mut moves.collect::<Vec<Move>>());
    } else {
        step.run(table, moves);
    }
}

/// A row that moves, and the row of the gradient that moves it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Move {
    row: u32,
    entry: u32,
}

/// The rows of a parameter from `first` on, up to some other, with their state.
struct Part<'a, T> {
    first: usize,
    values: &'a mut [T],
    state: Runs<'a, T>,
}

impl<T> Part<'_, T> {
    /// The rows before `row`, and those from it on.
    fn split_at(self, row: usize, layout: &RowLayout) -> (Self, Self) {
        let before = row - self.first;
        let (low, high) = self.values.split_at_mut(before * layout.dim);
        let runs = self.state.map(|run| {
            let end = (before * layout.width).min(run.len());
            run.split_at_mut(end)
        });
        let [a, b, c] = runs;
        let low = Part {
            first: self.first,
            values: low,
            state: [a.0, b.0, c.0],
        };
        let high = Part {
            first: row,
            values: high,
            state: [a.1, b.1, c.1],
        };
        (low, high)
    }
}

struct Step<'a, R: Rule<T>, T: Element> {
    factors: &'a R::Factors,
    layout: &'a RowLayout,
    gradient: &'a [T],
    nearness: usize,
}

impl<R: Rule<T>, T: Element> Step<'_, R, T> {
    /// Whether so many rows are worth a second thread, by the elements touched.
    fn is_worth_sharing(&self, rows: usize) -> bool {
        let RowLayout {
            dim, runs, width, ..
        } = *self.layout;
        is_worth_sharing(rows * (2 * dim + runs * width) / self.nearness)
    }

    fn share(&self, part: Part<'_, T>, moves: &mut [Move]) {
        if moves.len() < 2 || !self.is_worth_sharing(moves.len()) {
            return self.run(part, moves.iter().copied());
        }
        let half = moves.len() / 2;
        moves.select_nth_unstable(half);
        let (low_moves, high_moves) = moves.split_at_mut(half);
        let (low, high) = part.split_at(high_moves[0].row as usize, self.layout);
        join(
            || self.share(low, low_moves),
            || self.share(high, high_moves),
        );
    }

    fn run(&self, part: Part<'_, T>, moves: impl Iterator<Item = Move> + Clone) {
        dispatch(MoveEntries {
            step: self,
            part,
            moves,
        });
    }
}

struct MoveEntries<'a, R: Rule<T>, T: Element, I> {
    step: &'a Step<'a, R, T>,
    part: Part<'a, T>,
    moves: I,
}

impl<R: Rule<T>, T: Element, I: Iterator<Item = Move> + Clone> Kernel for MoveEntries<'_, R, T, I> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let &Step {
            factors,
            layout,
            gradient,
            ..
        } = self.step;
        let Part {
            first,
            values,
            mut state,
        } = self.part;
        let mut ahead = self.moves.clone().skip(ROWS_AHEAD);
        for Move { row, entry } in self.moves {
            if let Some(next) = ahead.next() {
                let next = next.row as usize - first;
                prefetch(&values[layout.values(next..next + 1)]);
                for run in layout.part(&mut state, next..next + 1) {
                    prefetch(run);
                }
            }
            let (row, entry) = (row as usize - first, entry as usize);
            let gradient = &gradient[layout.values(entry..entry + 1)];
            let values = &mut values[layout.values(row..row + 1)];
            let state = layout.part(&mut state, row..row + 1);
            R::update(factors, values, gradient, state);
        }
    }
}
