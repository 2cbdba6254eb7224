//! Asking for memory before it is needed.

#![allow(unsafe_code)]

/// The size of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// How many rows ahead a loop over rows asks the memory for them.
pub const ROWS_AHEAD: usize = 8;

/// Asks the processor for the cache lines of `values`, without waiting for them; does nothing where that cannot be asked.
///
/// For a loop over rows that lie anywhere in a large table: call it [`ROWS_AHEAD`] rows ahead, so that the memory answers while others
/// are worked on.
///
/// ```
/// lexigrad_kernels::prefetch(&[1.0_f32; 64]);
/// ```
#[inline(always)]
pub fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks((LINE / size_of::<T>().max(1)).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads and writes nothing and faults at no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}
