//! Sums over bags of rows of a table. Bag b covers the entries `offsets[b] .. offsets[b + 1]`.

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::{PartKernel, ROWS_AHEAD, for_each_part, prefetch};

/// What the rows of a sum are multiplied by.
#[derive(Clone, Copy)]
pub enum Scale<'a, T> {
    /// Every entry counts once.
    None,
    /// A factor of each bag.
    OfBags(&'a [T]),
    /// A factor of each entry.
    OfEntries(&'a [T]),
}

impl<T: Number> Scale<'_, T> {
    #[inline(always)]
    fn at(&self, bag: usize, entry: usize) -> Option<T> {
        match self {
            Self::None => None,
            Self::OfBags(factors) => Some(factors[bag]),
            Self::OfEntries(factors) => Some(factors[entry]),
        }
    }
}

pub(crate) fn mean_length(offsets: &[usize]) -> usize {
    offsets
        .last()
        .copied()
        .unwrap_or(0)
        .div_ceil(offsets.len().max(1))
}

#[inline(always)]
pub(crate) fn add_scaled<T: Number>(sum: &mut [T], row: &[T], scale: Option<T>) {
    match scale {
        Some(scale) => sum
            .iter_mut()
            .zip(row)
            .for_each(|(sum, &x)| *sum += scale * x),
        None => sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x),
    }
}

/// [`add_scaled`] to zeros, which need not be written.
#[inline(always)]
fn set_scaled<T: Number>(sum: &mut [T], row: &[T], scale: Option<T>) {
    let zero = T::zero();
    match scale {
        Some(scale) => sum
            .iter_mut()
            .zip(row)
            .for_each(|(sum, &x)| *sum = zero + scale * x),
        None => sum
            .iter_mut()
            .zip(row)
            .for_each(|(sum, &x)| *sum = zero + x),
    }
}

/// `out[b] = Σ scale table[ids[t]]` over the entries t of bag b.
#[compiled]
pub fn bag_sum<T: Number>(
    table: &[T],
    dim: usize,
    ids: &[u32],
    offsets: &[usize],
    scale: Scale<'_, T>,
    out: &mut [T],
) {
    let work = dim * mean_length(offsets);
    let kernel = BagSum {
        table,
        ids,
        offsets,
        scale,
        dim,
    };
    for_each_part(out, dim, work, &kernel);
}

struct BagSum<'a, T> {
    table: &'a [T],
    ids: &'a [u32],
    offsets: &'a [usize],
    scale: Scale<'a, T>,
    dim: usize,
}

impl<T: Number> PartKernel<T> for BagSum<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self {
            table,
            ids,
            offsets,
            scale,
            dim,
        } = self;
        for (bag, out) in (first..).zip(out.chunks_exact_mut(dim.max(1))) {
            let entries = offsets[bag]..offsets[bag + 1];
            if entries.is_empty() {
                out.fill(T::zero());
            }
            for entry in entries.clone() {
                if let Some(&ahead) = ids.get(entry + ROWS_AHEAD) {
                    prefetch(&table[ahead as usize * dim..][..dim]);
                }
                let row = &table[ids[entry] as usize * dim..][..dim];
                let factor = scale.at(bag, entry);
                if entry == entries.start {
                    set_scaled(out, row, factor);
                } else {
                    add_scaled(out, row, factor);
                }
            }
        }
    }
}
