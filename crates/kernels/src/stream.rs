//! Writing a large output past the caches.
//!
//! A plain store first reads its cache line. Of an output that outgrows what the caches hold, nothing is left there when it is read
//! next, and that first read is a quarter of what an addition moves.

#![allow(unsafe_code)]

use crate::PartKernel;
use crate::number::Number;

/// From how many bytes on an output is written past the caches. Below, whoever reads it next would wait longer.
const BYTES: usize = 32 << 20;

/// How many elements are computed at a time: the stores of a cache line must follow each other, and the line fits a register.
const BLOCK: usize = 16;

/// Whether an output is to be written past the caches.
pub(crate) fn is_large<T>(out: &[T]) -> bool {
    cfg!(target_arch = "x86_64") && size_of_val(out) >= BYTES
}

/// A kernel whose rows are single elements, and whose output is written past the caches.
pub(crate) struct PastCaches<'a, K>(pub(crate) &'a K);

impl<T: Number, K: PartKernel<T>> PartKernel<T> for PastCaches<'_, K> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        if out.as_ptr().align_offset(VECTOR) != 0 {
            return self.0.run(first, out);
        }
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        let last = first + blocks.len() * BLOCK;
        for (start, out) in (first..).step_by(BLOCK).zip(blocks) {
            let mut block = [T::zero(); BLOCK];
            self.0.run(start, &mut block);
            copy_past_caches(&block, out);
        }
        self.0.run(last, rest);
        fence();
    }
}

/// How many bytes one store writes: those of the instruction that every x86-64 has.
const VECTOR: usize = 16;

/// Copies by stores that leave the caches alone, to where a [`VECTOR`] may begin; [`fence`] must follow.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn copy_past_caches<T: Number>(from: &[T; BLOCK], to: &mut [T; BLOCK]) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
    let lanes = VECTOR / size_of::<T>();
    assert!(to.as_ptr().align_offset(VECTOR) == 0);
    for (from, to) in from.chunks_exact(lanes).zip(to.chunks_exact_mut(lanes)) {
        let (from, to) = (from.as_ptr().cast(), to.as_mut_ptr().cast());
        // SAFETY: each chunk is 16 bytes of plain numbers, and `to` is aligned, since the first chunk is.
        unsafe { _mm_stream_si128(to, _mm_loadu_si128(from)) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn copy_past_caches<T: Number>(from: &[T; BLOCK], to: &mut [T; BLOCK]) {
    *to = *from;
}

/// Orders what [`copy_past_caches`] wrote before all that follows, on whatever thread.
#[inline(always)]
fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction belongs to every x86-64.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count;

    impl PartKernel<f32> for Count {
        fn run(&self, first: usize, out: &mut [f32]) {
            let numbers = out.iter_mut().zip(first..);
            numbers.for_each(|(out, i)| *out = i as f32);
        }
    }

    #[test]
    fn every_length_and_place_is_written() {
        let mut out = vec![0.0_f32; 3 * BLOCK];
        for start in [0, 1, 4, 7] {
            for length in [0, 1, 3, 4, 5, BLOCK, BLOCK + 6] {
                out.fill(-1.0);
                PastCaches(&Count).run(9, &mut out[start..start + length]);
                let expected = |i: usize| match i.checked_sub(start) {
                    Some(i) if i < length => (9 + i) as f32,
                    _ => -1.0,
                };
                assert!(out.iter().enumerate().all(|(i, &out)| out == expected(i)));
            }
        }
        assert!(!is_large(&out));
    }
}
