//! Gathering rows of a table, adding rows into one, and numbering the distinct ones.

use std::ops::Deref;

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::pool::{self, IdRoom};
use crate::{Kernel, PartKernel, ROWS_AHEAD, dispatch, for_each_part, prefetch};

/// `out[i] = table[ids[i]]`
#[compiled]
pub fn gather_rows<T: Number>(table: &[T], dim: usize, ids: &[u32], out: &mut [T]) {
    for_each_part(out, dim, dim, &Gather { table, ids, dim });
}

struct Gather<'a, T> {
    table: &'a [T],
    ids: &'a [u32],
    dim: usize,
}

impl<T: Number> PartKernel<T> for Gather<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { table, ids, dim } = self;
        for (row, out) in (first..).zip(out.chunks_exact_mut(dim.max(1))) {
            if let Some(&ahead) = ids.get(row + ROWS_AHEAD) {
                prefetch(&table[ahead as usize * dim..][..dim]);
            }
            let start = ids[row] as usize * dim;
            out.copy_from_slice(&table[start..start + dim]);
        }
    }
}

/// `table[ids[i]] += values[i]`, in the order of i.
#[compiled]
pub fn scatter_add_rows<T: Number>(values: &[T], dim: usize, ids: &[u32], table: &mut [T]) {
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

impl<T: Number> Kernel for ScatterAdd<'_, T> {
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

const FREE: u32 = u32::MAX;

/// Ids that are the same, together.
///
/// - `distinct`: the distinct ids in the order of their first appearance.
/// - `numbers`: for each id its number among the distinct ones.
/// - `labels`: the labels of the ids, those of the first distinct id first, and in the order of the ids.
/// - `offsets`: the distinct id number n has the labels `labels[offsets[n]..offsets[n + 1]]`.
pub struct Groups(IdRoom);

impl Deref for Groups {
    type Target = IdRoom;

    fn deref(&self) -> &IdRoom {
        &self.0
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        pool::let_go_of_id_room(std::mem::take(&mut self.0));
    }
}

impl Groups {
    /// The numbers alone; labels and offsets are left as another use left them.
    pub fn numbered(ids: &[u32]) -> Self {
        let mut groups = Self(pool::take_id_room());
        groups.number(ids);
        groups
    }

    /// With a label for each id, such as where it stands.
    #[inline]
    pub fn labelled(ids: &[u32], labels: impl Iterator<Item = u32>) -> Self {
        let mut groups = Self::numbered(ids);
        groups.sort(labels);
        groups
    }

    /// O(ids), whatever the table: a hash table of twice as many slots as ids, which stays in the cache, where a map by row would
    /// not.
    fn number(&mut self, ids: &[u32]) {
        let IdRoom {
            distinct,
            numbers,
            slots,
            ..
        } = &mut self.0;
        let size = (2 * ids.len()).next_power_of_two().max(2);
        slots.clear();
        slots.resize(size, (0, FREE));
        let shift = u32::BITS - size.ilog2();
        distinct.resize(ids.len(), 0);
        numbers.resize(ids.len(), 0);
        let mut count = 0;
        for (&id, number) in ids.iter().zip(numbers) {
            // Fibonacci hashing: the high bits of the product with 2^32 / φ.
            let mut place = (id.wrapping_mul(0x9e37_79b9) >> shift) as usize;
            // The branch "is this id new?" would be unpredictable, so the test is arithmetic: the smaller of the two is 0 in a slot that is
            // the id's or free, and a free one's number is above all others.
            while (slots[place].0 ^ id).min(slots[place].1.wrapping_add(1)) != 0 {
                place = (place + 1) & (size - 1);
            }
            *number = slots[place].1.min(count);
            let own = *number;
            slots[place] = (id, own);
            distinct[own as usize] = id;
            count += u32::from(own == count);
        }
        distinct.truncate(count as usize);
    }

    fn sort(&mut self, of_each: impl Iterator<Item = u32>) {
        let IdRoom {
            distinct,
            numbers,
            labels,
            offsets,
            ..
        } = &mut self.0;
        let count = distinct.len();
        // A counting sort. Counts go to n + 2, so after the prefix sum `offsets[n + 1]` is the start of group n; filling moves it to
        // the end.
        offsets.clear();
        offsets.resize(count + 2, 0);
        for &number in &*numbers {
            offsets[number as usize + 2] += 1;
        }
        for group in 2..offsets.len() {
            offsets[group] += offsets[group - 1];
        }
        labels.resize(numbers.len(), 0);
        for (&number, label) in numbers.iter().zip(of_each) {
            let next = &mut offsets[number as usize + 1];
            labels[*next] = label;
            *next += 1;
        }
        offsets.truncate(count + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(ids: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let groups = Groups::numbered(ids);
        (groups.distinct.clone(), groups.numbers.clone())
    }

    #[test]
    fn distinct_ids_are_numbered_by_first_appearance_every_time() {
        for _ in 0..2 {
            assert_eq!(numbered(&[7, 3, 7, 0]), (vec![7, 3, 0], vec![0, 1, 0, 2]));
            assert_eq!(
                numbered(&[u32::MAX, 7, u32::MAX]),
                (vec![u32::MAX, 7], vec![0, 1, 0])
            );
            assert_eq!(numbered(&[]), (vec![], vec![]));
        }
        let ids: Vec<u32> = (0..10_000).map(|i| (i * 7919) % 6007).collect();
        let (distinct, numbers) = numbered(&ids);
        assert_eq!(distinct.len(), 6007);
        assert!(
            ids.iter()
                .zip(numbers)
                .all(|(&id, number)| distinct[number as usize] == id)
        );
    }

    #[test]
    fn labels_stand_with_their_ids_every_time() {
        for _ in 0..2 {
            let groups = Groups::labelled(&[7, 3, 7, 9, 7], 10..15);
            assert_eq!(groups.labels, [10, 12, 14, 11, 13]);
            assert_eq!(groups.offsets, [0, 3, 4, 5]);
            let groups = Groups::labelled(&[], 0..0);
            assert_eq!((groups.labels.len(), &groups.offsets[..]), (0, &[0][..]));
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
