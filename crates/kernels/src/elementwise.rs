//! Loops over one slice, or two of the same length.

use crate::number::Number;
use crate::stream::{self, PastCaches};
use crate::{PartKernel, for_each_part};

/// A function of one number. Closures are; an operation with a long formula implements it with `call` marked `#[inline(always)]`.
pub trait Unary<T>: Copy + Sync {
    /// `f(x)`
    fn call(self, x: T) -> T;
}

impl<T, F: Fn(T) -> T + Copy + Sync> Unary<T> for F {
    #[inline(always)]
    fn call(self, x: T) -> T {
        self(x)
    }
}

/// A function of a number and another one, or a truth value, as [`Unary`].
pub trait Binary<T, U = T>: Copy + Sync {
    /// Whether moving the operands costs far more than the function, so that it pays to write large outputs past the caches.
    const IS_CHEAP: bool = false;

    /// `f(x, y)`
    fn call(self, x: T, y: U) -> T;
}

impl<T, U, F: Fn(T, U) -> T + Copy + Sync> Binary<T, U> for F {
    const IS_CHEAP: bool = true;

    #[inline(always)]
    fn call(self, x: T, y: U) -> T {
        self(x, y)
    }
}

/// `out = f(x)`
pub fn map<T: Number>(x: &[T], out: &mut [T], f: impl Unary<T>) {
    for_each_part(out, 1, 1, &Map { x, f });
}

struct Map<'a, T, F> {
    x: &'a [T],
    f: F,
}

impl<T: Number, F: Unary<T>> PartKernel<T> for Map<'_, T, F> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let x = &self.x[first..first + out.len()];
        for (out, &x) in out.iter_mut().zip(x) {
            *out = self.f.call(x);
        }
    }
}

/// `x = f(x)`
pub fn map_in_place<T: Number>(x: &mut [T], f: impl Unary<T>) {
    for_each_part(x, 1, 1, &MapInPlace { f });
}

struct MapInPlace<F> {
    f: F,
}

impl<T: Number, F: Unary<T>> PartKernel<T> for MapInPlace<F> {
    #[inline(always)]
    fn run(&self, _first: usize, x: &mut [T]) {
        for x in x {
            *x = self.f.call(*x);
        }
    }
}

/// `out = f(x, y)`
pub fn zip<T: Number, U: Copy + Sync, F: Binary<T, U>>(x: &[T], y: &[U], out: &mut [T], f: F) {
    let kernel = Zip { x, y, f };
    if F::IS_CHEAP && stream::is_large(out) {
        for_each_part(out, 1, 1, &PastCaches(&kernel));
    } else {
        for_each_part(out, 1, 1, &kernel);
    }
}

struct Zip<'a, T, U, F> {
    x: &'a [T],
    y: &'a [U],
    f: F,
}

impl<T: Number, U: Copy + Sync, F: Binary<T, U>> PartKernel<T> for Zip<'_, T, U, F> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let range = first..first + out.len();
        let pairs = self.x[range.clone()].iter().zip(&self.y[range]);
        for (out, (&x, &y)) in out.iter_mut().zip(pairs) {
            *out = self.f.call(x, y);
        }
    }
}

/// `x = f(x, y)`
pub fn zip_in_place<T: Number>(x: &mut [T], y: &[T], f: impl Binary<T>) {
    for_each_part(x, 1, 1, &ZipInPlace { y, f });
}

struct ZipInPlace<'a, T, F> {
    y: &'a [T],
    f: F,
}

impl<T: Number, F: Binary<T>> PartKernel<T> for ZipInPlace<'_, T, F> {
    #[inline(always)]
    fn run(&self, first: usize, x: &mut [T]) {
        let y = &self.y[first..first + x.len()];
        for (x, &y) in x.iter_mut().zip(y) {
            *x = self.f.call(*x, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PARALLEL_WORK, assert_same_bits};

    #[test]
    fn every_length_is_covered_alone_and_in_parts() {
        for length in [0, 1, 7, 8, 9, 31, 1000, PARALLEL_WORK + 3] {
            let x: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let mut out = vec![0.0; length];
            map(&x, &mut out, |x| x + 1.0);
            assert!(out.iter().zip(&x).all(|(out, x)| *out == x + 1.0));
            zip(&x, &out.clone(), &mut out, |x, y| x - y);
            assert!(out.iter().all(|&out| out == -1.0));
            zip_in_place(&mut out, &x, |x, y| x + y);
            map_in_place(&mut out, |x| x + 1.0);
            assert_eq!(out, x);
        }
    }

    #[test]
    fn threads_never_change_the_bits() {
        let x: Vec<f32> = (0..PARALLEL_WORK * 2).map(|i| (i as f32).sin()).collect();
        assert_same_bits(|| {
            let mut out = vec![0.0; x.len()];
            map(&x, &mut out, crate::math::Transcendental::tanh_);
            out
        });
    }
}
