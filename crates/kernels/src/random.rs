//! Counter-based randomness: the i-th number of a seed needs none before it, so that threads and order never matter.

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::{PartKernel, for_each_part};

/// The finalizer of splitmix64 (Steele, Lea and Flood 2014): a bijection that spreads every bit over all.
#[inline(always)]
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// `out[i] = scale` with probability `keep`, else 0; the same for the same seed and i.
#[compiled]
pub fn keep_mask<T: Number>(seed: u64, keep: f64, scale: T, out: &mut [T]) {
    keep_mask_from(0, seed, keep, scale, out);
}

/// A part of [`keep_mask`], which begins with number `first`.
#[compiled]
pub fn keep_mask_from<T: Number>(first: usize, seed: u64, keep: f64, scale: T, out: &mut [T]) {
    let threshold = (keep * 2.0_f64.powi(32)) as u64;
    let kernel = KeepMask {
        start: mix(seed).wrapping_add(first as u64),
        threshold,
        scale,
    };
    for_each_part(out, 1, 2, &kernel);
}

struct KeepMask<T> {
    start: u64,
    threshold: u64,
    scale: T,
}

impl<T: Number> PartKernel<T> for KeepMask<T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self {
            start,
            threshold,
            scale,
        } = self;
        for (counter, out) in (first as u64..).zip(out) {
            let drawn = mix(start.wrapping_add(counter)) >> 32;
            *out = if drawn < threshold { scale } else { T::zero() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PARALLEL_WORK, assert_same_bits};

    #[test]
    fn the_share_kept_is_the_one_asked_for() {
        for keep in [0.1, 0.5, 0.9] {
            let mut mask = vec![0.0_f32; 100_000];
            keep_mask(3, keep, 1.0, &mut mask);
            let kept = mask.iter().sum::<f32>() / 1e5;
            // Five standard deviations of a share of 100,000.
            assert!((f64::from(kept) - keep).abs() < 5.0 * (keep * (1.0 - keep) / 1e5).sqrt());
        }
    }

    #[test]
    fn neighbouring_seeds_and_counters_are_unrelated() {
        let mask = |seed| {
            let mut mask = vec![0.0_f64; 10_000];
            keep_mask(seed, 0.5, 1.0, &mut mask);
            mask
        };
        let agreement = |x: &[f64], y: &[f64]| x.iter().zip(y).filter(|(x, y)| x == y).count();
        let (first, second) = (mask(1), mask(2));
        assert!(agreement(&first, &second).abs_diff(5000) < 250);
        assert!(agreement(&first[1..], &first).abs_diff(5000) < 250);
        assert!(agreement(&first[1..], &second).abs_diff(5000) < 250);
    }

    #[test]
    fn threads_never_change_the_mask() {
        assert_same_bits(|| {
            let mut mask = vec![0.0_f32; PARALLEL_WORK * 2];
            keep_mask(7, 0.5, 2.0, &mut mask);
            mask
        });
    }
}
