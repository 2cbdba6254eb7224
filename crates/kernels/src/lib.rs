//! Numeric kernels: slices in, slices out; no tensors, no tape, no errors but for memory.
//!
//! The lengths of the slices must fit each other as the formula of each kernel says. Where they do not, a kernel panics or leaves a part of
//! its output as it was.
//!
//! Loops are plain and vectorised by the compiler inside [`dispatch`], which picks the widest vectors that the machine has when the
//! program runs. Results never depend on the number of threads: sums have a fixed order, and only independent outputs are split by anything other than size.

pub mod attention;
pub mod bag_sum;
pub mod bags;
pub mod convolution;
pub mod cross_entropy;
pub mod elementwise;
pub mod extremum;
pub mod index;
mod lanes;
pub mod layer_norm;
pub mod math;
pub mod number;
pub mod order;
pub mod pool;
mod prefetch;
pub mod product;
pub mod random;
pub mod recurrent;
pub mod reduce;
pub mod rows;
pub mod softmax;
pub mod storage;
mod stream;
pub mod strided;
pub mod threads;
pub mod transpose;
mod vector;
pub mod view;
pub mod windows;

use std::sync::OnceLock;

pub use number::Number;
pub use prefetch::{ROWS_AHEAD, prefetch};
pub use threads::{is_worth_sharing, join, share};

/// Below so many elements of work a kernel stays on its thread.
///
/// Entering the thread pool costs 5 to 8 µs, and 70 µs after an idle time; 128k elements take 10 µs of the cheapest kernel and
/// 200 µs of the dearest.
const PARALLEL_WORK: usize = 1 << 17;

/// Fewer multiplications than this stay on one thread: 2 MFLOP, some 20 µs.
const PARALLEL_PRODUCTS: usize = 1 << 20;

/// How much work one part has when it is cut: about 10 µs.
const PART_WORK: usize = 1 << 15;

/// A loop over slices, as a struct of its operands.
///
/// ```
/// use lexigrad_kernels::{Kernel, dispatch};
///
/// struct Halve<'a>(&'a mut [f32]);
///
/// impl Kernel for Halve<'_> {
///     type Output = ();
///
///     #[inline(always)]
///     fn run(self) {
///         self.0.iter_mut().for_each(|value| *value *= 0.5);
///     }
/// }
///
/// let mut values = [2.0, 4.0];
/// dispatch(Halve(&mut values));
/// assert_eq!(values, [1.0, 2.0]);
/// ```
pub trait Kernel {
    /// What the loop returns.
    type Output;

    /// The loop. Mark it `#[inline(always)]`, and what it calls: what is not inlined into [`dispatch`] is compiled for the
    /// baseline instruction set, where a fused multiply-add is a call into libm.
    fn run(self) -> Self::Output;
}

/// Runs a kernel compiled for the best instruction set of this machine: AVX-512, AVX2 with FMA, or the baseline.
#[inline(always)]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    best_instruction_set().dispatch(Vectorised(kernel))
}

/// The instruction set is looked up once: the look costs as much as a small kernel.
#[inline(always)]
fn best_instruction_set() -> pulp::Arch {
    static BEST: OnceLock<pulp::Arch> = OnceLock::new();
    *BEST.get_or_init(|| wished_instruction_set().unwrap_or_default())
}

/// The one that `LEXIGRAD_INSTRUCTIONS` asks for, `avx2` or `baseline`, so that every path can be tested on a machine that has more.
///
/// # Panics
/// If it is another, or the machine does not have it: a test of a path would else test a different one.
fn wished_instruction_set() -> Option<pulp::Arch> {
    let wish = std::env::var("LEXIGRAD_INSTRUCTIONS").ok()?;
    let set = match wish.as_str() {
        "baseline" => Some(pulp::Arch::Scalar),
        #[cfg(target_arch = "x86_64")]
        "avx2" => pulp::x86::V3::try_new().map(pulp::Arch::V3),
        _ => None,
    };
    assert!(
        set.is_some(),
        "LEXIGRAD_INSTRUCTIONS is {wish:?}; it must be \"avx2\" or \"baseline\", and this machine must have it"
    );
    set
}

struct Vectorised<K>(K);

impl<K: Kernel> pulp::WithSimd for Vectorised<K> {
    type Output = K::Output;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _simd: S) -> K::Output {
        self.0.run()
    }
}

/// A kernel whose output can be cut into parts: a struct of its operands.
trait PartKernel<T>: Sync {
    /// Writes a part of the output that begins with row `first`; to be marked `#[inline(always)]` as [`Kernel::run`].
    fn run(&self, first: usize, out: &mut [T]);
}

/// Runs a kernel on parts of `out` that hold whole rows of `row` elements; on the thread pool if the work (in elements touched for
/// each row) is worth it.
#[inline(always)]
fn for_each_part<T: Send>(
    out: &mut [T],
    row: usize,
    work_per_row: usize,
    kernel: &impl PartKernel<T>,
) {
    let rows = out.len() / row.max(1);
    if rows < 2 || !is_worth_sharing(rows.saturating_mul(work_per_row)) {
        return dispatch(Part {
            kernel,
            first: 0,
            out,
        });
    }
    share_parts(out, row, work_per_row, kernel);
}

/// [`for_each_part`] on the thread pool; apart from it, so that the common case is short.
#[inline(never)]
fn share_parts<T: Send>(
    out: &mut [T],
    row: usize,
    work_per_row: usize,
    kernel: &impl PartKernel<T>,
) {
    let part_rows = (PART_WORK / work_per_row.max(1)).max(1);
    threads::for_each_chunk(out, part_rows * row, true, |index, out| {
        let first = index * part_rows;
        dispatch(Part { kernel, first, out });
    });
}

/// How often nested loops of these lengths run. It saturates: the sizes of views that repeat their elements may overflow a `usize`.
#[inline]
fn repetitions(lengths: &[usize]) -> usize {
    lengths
        .iter()
        .fold(1, |product, &length| product.saturating_mul(length))
}

/// A buffer cut into `count` parts of one length, which may be 0.
fn equal_parts<T>(buffer: &mut [T], count: usize) -> impl Iterator<Item = &mut [T]> {
    let length = buffer.len() / count.max(1);
    let mut rest = buffer;
    (0..count).map(move |_| {
        let (own, others) = std::mem::take(&mut rest).split_at_mut(length);
        rest = others;
        own
    })
}

struct Part<'a, K, T> {
    kernel: &'a K,
    first: usize,
    out: &'a mut [T],
}

impl<T, K: PartKernel<T>> Kernel for Part<'_, K, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.kernel.run(self.first, self.out);
    }
}

/// Calls `run` in pools of 1 to 8 threads and asserts that it returns the same bits.
#[cfg(test)]
pub fn assert_same_bits<T: Number>(run: impl Fn() -> Vec<T> + Sync) {
    let results = [1, 2, 3, 4, 8].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let bits = |value: T| value.as_f64().to_bits();
        pool.install(&run).into_iter().map(bits).collect::<Vec<_>>()
    });
    assert!(results.iter().all(|result| !result.is_empty()));
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
}
