//! From queries, keys and values to weights and sums of values.

use super::{Block, Dropped, Heads, Scoring, Sizes};
use crate::matmul::product;
use crate::number::Number;
use crate::softmax::softmax_row;
use crate::view::Matrix;
use crate::{Kernel, dispatch, equal_parts};
use lexigrad_macros::compiled;

/// `weights = softmax(scale q kᵀ)`, `out = weights v`: `[B, Lq, H, D]`.
///
/// `weights` are `[B, H, Lq, Lk]`, of which only what a causal query can see is set; or room for one head of each sequence, if they
/// are not wanted.
#[compiled]
pub fn forward<T: Number>(
    scoring: &Scoring<'_>,
    inputs: [Heads<'_, T>; 3],
    weights: &mut [T],
    out: &mut [T],
) {
    let sizes = scoring.sizes;
    let head_weights = sizes.queries * sizes.keys;
    if sizes.batch == 0 || out.is_empty() {
        return;
    }
    if head_weights == 0 {
        return out.fill(T::zero());
    }
    let kept = weights.len() / sizes.batch;
    let parts = equal_parts(out, sizes.batch).zip(equal_parts(weights, sizes.batch));
    scoring.for_each(parts, |sequence, (out, weights)| {
        let mut dropped = Dropped::new(scoring);
        for head in 0..sizes.heads {
            let start = (head * head_weights) % kept;
            let weights = &mut weights[start..start + head_weights];
            for block in scoring.blocks([sequence, head]) {
                let range = block.queries.start * sizes.keys..block.queries.end * sizes.keys;
                let weights = &mut weights[range];
                attend(scoring, &block, inputs, weights, dropped.as_mut(), out);
            }
        }
    });
}

/// The weights of a block and what its queries take of the values.
fn attend<T: Number>(
    scoring: &Scoring<'_>,
    block: &Block,
    [q, k, v]: [Heads<'_, T>; 3],
    weights: &mut [T],
    dropped: Option<&mut Dropped<T>>,
    out: &mut [T],
) {
    let Sizes {
        heads,
        keys,
        size,
        value_size,
        ..
    } = scoring.sizes;
    product(
        [block.queries.len(), size, block.keys],
        q.matrix(block.place).from_row(block.queries.start),
        k.matrix(block.place).transposed(),
        (&mut *weights, keys),
        false,
    );
    dispatch(Softmax {
        scoring,
        block,
        scale: T::from_f64(scoring.scale),
        weights,
    });
    let used = match dropped {
        Some(dropped) => {
            dropped.draw(scoring, block, weights);
            dropped.weights.as_slice()
        }
        None => weights,
    };
    let row = heads * value_size;
    let first = block.queries.start * row + block.place[1] * value_size;
    product(
        [block.queries.len(), block.keys, value_size],
        Matrix::rows(used, keys),
        v.matrix(block.place),
        (&mut out[first..], row),
        false,
    );
}

struct Softmax<'a, T> {
    scoring: &'a Scoring<'a>,
    block: &'a Block,
    scale: T,
    weights: &'a mut [T],
}

impl<T: Number> Kernel for Softmax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.weights.chunks_exact_mut(self.scoring.sizes.keys);
        for (query, row) in self.block.queries.clone().zip(rows) {
            let (seen, beyond) = row[..self.block.keys].split_at_mut(self.scoring.reach(query));
            beyond.fill(T::zero());
            seen.iter_mut().for_each(|x| *x *= self.scale);
            if let Some(visible) = self.scoring.visible {
                let visible = visible.matrix(self.block.place);
                for (key, x) in seen.iter_mut().enumerate() {
                    if !visible.at(query, key) {
                        *x = T::neg_infinity();
                    }
                }
            }
            softmax_row(seen);
        }
    }
}
