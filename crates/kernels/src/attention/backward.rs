//! From the gradient of what the queries took to those of queries, keys and values.

use super::{Block, Dropped, Heads, Scoring, Sizes, keep_or_drop};
use crate::matmul::product;
use crate::number::Number;
use crate::softmax::row_backward;
use crate::storage::Storage;
use crate::view::Matrix;
use crate::{Kernel, dispatch, equal_parts};
use lexigrad_macros::compiled;

/// What [`forward`](super::forward) read and wrote, and the gradient of its output `[B, H, Lq, D]`.
pub struct Trace<'a, T> {
    /// Queries, keys and values.
    pub inputs: [Heads<'a, T>; 3],
    /// `[B, H, Lq, Lk]`, before dropout.
    pub weights: &'a [T],
    /// The gradient of what the queries took.
    pub cotangent: Heads<'a, T>,
}

/// Where the gradients of q, k and v go.
pub enum Targets<'a, T> {
    /// `[B, L, H, D]` each
    Separate([&'a mut [T]; 3]),
    /// `[B, L, 3, H, D]`
    Packed(&'a mut [T]),
}

impl<T: Number> Targets<'_, T> {
    fn clear(&mut self) {
        match self {
            Self::Separate(parts) => parts.iter_mut().for_each(|part| part.fill(T::zero())),
            Self::Packed(whole) => whole.fill(T::zero()),
        }
    }

    /// Part 0, 1 or 2 of one head from row `first` on, and how far apart its rows are.
    fn part(&mut self, sizes: &Sizes, part: usize, head: usize, first: usize) -> (&mut [T], usize) {
        let size = [sizes.size, sizes.size, sizes.value_size][part];
        let width = sizes.heads * size;
        match self {
            Self::Separate(parts) => (&mut parts[part][first * width + head * size..], width),
            Self::Packed(whole) => {
                let start = (3 * first + part) * width + head * size;
                (&mut whole[start..], 3 * width)
            }
        }
    }
}

/// The pass back through [`forward`](super::forward), which kept all weights.
#[compiled]
pub fn backward<T: Number>(
    scoring: &Scoring<'_>,
    trace: &Trace<'_, T>,
    mut targets: Targets<'_, T>,
) {
    let Sizes {
        batch,
        heads,
        queries,
        keys,
        value_size,
        ..
    } = scoring.sizes;
    if queries * keys * heads * value_size == 0 {
        return targets.clear();
    }
    let work = |sequence, targets| {
        let mut pass = Pass {
            scoring,
            trace,
            targets,
            gradient: Storage::scratch(scoring.block_weights()),
            dropped: Dropped::new(scoring),
        };
        (0..heads).for_each(|head| pass.run([sequence, head]));
    };
    match targets {
        Targets::Packed(whole) => {
            let parts = equal_parts(whole, batch);
            scoring.for_each(parts.map(Targets::Packed), work);
        }
        Targets::Separate([dq, dk, dv]) => {
            let (dq, dk, dv) = (
                equal_parts(dq, batch),
                equal_parts(dk, batch),
                equal_parts(dv, batch),
            );
            let parts = dq.zip(dk).zip(dv);
            let parts = parts.map(|((dq, dk), dv)| Targets::Separate([dq, dk, dv]));
            scoring.for_each(parts, work);
        }
    }
}

/// The pass back through one sequence.
struct Pass<'a, T: Number> {
    scoring: &'a Scoring<'a>,
    trace: &'a Trace<'a, T>,
    targets: Targets<'a, T>,
    /// Room for the gradient of a block's weights.
    gradient: Storage<T>,
    dropped: Option<Dropped<T>>,
}

impl<T: Number> Pass<'_, T> {
    fn run(&mut self, place: [usize; 2]) {
        let sizes = self.scoring.sizes;
        let start = (place[0] * sizes.heads + place[1]) * sizes.queries * sizes.keys;
        self.clear_unseen(place[1]);
        for (index, block) in self.scoring.blocks(place).enumerate() {
            let range = block.queries.start * sizes.keys..block.queries.end * sizes.keys;
            self.block(&block, &self.trace.weights[start..][range], index > 0);
        }
    }

    /// Zeros for the keys that no query reaches.
    fn clear_unseen(&mut self, head: usize) {
        let sizes = self.scoring.sizes;
        let reached = self.scoring.reach(sizes.queries - 1);
        for (part, size) in [(1, sizes.size), (2, sizes.value_size)] {
            let (target, row) = self.targets.part(&sizes, part, head, 0);
            let unseen = target.chunks_mut(row.max(1)).take(sizes.keys).skip(reached);
            unseen.for_each(|row| row[..size].fill(T::zero()));
        }
    }

    /// `dv += wᵀ g`, `dw = g vᵀ`, `ds = w (dw - Σ w dw) scale`, `dq = ds k`, `dk += dsᵀ q`; the first block sets what others add to.
    fn block(&mut self, block: &Block, weights: &[T], adds: bool) {
        let sizes = self.scoring.sizes;
        let (first, count, head) = (block.queries.start, block.queries.len(), block.place[1]);
        let [q, k, v] = self.trace.inputs;
        let [q, k, v] = [q, k, v].map(|heads| heads.matrix(block.place));
        let given = self.trace.cotangent.matrix(block.place).from_row(first);
        let used = match &mut self.dropped {
            Some(dropped) => {
                dropped.draw(self.scoring, block, weights);
                dropped.weights.as_slice()
            }
            None => weights,
        };
        let shape = [block.keys, count, sizes.value_size];
        let dv = self.targets.part(&sizes, 2, head, 0);
        let by_key = Matrix::rows(used, sizes.keys).transposed();
        product(shape, by_key, given, dv, adds);

        let gradient = &mut self.gradient.make_mut()[..weights.len()];
        let shape = [count, sizes.value_size, block.keys];
        let target = (&mut *gradient, sizes.keys);
        product(shape, given, v.transposed(), target, false);
        dispatch(SoftmaxBackward {
            weights,
            mask: self.dropped.as_ref().map(|dropped| dropped.mask.as_slice()),
            scale: T::from_f64(self.scoring.scale),
            keys: block.keys,
            row: sizes.keys,
            gradient: &mut *gradient,
        });

        let shape = [count, block.keys, sizes.size];
        let dq = self.targets.part(&sizes, 0, head, first);
        let gradient = Matrix::rows(gradient, sizes.keys);
        product(shape, gradient, k, dq, false);
        let shape = [block.keys, count, sizes.size];
        let dk = self.targets.part(&sizes, 1, head, 0);
        product(shape, gradient.transposed(), q.from_row(first), dk, adds);
    }
}

/// Turns the gradients of rows of weights into those of the scores.
struct SoftmaxBackward<'a, T> {
    weights: &'a [T],
    mask: Option<&'a [T]>,
    scale: T,
    /// How many of a row's `row` weights there are.
    keys: usize,
    row: usize,
    gradient: &'a mut [T],
}

impl<T: Number> Kernel for SoftmaxBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let pairs = self.gradient.chunks_exact_mut(self.row);
        for (index, (g, y)) in pairs.zip(self.weights.chunks_exact(self.row)).enumerate() {
            let (g, y) = (&mut g[..self.keys], &y[..self.keys]);
            if let Some(mask) = self.mask {
                let mask = &mask[index * self.row..];
                g.iter_mut()
                    .zip(mask)
                    .for_each(|(g, &m)| *g = keep_or_drop(m, *g));
            }
            let backward = row_backward(y, g);
            for (g, &y) in g.iter_mut().zip(y) {
                *g = backward(y, *g) * self.scale;
            }
        }
    }
}
