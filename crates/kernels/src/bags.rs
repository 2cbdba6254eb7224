//! Sums and maxima over bags of rows. Bag b covers the entries `offsets[b] .. offsets[b + 1]`.

use lexigrad_macros::compiled;

use crate::bag_sum::{add_scaled, mean_length};
use crate::number::Number;
use crate::reduce::dot_lanes;
use crate::{Kernel, PartKernel, dispatch, for_each_part};

/// `out[b] = Σ values[t]` over the entries t of bag b.
#[compiled]
pub fn segment_sum<T: Number>(values: &[T], dim: usize, offsets: &[usize], out: &mut [T]) {
    let work = dim * mean_length(offsets);
    let kernel = SegmentSum {
        values,
        offsets,
        dim,
    };
    for_each_part(out, dim, work, &kernel);
}

struct SegmentSum<'a, T> {
    values: &'a [T],
    offsets: &'a [usize],
    dim: usize,
}

impl<T: Number> PartKernel<T> for SegmentSum<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self {
            values,
            offsets,
            dim,
        } = self;
        for (bag, out) in (first..).zip(out.chunks_exact_mut(dim.max(1))) {
            out.fill(T::zero());
            for entry in offsets[bag]..offsets[bag + 1] {
                let value = &values[entry * dim..(entry + 1) * dim];
                add_scaled(out, value, None);
            }
        }
    }
}

/// `out[t] = grad[b]` for each entry t of bag b.
#[compiled]
pub fn segment_expand<T: Number>(grad: &[T], dim: usize, offsets: &[usize], out: &mut [T]) {
    dispatch(SegmentExpand {
        grad,
        dim,
        offsets,
        out,
    });
}

struct SegmentExpand<'a, T> {
    grad: &'a [T],
    dim: usize,
    offsets: &'a [usize],
    out: &'a mut [T],
}

impl<T: Number> Kernel for SegmentExpand<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self {
            grad,
            dim,
            offsets,
            out,
        } = self;
        for (bag, grad) in offsets.windows(2).zip(grad.chunks_exact(dim.max(1))) {
            for entry in bag[0]..bag[1] {
                out[entry * dim..(entry + 1) * dim].copy_from_slice(grad);
            }
        }
    }
}

/// `out[t] = a[b] · c[ids[t]]` for each entry t of bag b.
#[compiled]
pub fn bag_dots<T: Number>(
    a: &[T],
    c: &[T],
    dim: usize,
    ids: &[u32],
    offsets: &[usize],
    out: &mut [T],
) {
    dispatch(BagDots {
        a,
        c,
        dim,
        ids,
        offsets,
        out,
    });
}

struct BagDots<'a, T> {
    a: &'a [T],
    c: &'a [T],
    dim: usize,
    ids: &'a [u32],
    offsets: &'a [usize],
    out: &'a mut [T],
}

impl<T: Number> Kernel for BagDots<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let dim = self.dim;
        for (bag, ends) in self.offsets.windows(2).enumerate() {
            let a = &self.a[bag * dim..(bag + 1) * dim];
            for entry in ends[0]..ends[1] {
                let start = self.ids[entry] as usize * dim;
                self.out[entry] = dot_lanes(a, &self.c[start..start + dim]);
            }
        }
    }
}

/// `table[ids[t]] += scale[t] a[b]` for each entry t of bag b, in the order of t.
#[compiled]
pub fn bag_scatter<T: Number>(
    a: &[T],
    dim: usize,
    ids: &[u32],
    offsets: &[usize],
    scale: &[T],
    table: &mut [T],
) {
    dispatch(BagScatter {
        a,
        dim,
        ids,
        offsets,
        scale,
        table,
    });
}

struct BagScatter<'a, T> {
    a: &'a [T],
    dim: usize,
    ids: &'a [u32],
    offsets: &'a [usize],
    scale: &'a [T],
    table: &'a mut [T],
}

impl<T: Number> Kernel for BagScatter<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let dim = self.dim;
        for (bag, ends) in self.offsets.windows(2).enumerate() {
            let a = &self.a[bag * dim..(bag + 1) * dim];
            for entry in ends[0]..ends[1] {
                let start = self.ids[entry] as usize * dim;
                let row = &mut self.table[start..start + dim];
                add_scaled(row, a, Some(self.scale[entry]));
            }
        }
    }
}

/// `out[b, d] = max table[ids[t], d]` over the entries t of bag b, and the first entry that gave it; 0 and `u32::MAX` for an
/// empty bag. NaN wins.
#[compiled]
pub fn bag_max<T: Number>(
    table: &[T],
    dim: usize,
    ids: &[u32],
    offsets: &[usize],
    out: &mut [T],
    winners: &mut [u32],
) {
    out.fill(T::zero());
    winners.fill(u32::MAX);
    let rows = out
        .chunks_exact_mut(dim.max(1))
        .zip(winners.chunks_exact_mut(dim.max(1)));
    for (bag, (out, winners)) in offsets.windows(2).zip(rows) {
        for (entry, &id) in (bag[0]..).zip(&ids[bag[0]..bag[1]]) {
            let row = &table[id as usize * dim..][..dim];
            for ((out, winner), &x) in out.iter_mut().zip(winners.iter_mut()).zip(row) {
                if *winner == u32::MAX || x > *out || (x.is_nan() && !out.is_nan()) {
                    *out = x;
                    *winner = entry as u32;
                }
            }
        }
    }
}

/// For each segment and column the first of the largest values whose id is the segment; `winners` come as `u32::MAX`, and stay so
/// where there is none. NaN wins.
#[compiled]
pub fn segment_winners<T: Number>(values: &[T], dim: usize, ids: &[u32], winners: &mut [u32]) {
    for (entry, &id) in ids.iter().enumerate() {
        for column in 0..dim {
            let winner = &mut winners[id as usize * dim + column];
            let x = values[entry * dim + column];
            let best = values.get(*winner as usize * dim + column);
            if *winner == u32::MAX
                || best.is_none_or(|best| x > *best || (x.is_nan() && !best.is_nan()))
            {
                *winner = entry as u32;
            }
        }
    }
}

/// `out[winner[b, d], d] = grad[b, d]`, zero elsewhere.
#[compiled]
pub fn winners_expand<T: Number>(grad: &[T], dim: usize, winners: &[u32], out: &mut [T]) {
    out.fill(T::zero());
    for (position, (&g, &winner)) in grad.iter().zip(winners).enumerate() {
        if winner != u32::MAX {
            out[winner as usize * dim + position % dim] = g;
        }
    }
}

/// `out[b, d] = values[winner[b, d], d]`, 0 where the bag is empty.
#[compiled]
pub fn winners_pick<T: Number>(values: &[T], dim: usize, winners: &[u32], out: &mut [T]) {
    for (position, (out, &winner)) in out.iter_mut().zip(winners).enumerate() {
        *out = if winner == u32::MAX {
            T::zero()
        } else {
            values[winner as usize * dim + position % dim]
        };
    }
}
