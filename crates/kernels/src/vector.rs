//! The vector registers of an instruction set, as f32 and f64 see them.

use std::any::TypeId;

use pulp::{Arch, Scalar128b, Simd, WithSimd};

/// A number type whose vectors can be multiplied and added.
pub trait Vectors: Copy {
    /// As many numbers as a register holds.
    type Vector<S: Simd>: Copy;

    /// The same number in all lanes.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;

    /// `a b + c`, rounded once where the instruction set does so.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// The first numbers of a slice, zeros where it is shorter.
    fn load_some<S: Simd>(simd: S, values: &[Self]) -> Self::Vector<S>;

    /// The sum of all lanes.
    fn sum_lanes<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;
}

/// How many numbers a register holds.
pub const fn lanes<T: Vectors, S: Simd>() -> usize {
    size_of::<T::Vector<S>>() / size_of::<T>()
}

macro_rules! vectors {
    ($number:ty, $vector:ident, $splat:ident, $multiply:ident, $add:ident, $multiply_add:ident, $load_some:ident, $sum:ident) => {
        impl Vectors for $number {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S> {
                simd.$splat(value)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
                c: Self::Vector<S>,
            ) -> Self::Vector<S> {
                if is_baseline::<S>() {
                    simd.$add(simd.$multiply(a, b), c)
                } else {
                    simd.$multiply_add(a, b, c)
                }
            }

            #[inline(always)]
            fn load_some<S: Simd>(simd: S, values: &[Self]) -> Self::Vector<S> {
                simd.$load_some(values)
            }

            #[inline(always)]
            fn sum_lanes<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self {
                simd.$sum(vector)
            }
        }
    };
}

vectors!(
    f32,
    f32s,
    splat_f32s,
    mul_f32s,
    add_f32s,
    mul_add_e_f32s,
    partial_load_f32s,
    reduce_sum_f32s
);
vectors!(
    f64,
    f64s,
    splat_f64s,
    mul_f64s,
    add_f64s,
    mul_add_e_f64s,
    partial_load_f64s,
    reduce_sum_f64s
);

/// Whether these are the vectors of a machine without a fused multiply-add, where it would be a call.
fn is_baseline<S: Simd>() -> bool {
    TypeId::of::<S>() == TypeId::of::<Scalar128b>()
}

/// Runs work with the vectors that [`dispatch`](crate::dispatch) has; the baseline's are written out as four numbers, which the compiler puts together.
pub fn on_this_machine<W: WithSimd>(work: W) -> W::Output {
    match crate::best_instruction_set() {
        Arch::Scalar => Scalar128b.vectorize(work),
        set => set.dispatch(work),
    }
}
