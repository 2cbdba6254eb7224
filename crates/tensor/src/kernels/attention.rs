//! Attention by heads, forward and back: for each head of each sequence two products, and a softmax between them that stays in
//! the cache.
//!
//! Queries are taken in blocks, so that a causal attention computes few of the scores that it hides. Sequences are shared among the
//! threads.

use std::ops::Range;

use rayon::prelude::*;

use super::matmul::{Matrix, product};
use super::reduce::{dot_lanes, sum_lanes};
use super::softmax::row_max;
use super::{Kernel, dispatch, random, threads};
use crate::element::Element;
use crate::storage::Storage;

/// Queries of a causal block: more hide less of what is computed, fewer make the products slow.
const CAUSAL_BLOCK: usize = 32;

/// Less multiplications than this stay on one thread: 2 MFLOP, some 20 µs.
const PARALLEL: usize = 1 << 20;

#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) heads: usize,
    pub(crate) queries: usize,
    pub(crate) keys: usize,
    /// Of a query and of a key.
    pub(crate) size: usize,
    /// Of a value.
    pub(crate) value_size: usize,
}

/// Vectors `[B, H, L, D]` by their strides; the numbers of a vector stand together.
#[derive(Clone, Copy)]
pub(crate) struct Heads<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) batch: usize,
    pub(crate) head: usize,
    pub(crate) row: usize,
}

impl<'a, T> Heads<'a, T> {
    /// Those of one head from row `first` on.
    fn from(&self, (sequence, head): (usize, usize), first: usize) -> (&'a [T], Matrix) {
        let start = sequence * self.batch + head * self.head + first * self.row;
        let strides = Matrix {
            rs: self.row,
            cs: 1,
        };
        (&self.data[start..], strides)
    }
}

/// Which keys a query sees, and what becomes of the scores.
#[derive(Clone, Copy)]
pub(crate) struct Attend<'a> {
    pub(crate) sizes: Sizes,
    pub(crate) scale: f64,
    /// True where a query sees a key, with strides for `[B, H, Lq, Lk]`.
    pub(crate) visible: Option<(&'a [bool], [usize; 4])>,
    /// Query i sees the keys up to i plus this.
    pub(crate) causal: Option<usize>,
    /// Seed and probability of keeping a weight.
    pub(crate) dropout: Option<(u64, f64)>,
}

/// Some queries of one head, and how many keys the last of them sees.
struct Block {
    /// Which sequence, which head.
    place: (usize, usize),
    queries: Range<usize>,
    keys: usize,
}

impl Attend<'_> {
    /// How many of the keys a query can see, hidden ones among them.
    #[inline(always)]
    fn reach(&self, query: usize) -> usize {
        let keys = self.sizes.keys;
        self.causal
            .map_or(keys, |first| (first + query + 1).min(keys))
    }

    /// The queries of a head, those that see most first.
    fn blocks(&self, place: (usize, usize)) -> impl Iterator<Item = Block> {
        let queries = self.sizes.queries;
        let length = self
            .causal
            .map_or(queries, |_| CAUSAL_BLOCK.min(queries))
            .max(1);
        let starts = (0..queries).step_by(length).rev();
        starts.map(move |first| {
            let queries = first..queries.min(first + length);
            let keys = self.reach(queries.end - 1);
            Block {
                place,
                queries,
                keys,
            }
        })
    }

    /// Runs `work` on each sequence and its parts of the buffers.
    fn for_each<P: Send>(&self, parts: impl Iterator<Item = P>, work: impl Fn(usize, P) + Sync) {
        let Sizes {
            batch,
            heads,
            queries,
            keys,
            size,
            ..
        } = self.sizes;
        let multiplications = batch * heads * queries * keys * size;
        let parts = parts.enumerate();
        if batch > 1 && multiplications >= PARALLEL && threads::has_company() {
            let parts: Vec<(usize, P)> = parts.collect();
            let parts = parts.into_par_iter();
            parts.for_each(|(index, part)| threads::alone(|| work(index, part)));
        } else {
            parts.for_each(|(index, part)| work(index, part));
        }
    }

    /// The weights of a block after dropout: `mask` times the weights, where there is any.
    fn drop_out<T: Element>(&self, block: &Block, weights: &[T], scratch: &mut Scratch<T>) {
        let Some((seed, keep)) = self.dropout else {
            return;
        };
        let Sizes {
            heads,
            queries,
            keys,
            ..
        } = self.sizes;
        let (sequence, head) = block.place;
        let first = ((sequence * heads + head) * queries + block.queries.start) * keys;
        let mask = &mut scratch.mask.make_mut()[..weights.len()];
        random::keep_mask_from(first, seed, keep, T::from_f64(1.0 / keep), mask);
        let dropped = &mut scratch.dropped.make_mut()[..weights.len()];
        dispatch(Product {
            x: weights,
            y: mask,
            out: dropped,
        });
    }
}

/// Room for one block of weights.
struct Scratch<T: Element> {
    /// The gradient of the weights.
    gradient: Storage<T>,
    mask: Storage<T>,
    dropped: Storage<T>,
}

impl<T: Element> Scratch<T> {
    fn new(attend: &Attend<'_>) -> Self {
        let weights = attend.sizes.queries * attend.sizes.keys;
        let dropped = if attend.dropout.is_some() { weights } else { 0 };
        Self {
            gradient: Storage::uninitialised(weights),
            mask: Storage::uninitialised(dropped),
            dropped: Storage::uninitialised(dropped),
        }
    }
}

/// `weights = softmax(scale q kᵀ)`, `out = weights v`: `[B, Lq, H, D]`.
///
/// `weights` are `[B, H, Lq, Lk]`, of which only what a causal query can see is set; or room for one head of each sequence, if they
/// are not wanted.
pub(crate) fn forward<T: Element>(
    attend: &Attend<'_>,
    [q, k, v]: [Heads<'_, T>; 3],
    weights: &mut [T],
    out: &mut [T],
) {
    let sizes = attend.sizes;
    let (row, head_weights) = (sizes.heads * sizes.value_size, sizes.queries * sizes.keys);
    if sizes.batch == 0 || row * sizes.queries == 0 {
        return;
    }
    if head_weights == 0 {
        return out.fill(T::zero());
    }
    let kept = weights.len() / sizes.batch;
    let parts = out.chunks_mut(row * sizes.queries);
    let parts = parts.zip(weights.chunks_mut(kept));
    attend.for_each(parts, |sequence, (out, weights)| {
        let mut scratch = Scratch::new(attend);
        for head in 0..sizes.heads {
            let start = (head * head_weights) % kept;
            let weights = &mut weights[start..start + head_weights];
            for block in attend.blocks((sequence, head)) {
                let range = block.queries.start * sizes.keys..block.queries.end * sizes.keys;
                let weights = &mut weights[range];
                attend_to_keys(attend, &block, q, k, weights);
                attend.drop_out(&block, weights, &mut scratch);
                let weights = match attend.dropout {
                    Some(_) => &scratch.dropped.as_slice()[..weights.len()],
                    None => weights,
                };
                product(
                    [block.queries.len(), block.keys, sizes.value_size],
                    (weights, rows(sizes.keys)),
                    v.from(block.place, 0),
                    (
                        &mut out[block.queries.start * row + head * sizes.value_size..],
                        row,
                    ),
                    false,
                );
            }
        }
    });
}

/// The softmax of a block's scores.
fn attend_to_keys<T: Element>(
    attend: &Attend<'_>,
    block: &Block,
    q: Heads<'_, T>,
    k: Heads<'_, T>,
    weights: &mut [T],
) {
    let Sizes { keys, size, .. } = attend.sizes;
    let (k, k_strides) = k.from(block.place, 0);
    product(
        [block.queries.len(), size, block.keys],
        q.from(block.place, block.queries.start),
        (k, k_strides.transposed()),
        (&mut *weights, keys),
        false,
    );
    dispatch(Softmax {
        attend,
        block,
        scale: T::from_f64(attend.scale),
        weights,
    });
}

fn rows(distance: usize) -> Matrix {
    Matrix {
        rs: distance,
        cs: 1,
    }
}

struct Softmax<'a, T> {
    attend: &'a Attend<'a>,
    block: &'a Block,
    scale: T,
    weights: &'a mut [T],
}

impl<T: Element> Kernel for Softmax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (sequence, head) = self.block.place;
        let rows = self.weights.chunks_exact_mut(self.attend.sizes.keys);
        for (query, row) in self.block.queries.clone().zip(rows) {
            let (seen, beyond) = row[..self.block.keys].split_at_mut(self.attend.reach(query));
            beyond.fill(T::zero());
            seen.iter_mut().for_each(|x| *x *= self.scale);
            if let Some((visible, strides)) = self.attend.visible {
                let start = sequence * strides[0] + head * strides[1] + query * strides[2];
                for (key, x) in seen.iter_mut().enumerate() {
                    if !visible[start + key * strides[3]] {
                        *x = T::neg_infinity();
                    }
                }
            }
            let max = row_max(seen);
            if max == T::neg_infinity() {
                seen.fill(T::zero());
                continue;
            }
            seen.iter_mut()
                .for_each(|x| *x = (*x - max).exp_nonpositive_());
            let factor = sum_lanes(seen).recip();
            seen.iter_mut().for_each(|x| *x *= factor);
        }
    }
}

/// What [`forward`] read and wrote, and the gradient of its output `[B, H, Lq, D]`.
pub(crate) struct Trace<'a, T> {
    pub(crate) inputs: [Heads<'a, T>; 3],
    pub(crate) weights: &'a [T],
    pub(crate) cotangent: Heads<'a, T>,
}

/// Where the gradients of q, k and v go.
pub(crate) enum Targets<'a, T> {
    /// `[B, L, H, D]` each
    Separate([&'a mut [T]; 3]),
    /// `[B, L, 3, H, D]`
    Packed(&'a mut [T]),
}

impl<T: Element> Targets<'_, T> {
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

/// The pass back through [`forward`], which kept all weights.
pub(crate) fn backward<T: Element>(
    attend: &Attend<'_>,
    trace: &Trace<'_, T>,
    mut targets: Targets<'_, T>,
) {
    let sizes = attend.sizes;
    let widths = [sizes.size, sizes.size, sizes.value_size].map(|size| sizes.heads * size);
    if sizes.queries * sizes.keys == 0 || widths.contains(&0) {
        return targets.clear();
    }
    let work = |sequence, mut targets| backward_sequence(attend, trace, sequence, &mut targets);
    match targets {
        Targets::Packed(whole) => {
            let parts = whole.chunks_mut(3 * sizes.keys * widths[0]);
            attend.for_each(parts.map(Targets::Packed), work);
        }
        Targets::Separate([dq, dk, dv]) => {
            let dq = dq.chunks_mut(sizes.queries * widths[0]);
            let dk = dk.chunks_mut(sizes.keys * widths[1]);
            let dv = dv.chunks_mut(sizes.keys * widths[2]);
            let parts = dq.zip(dk).zip(dv);
            let parts = parts.map(|((dq, dk), dv)| Targets::Separate([dq, dk, dv]));
            attend.for_each(parts, work);
        }
    }
}

fn backward_sequence<T: Element>(
    attend: &Attend<'_>,
    trace: &Trace<'_, T>,
    sequence: usize,
    targets: &mut Targets<'_, T>,
) {
    let sizes = attend.sizes;
    let mut scratch = Scratch::new(attend);
    for head in 0..sizes.heads {
        let start = (sequence * sizes.heads + head) * sizes.queries * sizes.keys;
        let weights = &trace.weights[start..];
        let reached = attend.reach(sizes.queries - 1);
        for (part, size) in [(1, sizes.size), (2, sizes.value_size)] {
            let (target, row) = targets.part(&sizes, part, head, 0);
            let beyond = target.chunks_mut(row).take(sizes.keys).skip(reached);
            beyond.for_each(|row| row[..size].fill(T::zero()));
        }
        for (index, block) in attend.blocks((sequence, head)).enumerate() {
            let range = block.queries.start * sizes.keys..block.queries.end * sizes.keys;
            let is_first = index == 0;
            backward_block(
                attend,
                trace,
                &block,
                &weights[range],
                &mut scratch,
                targets,
                is_first,
            );
        }
    }
}

/// `dv += wᵀ g`, `dw = g vᵀ`, `ds = w (dw - Σ w dw) scale`, `dq = ds k`, `dk += dsᵀ q`.
fn backward_block<T: Element>(
    attend: &Attend<'_>,
    trace: &Trace<'_, T>,
    block: &Block,
    weights: &[T],
    scratch: &mut Scratch<T>,
    targets: &mut Targets<'_, T>,
    is_first: bool,
) {
    let sizes = attend.sizes;
    let Sizes {
        keys,
        size,
        value_size,
        ..
    } = sizes;
    let (first, count, head) = (block.queries.start, block.queries.len(), block.place.1);
    let [q, k, v] = trace.inputs;
    let given = trace.cotangent.from(block.place, first);
    let strides = rows(keys);
    attend.drop_out(block, weights, scratch);
    let dropped = attend.dropout.is_some();
    let used = if dropped {
        &scratch.dropped.as_slice()[..weights.len()]
    } else {
        weights
    };
    product(
        [block.keys, count, value_size],
        (used, strides.transposed()),
        given,
        targets.part(&sizes, 2, head, 0),
        !is_first,
    );
    let gradient = &mut scratch.gradient.make_mut()[..weights.len()];
    let (v, v_strides) = v.from(block.place, 0);
    product(
        [count, value_size, block.keys],
        given,
        (v, v_strides.transposed()),
        (&mut *gradient, keys),
        false,
    );
    dispatch(SoftmaxBackward {
        weights,
        mask: dropped.then(|| scratch.mask.as_slice()),
        scale: T::from_f64(attend.scale),
        keys: block.keys,
        row: keys,
        gradient: &mut *gradient,
    });
    product(
        [count, block.keys, size],
        (gradient, strides),
        k.from(block.place, 0),
        targets.part(&sizes, 0, head, first),
        false,
    );
    product(
        [block.keys, count, size],
        (gradient, strides.transposed()),
        q.from(block.place, first),
        targets.part(&sizes, 1, head, 0),
        !is_first,
    );
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

impl<T: Element> Kernel for SoftmaxBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let pairs = self.gradient.chunks_exact_mut(self.row);
        for (index, (g, y)) in pairs.zip(self.weights.chunks_exact(self.row)).enumerate() {
            let (g, y) = (&mut g[..self.keys], &y[..self.keys]);
            if let Some(mask) = self.mask {
                let mask = &mask[index * self.row..];
                g.iter_mut().zip(mask).for_each(|(g, &m)| *g *= m);
            }
            let along = dot_lanes(y, g);
            for (g, &y) in g.iter_mut().zip(y) {
                *g = y * (*g - along) * self.scale;
            }
        }
    }
}

/// `out = x y`
struct Product<'a, T> {
    x: &'a [T],
    y: &'a [T],
    out: &'a mut [T],
}

impl<T: Element> Kernel for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, (&x, &y)) in self.out.iter_mut().zip(self.x.iter().zip(self.y)) {
            *out = x * y;
        }
    }
}
