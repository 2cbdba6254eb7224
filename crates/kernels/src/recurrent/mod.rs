//! A recurrence over whole sequences, forward and back: per step a product with W_hh and a loop over the gates.
//!
//! The sequences of a batch are cut into parts, which run on the threads from the first step to the last without waiting for each
//! other. How they are cut depends on their number alone.

mod cells;

use std::ops::Range;

pub use cells::{Cell, Gru, Lstm, Nonlinearity, Step};
use lexigrad_macros::compiled;

use crate::number::Number;
use crate::product::{Packed, Reused, Start, product};
use crate::view::Matrix;
use crate::{Kernel, PARALLEL_PRODUCTS, dispatch, threads};

/// How many sequences a part has at most.
///
/// So many make a product with W_hh as fast as any more do, and a batch of 32 feeds two threads.
const PART: usize = 16;

/// L steps of B sequences with a state of H numbers.
#[derive(Clone, Copy)]
pub struct Sequences<'a> {
    /// L
    pub steps: usize,
    /// B
    pub batch: usize,
    /// H
    pub hidden: usize,
    /// How many steps each sequence has; all of them without.
    pub lengths: Option<&'a [usize]>,
    /// From the last step to the first.
    pub reverse: bool,
}

impl<'a> Sequences<'a> {
    /// The time of each step, in the order in which they are taken.
    fn times(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (steps, reverse) = (self.steps, self.reverse);
        (0..steps).map(move |step| if reverse { steps - 1 - step } else { step })
    }

    /// How many sequences a part has: evenly many in each, up to a remainder.
    fn rows(&self) -> usize {
        self.batch.div_ceil(self.batch.div_ceil(PART).max(1)).max(1)
    }

    /// How many products read the recurrent weights.
    fn products(&self) -> usize {
        self.steps * self.batch.div_ceil(self.rows())
    }

    /// Those of part `index`.
    fn part(&self, index: usize) -> Self {
        let first = index * self.rows();
        let batch = self.rows().min(self.batch - first);
        let lengths = self.lengths.map(|lengths| &lengths[first..first + batch]);
        Self {
            batch,
            lengths,
            ..*self
        }
    }

    /// Whether sequence `row` has a step at `time`.
    #[inline(always)]
    fn has(&self, row: usize, time: usize) -> bool {
        self.lengths.is_none_or(|lengths| time < lengths[row])
    }

    /// Runs `work` on each part; the products of one that is alone may share threads.
    fn for_each<P: Send>(
        &self,
        gates: usize,
        parts: impl Iterator<Item = P>,
        work: impl Fn(usize, P) + Sync,
    ) {
        let size = self.steps * self.batch * self.hidden * self.hidden * gates;
        let is_worth_it = self.batch > self.rows() && size >= PARALLEL_PRODUCTS;
        threads::for_each_alone(parts, is_worth_it, work);
    }
}

/// For each run of gates to which the state adds, its columns and the rows of W_hh that go there.
pub fn recurrent_runs<T: Number, C: Cell<T>>(
    hidden: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let mut row = 0;
    C::RECURRENT.iter().map(move |&(first, count)| {
        let start = row;
        row += count * hidden;
        (first * hidden..(first + count) * hidden, start..row)
    })
}

/// The recurrent weights of one run of gates: the columns of the run, and the right operand of its products.
struct Run<'a, T: Number> {
    columns: Range<usize>,
    weight: Reused<'a, T>,
}

/// Slabs of the same shape, `[slabs, B, width]`, cut into parts of `rows` of the B rows: for each part its piece of each slab.
fn pieces<T>(buffer: &mut [T], batch: usize, rows: usize, width: usize) -> Vec<Vec<&mut [T]>> {
    let mut parts: Vec<Vec<&mut [T]>> = Vec::new();
    parts.resize_with(batch.div_ceil(rows), Vec::new);
    for slab in buffer.chunks_mut(batch * width) {
        for (part, piece) in parts.iter_mut().zip(slab.chunks_mut(rows * width)) {
            part.push(piece);
        }
    }
    parts
}

/// The weights of the way forward.
#[derive(Clone, Copy)]
pub struct Weights<'a, T: Number> {
    /// `W_hh: [G H, H]` in row-major order.
    pub recurrent: &'a [T],
    /// `W_hhᵀ` of each of [`recurrent_runs`], if it is packed already.
    pub packed: Option<&'a [Packed<T>]>,
    /// What is added to the runs beyond the first G, where the state's products stand alone; empty if nothing is.
    pub bias: &'a [T],
}

/// Runs a recurrence whose state is N runs of H numbers.
///
/// The first G H columns of `gates: [L, B, W H]` hold `W_ih x + b`. `states: [N, L, B, H]` get the states before each step, unless they
/// are empty. `output: [L + N, B, H]`, at whose end the first state stands, gets the hidden states, zeros where a sequence has
/// ended, and the last state.
#[compiled(Lstm, Gru, Nonlinearity)]
pub fn forward<T: Number, C: Cell<T>>(
    cell: C,
    sequences: &Sequences<'_>,
    weights: Weights<'_, T>,
    gates: &mut [T],
    states: &mut [T],
    output: &mut [T],
) {
    let &Sequences { batch, hidden, .. } = sequences;
    if batch * hidden == 0 {
        return;
    }
    let runs = recurrent_runs::<T, C>(hidden).enumerate();
    let runs = runs.map(|(index, (columns, rows))| {
        let weight = Matrix::rows(weights.recurrent, hidden).from_row(rows.start);
        let sizes = [hidden, columns.len()];
        let weight = match weights.packed {
            Some(packed) => Reused::Kept(&packed[index]),
            None => Reused::new(sizes, weight.transposed(), sequences.products()),
        };
        Run { columns, weight }
    });
    let runs: Vec<_> = runs.collect();
    let rows = sequences.rows();
    let gates = pieces(gates, batch, rows, C::WIDTH * hidden);
    let states = pieces(states, batch, rows, hidden);
    let output = pieces(output, batch, rows, hidden);
    let parts = gates.into_iter().zip(states).zip(output);
    sequences.for_each(C::GATES, parts, |index, ((gates, states), output)| {
        let part = ForwardPart {
            cell,
            sequences: sequences.part(index),
            runs: &runs,
            bias: weights.bias,
        };
        part.run(gates, states, output);
    });
}

struct ForwardPart<'a, T: Number, C> {
    cell: C,
    sequences: Sequences<'a>,
    runs: &'a [Run<'a, T>],
    bias: &'a [T],
}

impl<T: Number, C: Cell<T>> ForwardPart<'_, T, C> {
    fn run(&self, mut gates: Vec<&mut [T]>, mut states: Vec<&mut [T]>, mut output: Vec<&mut [T]>) {
        let steps = self.sequences.steps;
        let (outputs, state) = output.split_at_mut(steps);
        for time in self.sequences.times() {
            for (kept, state) in states.iter_mut().skip(time).step_by(steps).zip(&*state) {
                kept.copy_from_slice(state);
            }
            self.add_recurrent(state[0], gates[time]);
            let (hidden, memory) = state.split_at_mut(1);
            dispatch(ForwardStep {
                cell: self.cell,
                sequences: &self.sequences,
                time,
                gates: &mut *gates[time],
                hidden: &mut *hidden[0],
                memory: memory.first_mut().map_or(&mut [], |memory| &mut **memory),
                output: &mut *outputs[time],
            });
        }
    }

    /// Adds `W_hh h`; where it stands alone, its bias too.
    fn add_recurrent(&self, hidden: &[T], gates: &mut [T]) {
        let (rows, size) = (self.sequences.batch, self.sequences.hidden);
        for run in self.runs {
            let (first, alone) = (run.columns.start, C::GATES * size);
            let start = match self.bias {
                _ if first < alone => Start::Out,
                [] => Start::Zero,
                bias => Start::Row(&bias[first - alone..][..run.columns.len()]),
            };
            product(
                [rows, size, run.columns.len()],
                Matrix::rows(hidden, size),
                &run.weight,
                (&mut gates[first..], C::WIDTH * size),
                start,
            );
        }
    }
}

/// One step of each sequence of a part.
struct ForwardStep<'a, T, C> {
    cell: C,
    sequences: &'a Sequences<'a>,
    time: usize,
    gates: &'a mut [T],
    hidden: &'a mut [T],
    memory: &'a mut [T],
    output: &'a mut [T],
}

impl<T: Number, C: Cell<T>> Kernel for ForwardStep<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let size = self.sequences.hidden;
        let gates = self.gates.chunks_exact_mut(C::WIDTH * size);
        let mut memories = self.memory.chunks_exact_mut(size);
        let states = self.hidden.chunks_exact_mut(size);
        let outputs = self.output.chunks_exact_mut(size);
        for (row, ((gates, hidden), output)) in gates.zip(states).zip(outputs).enumerate() {
            let memory = memories.next().unwrap_or_default();
            if self.sequences.has(row, self.time) {
                self.cell.forward(gates, hidden, memory);
                output.copy_from_slice(hidden);
            } else {
                output.fill(T::zero());
            }
        }
    }
}

/// What [`forward`] left, and the gradient of its output.
pub struct Trace<'a, T> {
    /// `[L, B, W H]`
    pub gates: &'a [T],
    /// `[N, L, B, H]`, before each step.
    pub states: &'a [T],
    /// `[L + N, B, H]`
    pub cotangent: &'a [T],
}

/// The pass back through [`forward`]; W_hh is `[G H, H]` in row-major order.
///
/// `dgates: [L, B, W H]` get the gradients of what the gates held at first, zeros where a sequence has ended. `dstate: [N, B, H]`
/// turns from the gradient of the last state into that of the first.
#[compiled(Lstm, Gru, Nonlinearity)]
pub fn backward<T: Number, C: Cell<T>>(
    cell: C,
    sequences: &Sequences<'_>,
    weight: &[T],
    trace: &Trace<'_, T>,
    dgates: &mut [T],
    dstate: &mut [T],
) {
    let &Sequences { batch, hidden, .. } = sequences;
    if batch * hidden == 0 {
        return;
    }
    let runs = recurrent_runs::<T, C>(hidden).map(|(columns, rows)| {
        let weight = Matrix::rows(weight, hidden).from_row(rows.start);
        let weight = Reused::new([columns.len(), hidden], weight, sequences.products());
        Run { columns, weight }
    });
    let runs: Vec<_> = runs.collect();
    let rows = sequences.rows();
    let dgates = pieces(dgates, batch, rows, C::WIDTH * hidden);
    let dstate = pieces(dstate, batch, rows, hidden);
    let parts = dgates.into_iter().zip(dstate);
    sequences.for_each(C::GATES, parts, |index, (dgates, dstate)| {
        let part = BackwardPart {
            cell,
            sequences: sequences.part(index),
            batch,
            first: index * rows,
            runs: &runs,
            trace,
        };
        part.run(dgates, dstate);
    });
}

struct BackwardPart<'a, T: Number, C> {
    cell: C,
    sequences: Sequences<'a>,
    /// How many sequences all parts have together, and which is the first of this one.
    batch: usize,
    first: usize,
    runs: &'a [Run<'a, T>],
    trace: &'a Trace<'a, T>,
}

impl<T: Number, C: Cell<T>> BackwardPart<'_, T, C> {
    fn run(&self, mut dgates: Vec<&mut [T]>, mut dstate: Vec<&mut [T]>) {
        let (steps, size) = (self.sequences.steps, self.sequences.hidden);
        let (dhidden, dmemory) = dstate.split_at_mut(1);
        for time in self.sequences.times().rev() {
            let memory = if C::STATES == 2 {
                self.piece(self.trace.states, steps + time, size)
            } else {
                &[]
            };
            dispatch(BackwardStep {
                cell: self.cell,
                sequences: &self.sequences,
                time,
                step: Step {
                    gates: self.piece(self.trace.gates, time, C::WIDTH * size),
                    hidden: self.piece(self.trace.states, time, size),
                    memory,
                },
                cotangent: self.piece(self.trace.cotangent, time, size),
                dgates: &mut *dgates[time],
                dhidden: &mut *dhidden[0],
                dmemory: dmemory
                    .first_mut()
                    .map_or(&mut [], |dmemory| &mut **dmemory),
            });
            self.add_recurrent(dgates[time], dhidden[0]);
        }
    }

    /// This part's piece of a slab of `[slabs, B, width]`.
    fn piece<'b>(&self, buffer: &'b [T], slab: usize, width: usize) -> &'b [T] {
        let start = (slab * self.batch + self.first) * width;
        &buffer[start..start + self.sequences.batch * width]
    }

    /// Adds what flows through the gates to the gradient of the state before the step.
    fn add_recurrent(&self, dgates: &[T], dhidden: &mut [T]) {
        let (rows, size) = (self.sequences.batch, self.sequences.hidden);
        for run in self.runs {
            product(
                [rows, run.columns.len(), size],
                Matrix::rows(&dgates[run.columns.start..], C::WIDTH * size),
                &run.weight,
                (&mut *dhidden, size),
                Start::Out,
            );
        }
    }
}

/// The pass back through one step of each sequence of a part.
struct BackwardStep<'a, T, C> {
    cell: C,
    sequences: &'a Sequences<'a>,
    time: usize,
    step: Step<'a, T>,
    cotangent: &'a [T],
    dgates: &'a mut [T],
    dhidden: &'a mut [T],
    dmemory: &'a mut [T],
}

impl<T: Number, C: Cell<T>> Kernel for BackwardStep<'_, T, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let size = self.sequences.hidden;
        let mut memories = self.step.memory.chunks_exact(size);
        let mut dmemories = self.dmemory.chunks_exact_mut(size);
        let gates = self.step.gates.chunks_exact(C::WIDTH * size);
        let dgates = self.dgates.chunks_exact_mut(C::WIDTH * size);
        let states = self.step.hidden.chunks_exact(size);
        let dstates = self.dhidden.chunks_exact_mut(size);
        let steps = gates.zip(dgates).zip(states.zip(dstates));
        for (row, ((gates, dgates), (hidden, dhidden))) in steps.enumerate() {
            let memory = memories.next().unwrap_or_default();
            let dmemory = dmemories.next().unwrap_or_default();
            if !self.sequences.has(row, self.time) {
                dgates.fill(T::zero());
                continue;
            }
            for (sum, &new) in dhidden.iter_mut().zip(&self.cotangent[row * size..]) {
                *sum += new;
            }
            let step = Step {
                gates,
                hidden,
                memory,
            };
            self.cell.backward(step, dgates, dhidden, dmemory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_same_bits;

    /// The bits of everything that both passes compute.
    fn run<C: Cell<f32>>(cell: C) -> Vec<f32> {
        let sequences = Sequences {
            steps: 5,
            batch: 37,
            hidden: 48,
            lengths: None,
            reverse: false,
        };
        let (state, rows) = (37 * 48, C::GATES * 48);
        let numbers = |count: usize| (0..count).map(|i| (i as f32).sin() * 0.3).collect();
        let beyond = (C::WIDTH - C::GATES) * 48;
        let (weight, bias): (Vec<f32>, Vec<f32>) = (numbers(rows * 48), numbers(beyond));
        let mut gates: Vec<f32> = numbers(5 * C::WIDTH * state);
        let mut output: Vec<f32> = numbers((5 + C::STATES) * state);
        let mut states = vec![0.0; C::STATES * 5 * state];
        let weights = Weights {
            recurrent: &weight,
            packed: None,
            bias: &bias,
        };
        forward(
            cell,
            &sequences,
            weights,
            &mut gates,
            &mut states,
            &mut output,
        );
        let trace = Trace {
            gates: &gates,
            states: &states,
            cotangent: &output,
        };
        let mut dgates = vec![0.0; gates.len()];
        let mut dstate: Vec<f32> = numbers(C::STATES * state);
        backward(cell, &sequences, &weight, &trace, &mut dgates, &mut dstate);
        [output, dgates, dstate].concat()
    }

    #[test]
    fn threads_never_change_the_bits() {
        assert_same_bits(|| run(Lstm));
        assert_same_bits(|| run(Gru));
        assert_same_bits(|| run(Nonlinearity::Tanh));
    }

    #[test]
    fn parts_cover_the_batch_evenly() {
        for (batch, rows) in [(1, 1), (16, 16), (17, 9), (32, 16), (37, 13), (64, 16)] {
            let sequences = Sequences {
                steps: 1,
                batch,
                hidden: 1,
                lengths: None,
                reverse: false,
            };
            assert_eq!(sequences.rows(), rows);
            let parts = (0..batch.div_ceil(rows)).map(|index| sequences.part(index).batch);
            assert_eq!(parts.sum::<usize>(), batch);
        }
    }
}
