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

/// `f(arguments)`, compiled for the best instruction set of this machine: AVX-512, AVX2 with FMA, or the baseline.
///
/// Pass a function marked `#[inline(always)]`, not a closure: what is not inlined is compiled for the baseline, and a closure
/// that is large is not. For loops over slices, such as an optimizer's update.
///
/// ```
/// #[inline(always)]
/// fn halve(values: &mut [f32]) {
///     values.iter_mut().for_each(|value| *value *= 0.5);
/// }
/// let mut values = [2.0, 4.0];
/// lexigrad_tensor::dispatch(&mut values[..], halve);
/// assert_eq!(values, [1.0, 2.0]);
/// ```
#[inline(always)]
pub fn dispatch<A, R>(arguments: A, f: impl FnOnce(A) -> R) -> R {
    pulp::Arch::new().dispatch(Call { arguments, f })
}

/// A function with its arguments, as `pulp` takes it.
struct Call<A, F> {
    arguments: A,
    f: F,
}

impl<A, R, F: FnOnce(A) -> R> pulp::WithSimd for Call<A, F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) -> R {
        (self.f)(self.arguments)
    }
}

/// Calls `f(operands, first, part)` for parts of `out` that hold whole rows of `row` elements, `first` being the number of the
/// part's first row; on the thread pool if the work (in elements touched for each row) is worth it.
///
/// Each call is a [`dispatch`], so `f` is a function marked `#[inline(always)]`.
fn for_each_part<T: Send, C: Sync>(
    out: &mut [T],
    row: usize,
    work_per_row: usize,
    operands: C,
    f: impl Fn(&C, usize, &mut [T]) + Sync + Copy,
) {
    let rows = out.len() / row.max(1);
    let run = |first: usize, part: &mut [T]| {
        let part = Part {
            operands: &operands,
            first,
            part,
            f,
        };
        pulp::Arch::new().dispatch(part);
    };
    let alone = rows < 2
        || rows.saturating_mul(work_per_row) < PARALLEL_WORK
        || rayon::current_num_threads() == 1;
    if alone {
        return run(0, out);
    }
    let part_rows = (PART_WORK / work_per_row.max(1)).max(1);
    out.par_chunks_mut(part_rows * row)
        .enumerate()
        .for_each(|(index, part)| run(index * part_rows, part));
}

/// One part of the work of [`for_each_part`], as `pulp` takes it.
struct Part<'a, T, C, F> {
    operands: &'a C,
    first: usize,
    part: &'a mut [T],
    f: F,
}

impl<T, C, F: Fn(&C, usize, &mut [T])> pulp::WithSimd for Part<'_, T, C, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) {
        (self.f)(self.operands, self.first, self.part);
    }
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
