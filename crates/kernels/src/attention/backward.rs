//! From the gradient of what the queries took to those of queries, keys, values and the bias.

use lexigrad_macros::compiled;

use super::forward::weigh;
use super::{Block, Dropped, Heads, Scoring, Sizes, keep_or_drop, parts_of};
use crate::number::Number;
use crate::product::{Start, product};
use crate::softmax::row_backward;
use crate::storage::{OutOfMemory, Storage};
use crate::view::Matrix;
use crate::{Kernel, dispatch, equal_parts, repetitions};

/// What [`forward`](super::forward) read and wrote, and the gradients of that.
pub struct Trace<'a, T> {
    /// Queries, keys and values.
    pub inputs: [Heads<'a, T>; 3],
    /// The weights that were kept; they are computed again, if none were.
    pub kept: Option<&'a [T]>,
    /// The gradient of what the queries took.
    pub taken: Heads<'a, T>,
    /// The gradient of the weights that were shown, `[B, H, Lq, Lk]`.
    pub shown: Option<&'a [T]>,
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

    /// Those of each sequence.
    fn by_sequence(self, batch: usize) -> Vec<Self> {
        match self {
            Self::Packed(whole) => equal_parts(whole, batch).map(Self::Packed).collect(),
            Self::Separate(parts) => {
                let [dq, dk, dv] = parts.map(|part| equal_parts(part, batch));
                let parts = dq.zip(dk).zip(dv);
                parts
                    .map(|((dq, dk), dv)| Self::Separate([dq, dk, dv]))
                    .collect()
            }
        }
    }

    /// Part 0, 1 or 2 of one head from row `first` on, and how far apart its rows are.
    fn part(&mut self, sizes: &Sizes, part: usize, head: usize, first: usize) -> (&mut [T], usize) {
        let size = [sizes.size, sizes.size, sizes.value_size][part];
        let heads = [sizes.heads, sizes.kv_heads, sizes.kv_heads][part];
        let width = heads * size;
        match self {
            Self::Separate(parts) => (&mut parts[part][first * width + head * size..], width),
            Self::Packed(whole) => {
                let start = (3 * first + part) * width + head * size;
                (&mut whole[start..], 3 * width)
            }
        }
    }
}

/// The gradient of the bias.
pub struct BiasTarget<'a, T> {
    /// Zeros at first.
    pub values: &'a mut [T],
    /// Whether each sequence has a part of its own; else all add to one, one after another.
    pub by_sequence: bool,
    /// Where the number of a head, a query and a key stands within that of a sequence.
    pub strides: [usize; 3],
}

/// The pass back through [`forward`](super::forward).
///
/// # Errors
/// If there is no memory for the weights of a block.
#[compiled]
pub fn backward<T: Number>(
    scoring: &Scoring<'_, T>,
    trace: &Trace<'_, T>,
    mut targets: Targets<'_, T>,
    bias: Option<BiasTarget<'_, T>>,
) -> Result<(), OutOfMemory> {
    let Sizes {
        batch,
        heads,
        queries,
        keys,
        value_size,
        ..
    } = scoring.sizes;
    let flows = value_size > 0 || trace.shown.is_some();
    if repetitions(&[batch, queries, keys, heads]) == 0 || !flows {
        targets.clear();
        return Ok(());
    }
    let strides = bias.as_ref().map_or([0; 3], |bias| bias.strides);
    let is_shared = bias.as_ref().is_some_and(|bias| !bias.by_sequence);
    let mut bias = bias.map(|bias| bias.values);
    let parts = targets.by_sequence(batch).into_iter();
    if is_shared {
        return parts.enumerate().try_for_each(|(sequence, targets)| {
            let bias = bias.as_deref_mut();
            Pass::new(scoring, trace, targets, bias, strides).map(|pass| pass.run(sequence))
        });
    }
    let parts = parts.zip(parts_of(bias, batch));
    scoring.for_each(parts, |sequence, (targets, bias)| {
        Pass::new(scoring, trace, targets, bias, strides).map(|pass| pass.run(sequence))
    })
}

/// The pass back through one sequence.
struct Pass<'a, T: Number> {
    scoring: &'a Scoring<'a, T>,
    trace: &'a Trace<'a, T>,
    targets: Targets<'a, T>,
    /// The gradient of the bias, and the strides of head, query and key.
    bias: Option<&'a mut [T]>,
    strides: [usize; 3],
    /// Room for a block's weights, where they are computed again.
    room: Option<Storage<T>>,
    /// Room for the gradient of a block's weights.
    gradient: Storage<T>,
    dropped: Option<Dropped<T>>,
}

impl<'a, T: Number> Pass<'a, T> {
    fn new(
        scoring: &'a Scoring<'a, T>,
        trace: &'a Trace<'a, T>,
        targets: Targets<'a, T>,
        bias: Option<&'a mut [T]>,
        strides: [usize; 3],
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            scoring,
            trace,
            targets,
            bias,
            strides,
            room: trace.kept.is_none().then(|| scoring.room()).transpose()?,
            gradient: scoring.room()?,
            dropped: Dropped::new(scoring)?,
        })
    }

    fn run(mut self, sequence: usize) {
        (0..self.scoring.sizes.heads).for_each(|head| self.head([sequence, head]));
    }

    fn head(&mut self, place: [usize; 2]) {
        let (scoring, sizes) = (self.scoring, self.scoring.sizes);
        let mut blocks = scoring.blocks(place).peekable();
        // If the first block sees all keys it overwrites dk and dv, else they are cleared first. Other heads of the group add.
        let sets = blocks
            .peek()
            .is_some_and(|block| block.keys == (0..sizes.keys));
        let is_first = place[1].is_multiple_of(sizes.group());
        if is_first && !sets {
            self.clear(place[1] / sizes.group());
        }
        for (index, block) in blocks.enumerate() {
            self.block(&block, index > 0 || !sets || !is_first);
        }
    }

    /// Zeros for the keys and values of a head.
    fn clear(&mut self, head: usize) {
        let sizes = self.scoring.sizes;
        for (part, size) in [(1, sizes.size), (2, sizes.value_size)] {
            let (target, row) = self.targets.part(&sizes, part, head, 0);
            let rows = target.chunks_mut(row.max(1)).take(sizes.keys);
            rows.for_each(|row| row[..size].fill(T::zero()));
        }
    }

    /// `dv += wᵀ g`, `dw = g vᵀ`, `ds = w (dw - Σ w dw)`, `dq = scale ds k`, `dk += scale dsᵀ q`; sets dv and dk, unless it adds.
    fn block(&mut self, block: &Block, adds: bool) {
        let (scoring, trace, sizes) = (self.scoring, self.trace, self.scoring.sizes);
        let (count, columns) = (block.queries.len(), block.keys.len());
        let ([head, source], first) = ([block.place[1], block.source[1]], block.keys.start);
        let row = (block.place[0] * sizes.heads + head) * sizes.queries + block.queries.start;
        let rows = row * sizes.keys..(row + count) * sizes.keys;
        let weights = match (trace.kept, &mut self.room) {
            (Some(kept), _) => &kept[rows.clone()],
            (None, Some(room)) => {
                let room = &mut room.make_mut()[..rows.len()];
                weigh(scoring, block, trace.inputs, room);
                room
            }
            (None, None) => &[],
        };
        let used = match &mut self.dropped {
            Some(dropped) => {
                dropped.draw(scoring, block, weights);
                dropped.weights.as_slice()
            }
            None => weights,
        };
        let [q, k, v] = trace.inputs;
        let q = q.matrix(block.place).from_row(block.queries.start);
        let [k, v] = [k, v].map(|heads| heads.matrix(block.source).from_row(first));
        let taken = trace
            .taken
            .matrix(block.place)
            .from_row(block.queries.start);

        let start = if adds { Start::Out } else { Start::Zero };
        let dv = self.targets.part(&sizes, 2, source, first);
        let by_key = Matrix::rows(&used[first..], sizes.keys).transposed();
        product([columns, count, sizes.value_size], by_key, taken, dv, start);

        let gradient = &mut self.gradient.make_mut()[..rows.len()];
        let target = (&mut gradient[first..], sizes.keys);
        product(
            [count, sizes.value_size, columns],
            taken,
            v.transposed(),
            target,
            Start::Zero,
        );
        dispatch(SoftmaxBackward {
            block,
            weights,
            mask: self.dropped.as_ref().map(|dropped| dropped.mask.as_slice()),
            shown: trace.shown.map(|shown| &shown[rows]),
            bias: self.bias.as_deref_mut().map(|bias| (bias, self.strides)),
            scale: T::from_f64(scoring.scale),
            keys: sizes.keys,
            gradient: &mut *gradient,
        });

        let gradient = Matrix::rows(&gradient[first..], sizes.keys);
        let dq = self.targets.part(&sizes, 0, head, block.queries.start);
        product([count, columns, sizes.size], gradient, k, dq, Start::Zero);
        let dk = self.targets.part(&sizes, 1, source, first);
        product(
            [columns, count, sizes.size],
            gradient.transposed(),
            q,
            dk,
            start,
        );
    }
}

/// Turns the gradients of a block's weights into those of the scores, times the factor of these.
struct SoftmaxBackward<'a, T> {
    block: &'a Block,
    weights: &'a [T],
    mask: Option<&'a [T]>,
    /// The gradient of the weights that were shown, which is added.
    shown: Option<&'a [T]>,
    bias: Option<(&'a mut [T], [usize; 3])>,
    scale: T,
    keys: usize,
    gradient: &'a mut [T],
}

impl<T: Number> Kernel for SoftmaxBackward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let keys = self.block.keys.clone();
        let rows = self.gradient.chunks_exact_mut(self.keys);
        for (index, (g, y)) in rows.zip(self.weights.chunks_exact(self.keys)).enumerate() {
            let (g, y) = (&mut g[keys.clone()], &y[keys.clone()]);
            let place = index * self.keys + keys.start;
            if let Some(shown) = self.shown {
                let shown = &shown[place..];
                g.iter_mut().zip(shown).for_each(|(g, &shown)| *g += shown);
            }
            if let Some(mask) = self.mask {
                let mask = &mask[place..];
                g.iter_mut()
                    .zip(mask)
                    .for_each(|(g, &m)| *g = keep_or_drop(m, *g));
            }
            let backward = row_backward(y, g);
            if let Some((bias, strides)) = &mut self.bias {
                let [head, query, key] = *strides;
                let start = self.block.place[1] * head + (self.block.queries.start + index) * query;
                for (column, (&g, &y)) in keys.clone().zip(g.iter().zip(y)) {
                    bias[start + column * key] += backward(y, g);
                }
            }
            for (g, &y) in g.iter_mut().zip(y) {
                *g = backward(y, *g) * self.scale;
            }
        }
    }
}
