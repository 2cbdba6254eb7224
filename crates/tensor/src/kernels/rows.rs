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

/// A distinct id and its number.
#[derive(Clone, Copy)]
struct Slot {
    id: u32,
    number: u32,
}

const FREE: u32 = u32::MAX;

thread_local! {
    static SLOTS: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// The distinct ids in the order of their first appearance, and for each id its number among them.
///
/// O(ids), whatever the table: a hash table of twice as many slots as ids, which stays in the cache, where a map by row would not.
pub(crate) fn slot_map(ids: &[u32]) -> (Vec<u32>, Vec<u32>) {
    SLOTS.with_borrow_mut(|slots| {
        let size = (2 * ids.len()).next_power_of_two().max(2);
        slots.clear();
        slots.resize(
            size,
            Slot {
                id: 0,
                number: FREE,
            },
        );
        let shift = u32::BITS - size.ilog2();
        let mut distinct = Vec::new();
        let mut number_of = |id: u32| {
            // Fibonacci hashing: the high bits of the product with 2^32 / φ.
            let mut place = (id.wrapping_mul(0x9e37_79b9) >> shift) as usize;
            while slots[place].number != FREE && slots[place].id != id {
                place = (place + 1) & (size - 1);
            }
            if slots[place].number == FREE {
                let number = distinct.len() as u32;
                slots[place] = Slot { id, number };
                distinct.push(id);
            }
            slots[place].number
        };
        let numbers = ids.iter().map(|&id| number_of(id)).collect();
        (distinct, numbers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_ids_are_numbered_by_first_appearance_every_time() {
        for _ in 0..2 {
            assert_eq!(slot_map(&[7, 3, 7, 0]), (vec![7, 3, 0], vec![0, 1, 0, 2]));
            assert_eq!(
                slot_map(&[u32::MAX, 7, u32::MAX]),
                (vec![u32::MAX, 7], vec![0, 1, 0])
            );
            assert_eq!(slot_map(&[]), (vec![], vec![]));
        }
        let ids: Vec<u32> = (0..10_000).map(|i| (i * 7919) % 6007).collect();
        let (distinct, numbers) = slot_map(&ids);
        assert_eq!(distinct.len(), 6007);
        assert!(
            ids.iter()
                .zip(numbers)
                .all(|(&id, number)| distinct[number as usize] == id)
        );
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
