//! Numeric kernels: slices in, slices out; no tensors, no tape, no errors.
//!
//! Loops are plain and vectorised by the compiler inside [`dispatch`], which picks the widest vectors that the machine has when the
//! program runs. Results never depend on the number of threads: work is cut by sizes alone, and sums have a fixed order.

pub(crate) mod bags;
pub(crate) mod cross_entropy;
pub(crate) mod elementwise;
pub(crate) mod layer_norm;
pub(crate) mod math;
pub(crate) mod matmul;
pub(crate) mod random;
pub(crate) mod reduce;
pub(crate) mod rows;
pub(crate) mod softmax;
pub(crate) mod strided;

use rayon::prelude::*;

/// Below so many elements of work a kernel stays on its thread.
///
/// Entering the thread pool costs 5 to 8 µs, 70 µs after an idle time; 128k elements take about 30 µs of the cheapest kernel.
const PARALLEL_WORK: usize = 1 << 17;

/// How much work one part has when it is cut: about 10 µs.
const PART_WORK: usize = 1 << 15;

/// Runs `f` compiled for the best instruction set of this machine: AVX-512, AVX2 with FMA, or the baseline.
///
/// What `f` calls must be inlined into it to profit. For loops over slices, such as an optimizer's update.
#[inline(always)]
pub fn dispatch<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// Calls `f(first, part)` for parts of `out` that hold whole rows of `row` elements, `first` being the number of the part's first
/// row; on the thread pool if the work (in elements touched for each row) is worth it.
fn for_each_part<T: Send>(
    out: &mut [T],
    row: usize,
    work_per_row: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    let rows = out.len() / row.max(1);
    let alone =
        rows.saturating_mul(work_per_row) < PARALLEL_WORK || rayon::current_num_threads() == 1;
    if alone || rows < 2 {
        return dispatch(|| f(0, out));
    }
    let part_rows = (PART_WORK / work_per_row.max(1)).max(1);
    out.par_chunks_mut(part_rows * row)
        .enumerate()
        .for_each(|(part, out)| dispatch(|| f(part * part_rows, out)));
}

/// Runs `check` in pools of 1, 2 and 4 threads and asserts that it returns the same bits.
#[cfg(test)]
fn assert_same_bits<T: crate::Element>(run: impl Fn() -> Vec<T> + Sync) {
    let mut results = [1, 2, 4].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let bits = |value: T| value.as_f64().to_bits();
        pool.install(&run).into_iter().map(bits).collect::<Vec<_>>()
    });
    results[1..]
        .iter_mut()
        .for_each(|result| assert!(!result.is_empty()));
    assert!(results[0] == results[1] && results[1] == results[2]);
}
