//! The rows of one table, some of which are behind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lexigrad_kernels::{Kernel, ROWS_AHEAD, dispatch, prefetch};
use lexigrad_tensor::{Buffer, Deferred, Element, Ids, RowSparse, Tensor};

use crate::behind::Behind;
use crate::dense::move_all;
use crate::layout::RowLayout;
use crate::rule::{Missed, Rule};
use crate::sparse::move_rows_of;

/// From so many missed steps on, all rows are caught up at once, unless the table has more rows than that: so that what is
/// remembered of steps takes no more room than a number a row, and catching up costs no more than a row a step.
const LEAST_STEPS_KEPT: usize = 1024;

/// Rows that are brought up to date when they are looked at.
pub(crate) struct ExactRows<R: Rule<T>, T: Element> {
    layout: RowLayout,
    state: Buffer<T>,
    debts: Mutex<Debts<R, T>>,
}

struct Debts<R: Rule<T>, T: Element> {
    rule: R,
    missed: R::Missed,
    /// Which rows have not had all the missed steps.
    behind: Behind,
    fixed_row: Option<usize>,
}

impl<R: Rule<T>, T: Element> ExactRows<R, T> {
    pub(crate) fn new(rule: R, layout: RowLayout, state: Buffer<T>) -> Arc<Self> {
        let debts = Mutex::new(Debts {
            missed: R::Missed::new(&rule),
            rule,
            behind: Behind::new(layout.rows),
            fixed_row: None,
        });
        Arc::new(Self {
            layout,
            state,
            debts,
        })
    }

    /// Moves every row of the table `values`.
    pub(crate) fn step_all(
        &self,
        factors: &R::Factors,
        gradient: &Tensor<T>,
        fixed_row: Option<usize>,
        values: &mut [T],
    ) {
        let mut debts = self.debts();
        debts.fixed_row = fixed_row;
        self.state.update(|state| {
            debts.settle(&self.layout, values, state);
            let numbers = gradient.values();
            move_all::<R, T>(factors, &self.layout, values, &numbers, state, fixed_row);
        });
    }

    /// Moves the rows of a coalesced gradient; the others have missed this step.
    pub(crate) fn step_rows(
        &self,
        factors: &R::Factors,
        gradient: &RowSparse<T>,
        fixed_row: Option<usize>,
        values: &mut [T],
    ) {
        let mut debts = self.debts();
        debts.fixed_row = fixed_row;
        let touched = gradient.rows().as_slice();
        self.state.update(|state| {
            debts.catch_up(
                &self.layout,
                values,
                state,
                touched.iter().map(|&row| row as usize),
            );
            move_rows_of::<R, T>(gradient, factors, &self.layout, values, state, fixed_row);
            debts.missed.push(factors);
            let steps = debts.missed.len() as u32;
            for &row in touched {
                debts.behind.catch_up(row as usize, steps);
            }
            if debts.missed.len() >= self.layout.rows.max(LEAST_STEPS_KEPT) {
                debts.settle(&self.layout, values, state);
            }
        });
    }

    fn debts(&self) -> MutexGuard<'_, Debts<R, T>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Rule<T>, T: Element> Debts<R, T> {
    /// Brings every row up to date and forgets the steps.
    fn settle(&mut self, layout: &RowLayout, values: &mut [T], state: &mut [T]) {
        if !self.missed.is_empty() {
            self.catch_up(layout, values, state, 0..layout.rows);
            self.missed.clear();
            self.behind.fill(0);
        }
    }

    fn catch_up(
        &mut self,
        layout: &RowLayout,
        values: &mut [T],
        state: &mut [T],
        rows: impl Iterator<Item = usize> + Clone,
    ) {
        dispatch(CatchUp {
            debts: self,
            layout,
            values,
            state,
            rows,
        });
    }
}

impl<R: Rule<T>, T: Element> Deferred<T> for ExactRows<R, T> {
    fn is_behind(&self, rows: Option<&Ids>) -> bool {
        let debts = self.debts();
        debts.behind.any(rows, debts.missed.len() as u32)
    }

    fn catch_up(&self, rows: Option<&Ids>, values: &mut [T]) {
        let mut debts = self.debts();
        self.state.update(|state| match rows {
            None => debts.settle(&self.layout, values, state),
            Some(rows) => {
                let rows = rows.as_slice().iter().map(|&row| row as usize);
                debts.catch_up(&self.layout, values, state, rows);
            }
        });
    }
}

/// Gives rows the steps they missed.
struct CatchUp<'a, R: Rule<T>, T: Element, I> {
    debts: &'a mut Debts<R, T>,
    layout: &'a RowLayout,
    values: &'a mut [T],
    state: &'a mut [T],
    rows: I,
}

impl<R: Rule<T>, T: Element, I: Iterator<Item = usize> + Clone> Kernel for CatchUp<'_, R, T, I> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Debts {
            rule,
            missed,
            behind,
            fixed_row,
        } = self.debts;
        let steps = missed.len() as u32;
        let mut runs = self.layout.split(self.state);
        let mut ahead = self.rows.clone().skip(ROWS_AHEAD);
        for row in self.rows {
            if let Some(next) = ahead.next()
                && behind.is_behind(next, steps)
            {
                prefetch(&self.values[self.layout.values(next..next + 1)]);
                for run in self.layout.part(&mut runs, next..next + 1) {
                    prefetch(run);
                }
            }
            if let Some(had) = behind.catch_up(row, steps)
                && Some(row) != *fixed_row
            {
                let value = &mut self.values[self.layout.values(row..row + 1)];
                let state = self.layout.part(&mut runs, row..row + 1);
                missed.replay(rule, had as usize, value, state);
            }
        }
    }
}
