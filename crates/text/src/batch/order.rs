//! Which examples go into which batch: lists of their indices.

use rand::Rng;
use rand::seq::SliceRandom;

/// Batches that are shuffled together before they are sorted by length: enough that lengths are alike, and few enough that a
/// batch is still random.
const BATCHES_SORTED_TOGETHER: usize = 64;

/// `0..count` in order, in batches of `size`; the last may be smaller.
///
/// ```
/// assert_eq!(lexigrad_text::batch::in_order(5, 2), [vec![0, 1], vec![2, 3], vec![4]]);
/// ```
pub fn in_order(count: usize, size: usize) -> Vec<Vec<usize>> {
    cut(&(0..count).collect::<Vec<_>>(), size)
}

/// `0..count` shuffled, in batches of `size`; the last may be smaller. The same generator gives the same batches.
///
/// ```
/// use rand::{SeedableRng, rngs::StdRng};
/// let batches = lexigrad_text::batch::shuffled(5, 2, &mut StdRng::seed_from_u64(1));
/// assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
/// ```
pub fn shuffled(count: usize, size: usize, rng: &mut (impl Rng + ?Sized)) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(rng);
    cut(&order, size)
}

/// The indices of `lengths`, shuffled, in batches of `size` whose members are of like length: little padding, no fixed company.
///
/// Buckets of 64 batches are drawn at random, sorted by length, cut into batches, and the batches shuffled. torchtext:
/// `BucketIterator`, which does likewise with 100.
///
/// ```
/// use rand::{SeedableRng, rngs::StdRng};
/// let lengths = [9, 1, 8, 2];
/// for batch in lexigrad_text::batch::by_length(&lengths, 2, &mut StdRng::seed_from_u64(1)) {
///     assert!(lengths[batch[0]].abs_diff(lengths[batch[1]]) <= 1);
/// }
/// ```
pub fn by_length(lengths: &[usize], size: usize, rng: &mut (impl Rng + ?Sized)) -> Vec<Vec<usize>> {
    let mut batches = Vec::new();
    for mut bucket in shuffled(
        lengths.len(),
        size.saturating_mul(BATCHES_SORTED_TOGETHER),
        rng,
    ) {
        bucket.sort_by_key(|&index| lengths[index]);
        batches.extend(cut(&bucket, size));
    }
    batches.shuffle(rng);
    batches
}

/// A size of 0 counts as 1.
fn cut(order: &[usize], size: usize) -> Vec<Vec<usize>> {
    order.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    proptest! {
        #[test]
        fn every_example_comes_once_whatever_the_batches(
            lengths in prop::collection::vec(0usize..50, 0..300),
            size in 0usize..9,
            seed: u64,
        ) {
            let rng = || StdRng::seed_from_u64(seed);
            let all: Vec<usize> = (0..lengths.len()).collect();
            for batches in [
                in_order(lengths.len(), size),
                shuffled(lengths.len(), size, &mut rng()),
                by_length(&lengths, size, &mut rng()),
            ] {
                prop_assert!(batches.iter().all(|batch| (1..=size.max(1)).contains(&batch.len())));
                let mut seen = batches.concat();
                seen.sort_unstable();
                prop_assert_eq!(&seen, &all);
            }
            prop_assert_eq!(by_length(&lengths, size, &mut rng()), by_length(&lengths, size, &mut rng()));
        }
    }

    #[test]
    fn little_is_padded() {
        let lengths: Vec<usize> = (0..10_000).map(|i| (i * 7919) % 100 + 1).collect();
        let batches = by_length(&lengths, 32, &mut StdRng::seed_from_u64(3));
        let longest = |batch: &Vec<usize>| batch.iter().map(|&index| lengths[index]).max();
        let padded: usize = batches
            .iter()
            .map(|b| longest(b).unwrap_or(0) * b.len())
            .sum();
        let all: usize = lengths.iter().sum();
        assert!((padded as f64) < 1.05 * all as f64, "{padded} {all}");
    }
}
