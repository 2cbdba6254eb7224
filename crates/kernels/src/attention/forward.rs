//! From queries, keys and values to what the queries take.

use lexigrad_macros::compiled;

use super::{Block, Dropped, Heads, Scoring, Sizes, parts_of};
use crate::number::Number;
use crate::product::{Start, product};
use crate::softmax::softmax_row;
use crate::storage::OutOfMemory;
use crate::view::Matrix;
use crate::{Kernel, dispatch, equal_parts};

/// What an attention writes.
pub struct Outputs<'a, T> {
    /// What the queries take, `[B, Lq, H, D]`.
    pub taken: &'a mut [T],
    /// For the way back, the weights `[B, H, Lq, Lk]` before dropout; those that a block of queries leaves out stay unwritten.
    pub kept: Option<&'a mut [T]>,
    /// For the user, the weights `[B, H, Lq, Lk]` after dropout.
    pub shown: Option<&'a mut [T]>,
}

/// `taken = softmax(scale q kᵀ + bias) v` for each head; zeros for a query that sees no key.
///
/// # Errors
/// If there is no memory for the weights of a block.
#[compiled]
pub fn forward<T: Number>(
    scoring: &Scoring<'_, T>,
    inputs: [Heads<'_, T>; 3],
    outputs: Outputs<'_, T>,
) -> Result<(), OutOfMemory> {
    let Sizes {
        batch,
        heads,
        queries,
        keys,
        ..
    } = scoring.sizes;
    let Outputs { taken, kept, shown } = outputs;
    let is_empty = |weights: &Option<&mut [T]>| weights.as_ref().is_none_or(|part| part.is_empty());
    if taken.is_empty() && is_empty(&kept) && is_empty(&shown) {
        return Ok(());
    }
    if keys == 0 {
        taken.fill(T::zero());
        return Ok(());
    }
    let weights = parts_of(kept, batch).zip(parts_of(shown, batch));
    let parts = equal_parts(taken, batch).zip(weights);
    scoring.for_each(parts, |sequence, (taken, (mut kept, mut shown))| {
        let mut dropped = Dropped::new(scoring)?;
        let mut room = match kept {
            Some(_) => None,
            None => Some(scoring.room()?),
        };
        for head in 0..heads {
            for block in scoring.blocks([sequence, head]) {
                let rows = head * queries + block.queries.start..head * queries + block.queries.end;
                let rows = rows.start * keys..rows.end * keys;
                let weights = match (&mut kept, &mut room) {
                    (Some(kept), _) => &mut kept[rows.clone()],
                    (None, Some(room)) => &mut room.make_mut()[..rows.len()],
                    (None, None) => &mut [],
                };
                weigh(scoring, &block, inputs, weights);
                let used = match &mut dropped {
                    Some(dropped) => {
                        dropped.draw(scoring, &block, weights);
                        dropped.weights.as_slice()
                    }
                    None => weights,
                };
                if let Some(shown) = &mut shown {
                    show(&block, keys, used, &mut shown[rows]);
                }
                take(scoring, &block, used, inputs[2], taken);
            }
        }
        Ok(())
    })
}

/// The weights of a block, whose rows are those of all keys.
pub(super) fn weigh<T: Number>(
    scoring: &Scoring<'_, T>,
    block: &Block,
    [q, k, _]: [Heads<'_, T>; 3],
    weights: &mut [T],
) {
    let Sizes { keys, size, .. } = scoring.sizes;
    let k = k.matrix(block.source).from_row(block.keys.start);
    product(
        [block.queries.len(), size, block.keys.len()],
        q.matrix(block.place).from_row(block.queries.start),
        k.transposed(),
        (&mut weights[block.keys.start..], keys),
        Start::Zero,
    );
    dispatch(Softmax {
        scoring,
        block,
        scale: T::from_f64(scoring.scale),
        weights,
    });
}

/// What the queries of a block take of the values.
fn take<T: Number>(
    scoring: &Scoring<'_, T>,
    block: &Block,
    weights: &[T],
    v: Heads<'_, T>,
    taken: &mut [T],
) {
    let Sizes {
        heads,
        keys,
        value_size,
        ..
    } = scoring.sizes;
    let row = heads * value_size;
    let first = block.queries.start * row + block.place[1] * value_size;
    product(
        [block.queries.len(), block.keys.len(), value_size],
        Matrix::rows(&weights[block.keys.start..], keys),
        v.matrix(block.source).from_row(block.keys.start),
        (&mut taken[first..], row),
        Start::Zero,
    );
}

/// Copies the weights of a block, with zeros for the keys that it leaves out.
fn show<T: Number>(block: &Block, keys: usize, weights: &[T], shown: &mut [T]) {
    let rows = shown.chunks_exact_mut(keys).zip(weights.chunks_exact(keys));
    for (shown, weights) in rows {
        shown.fill(T::zero());
        shown[block.keys.clone()].copy_from_slice(&weights[block.keys.clone()]);
    }
}

struct Softmax<'a, T> {
    scoring: &'a Scoring<'a, T>,
    block: &'a Block,
    scale: T,
    weights: &'a mut [T],
}

impl<T: Number> Kernel for Softmax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { scoring, block, .. } = self;
        let bias = scoring.bias.map(|bias| bias.matrix(block.place));
        let rows = self.weights.chunks_exact_mut(scoring.sizes.keys);
        for (query, row) in block.queries.clone().zip(rows) {
            let seen = scoring.seen(block.place[0], query);
            let [start, end] =
                [seen.start, seen.end].map(|key| key.clamp(block.keys.start, block.keys.end));
            let seen = start..end;
            row[block.keys.start..seen.start].fill(T::zero());
            row[seen.end..block.keys.end].fill(T::zero());
            let row = &mut row[seen.clone()];
            row.iter_mut().for_each(|x| *x *= self.scale);
            if let Some(bias) = bias {
                for (x, key) in row.iter_mut().zip(seen.clone()) {
                    *x += bias.at(query, key);
                }
            }
            for mask in scoring.masks {
                let mask = mask.matrix(block.place);
                for (x, key) in row.iter_mut().zip(seen.clone()) {
                    if !mask.at(query, key) {
                        *x = T::neg_infinity();
                    }
                }
            }
            softmax_row(row);
        }
    }
}
