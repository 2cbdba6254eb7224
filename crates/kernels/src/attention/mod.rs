//! Attention by heads, forward and back: for each head of each sequence two products, and a softmax between them that stays in
//! the cache.
//!
//! Queries are taken in blocks, so that a causal attention computes few of the scores that it hides. Sequences are shared among the
//! threads.

mod backward;
mod forward;

use std::ops::Range;

pub use backward::{Targets, Trace, backward};
pub use forward::forward;

use super::{PARALLEL_PRODUCTS, elementwise, random, repetitions, threads};
use crate::number::Number;
use crate::storage::Storage;
use crate::view::View;

/// Queries of a causal block: more hide less of what is computed, fewer make the products slow.
const CAUSAL_BLOCK: usize = 32;

/// The sizes of an attention.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// B
    pub batch: usize,
    /// H
    pub heads: usize,
    /// Lq
    pub queries: usize,
    /// Lk
    pub keys: usize,
    /// Of a query and of a key.
    pub size: usize,
    /// Of a value.
    pub value_size: usize,
}

/// Vectors `[B, H, L, D]`.
pub type Heads<'a, T> = View<'a, T, [usize; 4]>;

/// How scores are made, hidden and dropped.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    /// The sizes of queries, keys and values.
    pub sizes: Sizes,
    /// The factor of the scores.
    pub scale: f64,
    /// True where a query sees a key, `[B, H, Lq, Lk]`.
    pub visible: Option<View<'a, bool, [usize; 4]>>,
    /// Query i sees the keys up to i plus this.
    pub causal: Option<usize>,
    /// Seed and probability of keeping a weight.
    pub dropout: Option<(u64, f64)>,
}

/// Some queries of one head, and how many keys the last of them sees.
struct Block {
    /// Which sequence, which head.
    place: [usize; 2],
    queries: Range<usize>,
    keys: usize,
}

impl Scoring<'_> {
    /// How many of the keys a query can see, hidden ones among them.
    #[inline(always)]
    fn reach(&self, query: usize) -> usize {
        let keys = self.sizes.keys;
        self.causal
            .map_or(keys, |first| first.saturating_add(query + 1).min(keys))
    }

    /// The queries of a head, those that see most first.
    fn blocks(&self, place: [usize; 2]) -> impl Iterator<Item = Block> {
        let queries = self.sizes.queries;
        let length = self.block_length().max(1);
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
        let multiplications = repetitions(&[batch, heads, queries, keys, size]);
        let is_worth_it = batch > 1 && multiplications >= PARALLEL_PRODUCTS;
        threads::for_each_alone(parts, is_worth_it, work);
    }

    /// How many weights a block has at most.
    fn block_weights(&self) -> usize {
        self.block_length() * self.sizes.keys
    }

    fn block_length(&self) -> usize {
        let queries = self.sizes.queries;
        self.causal.map_or(queries, |_| CAUSAL_BLOCK.min(queries))
    }
}

/// The mask of a block's weights, and the weights that it leaves.
struct Dropped<T: Number> {
    mask: Storage<T>,
    weights: Storage<T>,
}

impl<T: Number> Dropped<T> {
    /// Room for a block; none without dropout.
    fn new(scoring: &Scoring<'_>) -> Option<Self> {
        let weights = scoring.block_weights();
        scoring.dropout.map(|_| Self {
            mask: Storage::scratch(weights),
            weights: Storage::scratch(weights),
        })
    }

    /// Draws the mask of a block, the same forwards and back.
    fn draw(&mut self, scoring: &Scoring<'_>, block: &Block, weights: &[T]) {
        let (seed, keep) = scoring.dropout.unwrap_or((0, 1.0));
        let Sizes {
            heads,
            queries,
            keys,
            ..
        } = scoring.sizes;
        let [sequence, head] = block.place;
        let first = (sequence * heads + head) * queries;
        let masks = self.mask.make_mut().chunks_exact_mut(keys);
        let dropped = self.weights.make_mut().chunks_exact_mut(keys);
        let rows = masks.zip(dropped).zip(weights.chunks_exact(keys));
        for (query, ((mask, dropped), weights)) in block.queries.clone().zip(rows) {
            let (mask, seen) = (&mut mask[..block.keys], &weights[..block.keys]);
            let scale = T::from_f64(1.0 / keep);
            random::keep_mask_from((first + query) * keys, seed, keep, scale, mask);
            elementwise::zip(mask, seen, &mut dropped[..block.keys], keep_or_drop);
        }
    }
}

/// A dropped infinity or NaN is dropped too.
#[inline(always)]
fn keep_or_drop<T: Number>(mask: T, x: T) -> T {
    if mask == T::zero() { mask } else { mask * x }
}
