//! Attention by heads, forward and back: for each head of each sequence two products, and a softmax between them that stays in
//! the cache.
//!
//! Queries are taken in blocks: the weights of one block are all that must be in memory at once, and keys that none of its queries
//! sees are left out. Sequences are shared among the threads.

mod backward;
mod forward;

use std::ops::Range;
use std::sync::OnceLock;

pub use backward::{BiasTarget, Targets, Trace, backward};
pub use forward::{Outputs, forward};

use crate::number::Number;
use crate::storage::{OutOfMemory, Storage};
use crate::view::View;
use crate::{PARALLEL_PRODUCTS, elementwise, equal_parts, random, repetitions, threads};

/// How many queries a block has where a window hides keys. A longer block computes more hidden scores; a shorter one makes slow
/// products.
const FEW_QUERIES: usize = 32;

/// How many weights a block without a window has: 1 MiB of `f32`, which fits the second-level cache. A block has at least
/// [`FEW_QUERIES`] queries.
const BLOCK_WEIGHTS: usize = 1 << 18;

/// The sizes of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// B
    pub batch: usize,
    /// H
    pub heads: usize,
    /// How many heads keys and values have, a divisor of H: neighbouring heads of the queries share one.
    pub kv_heads: usize,
    /// Lq
    pub queries: usize,
    /// Lk
    pub keys: usize,
    /// Of a query and of a key.
    pub size: usize,
    /// Of a value.
    pub value_size: usize,
}

impl Sizes {
    /// How many heads of queries share a head of keys.
    fn group(&self) -> usize {
        (self.heads / self.kv_heads.max(1)).max(1)
    }
}

/// How far from its own place a query sees keys; any distance where none is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// How many places before its own.
    pub before: Option<usize>,
    /// How many places after its own.
    pub after: Option<usize>,
}

/// Vectors `[B, H, L, D]`.
pub type Heads<'a, T> = View<'a, T, [usize; 4]>;

/// How scores are made, hidden and dropped.
#[derive(Clone, Copy)]
pub struct Scoring<'a, T> {
    /// The sizes of queries, keys and values.
    pub sizes: Sizes,
    /// The factor of the scores.
    pub scale: f64,
    /// The place of the first query among the keys.
    pub first: usize,
    /// Which keys a query sees by its place.
    pub window: Window,
    /// How many of the keys of each sequence are there.
    pub lengths: Option<&'a [usize]>,
    /// True where a query sees a key, `[B, H, Lq, Lk]` each.
    pub masks: &'a [View<'a, bool, [usize; 4]>],
    /// What is added to the scores, `[B, H, Lq, Lk]`.
    pub bias: Option<View<'a, T, [usize; 4]>>,
    /// Seed and probability of keeping a weight.
    pub dropout: Option<(u64, f64)>,
}

/// Some queries of one head, and the keys that they see together.
struct Block {
    /// Which sequence, which head.
    place: [usize; 2],
    /// Which head of the keys and values.
    source: [usize; 2],
    queries: Range<usize>,
    keys: Range<usize>,
}

impl<T: Number> Scoring<'_, T> {
    /// The keys that a query may see; a mask may hide some of them.
    #[inline(always)]
    fn seen(&self, sequence: usize, query: usize) -> Range<usize> {
        let keys = self.sizes.keys;
        let keys = self
            .lengths
            .map_or(keys, |lengths| lengths[sequence].min(keys));
        let place = self.first.saturating_add(query);
        let end = self.window.after.map_or(keys, |after| {
            place.saturating_add(after).saturating_add(1).min(keys)
        });
        let start = self
            .window
            .before
            .map_or(0, |before| place.saturating_sub(before));
        start.min(end)..end
    }

    /// The queries of a head.
    fn blocks(&self, place: [usize; 2]) -> impl Iterator<Item = Block> {
        let (queries, length) = (self.sizes.queries, self.block_length().max(1));
        let source = [place[0], place[1] / self.sizes.group()];
        (0..queries).step_by(length).map(move |first| {
            let queries = first..queries.min(first + length);
            // A later query sees neither fewer keys at the end nor more at the start.
            let start = self.seen(place[0], queries.start).start;
            let end = self.seen(place[0], queries.end - 1).end;
            Block {
                place,
                source,
                queries,
                keys: if start < end { start..end } else { 0..0 },
            }
        })
    }

    /// Runs `work` on each sequence and its parts of the buffers.
    ///
    /// # Errors
    /// One of those that `work` had.
    fn for_each<P: Send>(
        &self,
        parts: impl Iterator<Item = P>,
        work: impl Fn(usize, P) -> Result<(), OutOfMemory> + Sync,
    ) -> Result<(), OutOfMemory> {
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
        let failure = OnceLock::new();
        threads::for_each_alone(parts, is_worth_it, |index, part| {
            if let Err(error) = work(index, part) {
                failure.get_or_init(|| error);
            }
        });
        failure.into_inner().map_or(Ok(()), Err)
    }

    /// Room for the weights of a block.
    fn room(&self) -> Result<Storage<T>, OutOfMemory> {
        Storage::uninitialised(self.block_weights())
    }

    /// How many weights a block has at most.
    fn block_weights(&self) -> usize {
        self.block_length().saturating_mul(self.sizes.keys)
    }

    fn block_length(&self) -> usize {
        let Sizes { queries, keys, .. } = self.sizes;
        let length = match self.window {
            Window {
                before: None,
                after: None,
            } => BLOCK_WEIGHTS / keys.max(1),
            _ => 0,
        };
        length.max(FEW_QUERIES).min(queries)
    }
}

/// A buffer's equal parts; as often nothing, if there is no buffer.
fn parts_of<T>(buffer: Option<&mut [T]>, count: usize) -> impl Iterator<Item = Option<&mut [T]>> {
    let is_there = buffer.is_some();
    let parts = equal_parts(buffer.unwrap_or_default(), count);
    parts.map(move |part| is_there.then_some(part))
}

/// The mask of a block's weights, and the weights that it leaves.
struct Dropped<T: Number> {
    mask: Storage<T>,
    weights: Storage<T>,
}

impl<T: Number> Dropped<T> {
    /// Room for a block; none without dropout.
    fn new(scoring: &Scoring<'_, T>) -> Result<Option<Self>, OutOfMemory> {
        if scoring.dropout.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            mask: scoring.room()?,
            weights: scoring.room()?,
        }))
    }

    /// Draws the mask of a block, the same forwards and back.
    fn draw(&mut self, scoring: &Scoring<'_, T>, block: &Block, weights: &[T]) {
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
            let [mask, dropped] = [mask, dropped].map(|row| &mut row[block.keys.clone()]);
            let scale = T::from_f64(1.0 / keep);
            let number = (first + query) * keys + block.keys.start;
            random::keep_mask_from(number, seed, keep, scale, mask);
            elementwise::zip(mask, &weights[block.keys.clone()], dropped, keep_or_drop);
        }
    }
}

/// A dropped infinity or NaN is dropped too.
#[inline(always)]
fn keep_or_drop<T: Number>(mask: T, x: T) -> T {
    if mask == T::zero() { mask } else { mask * x }
}
