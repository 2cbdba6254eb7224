//! The gradient of a maximum or minimum along an axis.

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::{PartKernel, for_each_part};

/// `out[o, a, i] = grad[o, i] / count` where `x[o, a, i] = y[o, i]`, which holds count times along a, and 0 elsewhere. NaN equals NaN.
#[compiled]
pub fn extremum_backward<T: Number>(
    x: &[T],
    y: &[T],
    grad: &[T],
    axis: usize,
    inner: usize,
    out: &mut [T],
) {
    let kernel = ExtremumBackward {
        x,
        y,
        grad,
        axis,
        inner,
    };
    for_each_part(out, axis * inner, 2 * axis * inner, &kernel);
}

/// Whether x is the extremum y, which is NaN if there is one.
#[inline(always)]
pub fn wins<T: Number>(x: T, y: T) -> bool {
    (x == y) | (x.is_nan() & y.is_nan())
}

struct ExtremumBackward<'a, T> {
    x: &'a [T],
    y: &'a [T],
    grad: &'a [T],
    axis: usize,
    inner: usize,
}

impl<T: Number> PartKernel<T> for ExtremumBackward<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        if out.is_empty() {
            return;
        }
        let &Self { axis, inner, .. } = self;
        let block = axis * inner;
        let mut share = vec![T::zero(); inner];
        for (o, out) in (first..).zip(out.chunks_exact_mut(block)) {
            let x = &self.x[o * block..][..block];
            let (y, grad) = (
                &self.y[o * inner..][..inner],
                &self.grad[o * inner..][..inner],
            );
            share.fill(T::zero());
            for row in x.chunks_exact(inner) {
                for (count, (x, y)) in share.iter_mut().zip(row.iter().zip(y)) {
                    *count += if wins(*x, *y) { T::one() } else { T::zero() };
                }
            }
            for (share, &grad) in share.iter_mut().zip(grad) {
                *share = grad / *share;
            }
            for (row, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(inner)) {
                for ((out, &share), (x, y)) in out.iter_mut().zip(&share).zip(row.iter().zip(y)) {
                    *out = if wins(*x, *y) { share } else { T::zero() };
                }
            }
        }
    }
}
