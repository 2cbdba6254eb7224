//! Which rows of a table are behind, since they move only when somebody looks at them.

use lexigrad_tensor::Ids;

/// How many of the steps that are remembered each row has had.
#[derive(Debug)]
pub(crate) struct Behind {
    had: Vec<u32>,
}

impl Behind {
    /// No row has had a step.
    ///
    /// # Panics
    /// If there is no memory for so many rows, which a table without columns may have.
    pub(crate) fn new(rows: usize) -> Self {
        let mut had = Vec::new();
        if let Err(cause) = had.try_reserve_exact(rows) {
            panic!("the steps of {rows} rows: {cause}");
        }
        had.resize(rows, 0);
        Self { had }
    }

    /// Whether a row has not had all `steps`.
    #[inline(always)]
    pub(crate) fn is_behind(&self, row: usize, steps: u32) -> bool {
        self.had[row] < steps
    }

    /// Whether one of some rows, or of all, has not had all `steps`.
    pub(crate) fn any(&self, rows: Option<&Ids>, steps: u32) -> bool {
        match rows {
            None => steps > 0,
            Some(rows) => {
                let mut rows = rows.as_slice().iter();
                rows.any(|&row| self.is_behind(row as usize, steps))
            }
        }
    }

    /// Notes that a row has now had all `steps`; says how many it had before, if it was behind.
    #[inline(always)]
    pub(crate) fn catch_up(&mut self, row: usize, steps: u32) -> Option<u32> {
        let before = std::mem::replace(&mut self.had[row], steps);
        (before < steps).then_some(before)
    }

    /// Notes that every row has had so many steps.
    pub(crate) fn fill(&mut self, steps: u32) {
        self.had.fill(steps);
    }
}
