//! Gathering rows of a table, adding rows into one, and numbering the distinct ones.

use std::cell::RefCell;

use super::{Kernel, PartKernel, dispatch, for_each_part};
use crate::element::Element;

/// `out[i] = table[ids[i]]`
pub(crate) fn gather_rows<T: Element>(table: &[T], dim: usize, ids: &[u32], out: &mut [T]) {
    for_each_part(out, dim, dim, &Gather { table, ids, dim });
}

struct Gather<'a, T> {
    table: &'a [T],
    ids: &'a [u32],
    dim: usize,
}

impl<T: Element> PartKernel<T> for Gather<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { table, ids, dim } = self;
        for (row, out) in (first..).zip(out.chunks_exact_mut(dim.max(1))) {
            let start = ids[row] as usize * dim;
            out.copy_from_slice(&table[start..start + dim]);
        }
    }
}

/// `table[ids[i]] += values[i]`, in the order of i.
pub(crate) fn scatter_add_rows<T: Element>(values: &[T], dim: usize, ids: &[u32], table: &mut [T]) {
    dispatch(ScatterAdd {
        values,
        dim,
        ids,
        table,
    });
}

struct ScatterAdd<'a, T> {
    values: &'a [T],
    dim: usize,
    ids: &'a [u32],
    table: &'a mut [T],
}

impl<T: Element> Kernel for ScatterAdd<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self {
            values,
            dim,
            ids,
            table,
        } = self;
        for (value, &id) in values.chunks_exact(dim.max(1)).zip(ids) {
            let start = id as usize * dim;
            for (sum, &value) in table[start..start + dim].iter_mut().zip(value) {
                *sum += value;
            }
        }
    }
}

/// For each row of a table its number among the distinct ids of one call; entries of earlier calls are told by their stamp, so
/// that nothing has to be cleared.
#[derive(Default)]
struct SlotMap {
    stamps: Vec<u32>,
    slots: Vec<u32>,
    stamp: u32,
}

thread_local! {
    static SLOT_MAP: RefCell<SlotMap> = RefCell::default();
}

/// The distinct ids in the order of their first appearance, and for each id its index among them. O(ids), whatever `rows` is,
/// but for the first use of a table that large, which reserves 8 bytes a row.
pub(crate) fn slot_map(ids: &[u32], rows: usize) -> (Vec<u32>, Vec<u32>) {
    SLOT_MAP.with_borrow_mut(|map| {
        if map.stamps.len() < rows || map.stamp == u32::MAX {
            // Fresh zeroed memory, which the system backs only where it is touched.
            map.stamps = vec![0; rows.max(map.stamps.len())];
            map.slots = vec![0; map.stamps.len()];
            map.stamp = 0;
        }
        map.stamp += 1;
        let mut distinct = Vec::new();
        let mut slots = Vec::with_capacity(ids.len());
        for &id in ids {
            let index = id as usize;
            if map.stamps[index] != map.stamp {
                map.stamps[index] = map.stamp;
                map.slots[index] = distinct.len() as u32;
                distinct.push(id);
            }
            slots.push(map.slots[index]);
        }
        (distinct, slots)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_ids_are_numbered_by_first_appearance_every_time() {
        for rows in [10, 1000, 8] {
            assert_eq!(
                slot_map(&[7, 3, 7, 0], rows),
                (vec![7, 3, 0], vec![0, 1, 0, 2])
            );
            assert_eq!(slot_map(&[0, 7], rows), (vec![0, 7], vec![0, 1]));
            assert_eq!(slot_map(&[], rows), (vec![], vec![]));
        }
    }

    #[test]
    fn scatter_undoes_gather_for_distinct_rows() {
        let table: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut rows = [0.0; 6];
        gather_rows(&table, 3, &[3, 1], &mut rows);
        assert_eq!(rows, [9.0, 10.0, 11.0, 3.0, 4.0, 5.0]);
        let mut sum = [0.0; 12];
        scatter_add_rows(&rows, 3, &[3, 3], &mut sum);
        assert_eq!(sum[9..], [12.0, 14.0, 16.0]);
        gather_rows::<f32>(&[], 0, &[], &mut []);
    }
}
