//! One pass of a rule over all rows, by a dense gradient.

use lexigrad_kernels::{Kernel, dispatch, share};
use lexigrad_tensor::Element;

use crate::layout::RowLayout;
use crate::rule::{Rule, Runs};

/// How many numbers of a dense step one thread moves at a time: about 20 µs.
const BLOCK: usize = 1 << 14;

/// Moves every row but `fixed` by a dense gradient, blocks of rows on several threads.
pub(crate) fn move_all<R: Rule<T>, T: Element>(
    factors: &R::Factors,
    layout: &RowLayout,
    values: &mut [T],
    gradient: &[T],
    state: &mut [T],
    fixed: Option<usize>,
) {
    let rows = (BLOCK / layout.dim.max(1)).max(1);
    let (numbers, width) = ((rows * layout.dim).max(1), (rows * layout.width).max(1));
    let mut runs = layout.split(state).map(|run| run.chunks_mut(width));
    let pairs = values.chunks_mut(numbers).zip(gradient.chunks(numbers));
    let blocks = pairs
        .zip((0..).step_by(rows))
        .map(|((values, gradient), first)| MoveBlock::<R, T> {
            factors,
            layout,
            values,
            gradient,
            state: runs.each_mut().map(|run| run.next().unwrap_or_default()),
            fixed: fixed
                .and_then(|row| row.checked_sub(first))
                .filter(|&row| row < rows),
        });
    share(blocks, gradient.len() * (2 + layout.runs), dispatch);
}

/// Rows that follow each other, but `fixed`.
struct MoveBlock<'a, R: Rule<T>, T: Element> {
    factors: &'a R::Factors,
    layout: &'a RowLayout,
    values: &'a mut [T],
    gradient: &'a [T],
    state: Runs<'a, T>,
    fixed: Option<usize>,
}

impl<R: Rule<T>, T: Element> Kernel for MoveBlock<'_, R, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let layout = self.layout;
        let rows = self.values.len() / layout.dim;
        let (end, rest) = self.fixed.map_or((rows, rows), |row| (row, row + 1));
        for piece in [0..end, rest..rows] {
            let step = if R::BY_ROW { 1 } else { piece.len().max(1) };
            for start in piece.step_by(step) {
                let rows = start..start + step;
                let place = layout.values(rows.clone());
                let (values, gradient) = (&mut self.values[place.clone()], &self.gradient[place]);
                R::update(
                    self.factors,
                    values,
                    gradient,
                    layout.part(&mut self.state, rows),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lexigrad_tensor::{Ids, RowSparse, Tensor};

    use super::*;
    use crate::rules::adagrad::RowWiseAdagrad;
    use crate::rules::adam::Adam;
    use crate::sparse::move_rows_of;

    /// A dense step against the same one row by row, on a table of several blocks.
    fn blocks_are_rows<R: Rule<f32>>(rule: &R) {
        let dim = 10;
        let table: Tensor = Tensor::zeros([3 * BLOCK / dim, dim]);
        let layout = RowLayout::with_state(table.shape(), rule);
        let factors = rule.factors(0.1, 1);
        let gradient: Vec<f32> = (0..layout.rows * dim).map(|i| (i as f32).sin()).collect();
        for fixed in [None, Some(0), Some(BLOCK / dim + 7), Some(layout.rows - 1)] {
            let state = vec![0.0; layout.state_shape().iter().product()];
            let start = (vec![1.0; gradient.len()], state);
            let (mut values, mut state) = start.clone();
            move_all::<R, f32>(&factors, &layout, &mut values, &gradient, &mut state, fixed);
            let (mut expected, mut expected_state) = start;
            let all = Ids::new((0..layout.rows as u32).collect::<Vec<_>>()).unwrap();
            let by_row = Tensor::from_slice(&gradient, [layout.rows, dim]).unwrap();
            let by_row = RowSparse::new(all, by_row, layout.rows).unwrap();
            let own = &mut expected_state;
            move_rows_of::<R, f32>(&by_row, &factors, &layout, &mut expected, own, fixed);
            assert_eq!((values, state), (expected, expected_state));
        }
    }

    #[test]
    fn blocks_of_rows_move_as_rows_do() {
        blocks_are_rows(&Adam::new(0.1));
        blocks_are_rows(&RowWiseAdagrad::new(0.1));
    }
}
