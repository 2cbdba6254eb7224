//! Loops over one slice, or two of the same length.

use super::for_each_part;
use crate::element::Element;

/// `out = f(context, x)`
pub(crate) fn map<T: Element, C: Copy + Sync>(
    x: &[T],
    out: &mut [T],
    context: C,
    f: impl Fn(C, T) -> T + Sync + Copy,
) {
    for_each_part(out, 1, 1, (x, context, f), map_part);
}

#[inline(always)]
fn map_part<T: Element, C: Copy>(
    &(x, context, f): &(&[T], C, impl Fn(C, T) -> T + Copy),
    first: usize,
    out: &mut [T],
) {
    let x = &x[first..first + out.len()];
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(context, x);
    }
}

/// `x = f(x)`
pub(crate) fn map_in_place<T: Element>(x: &mut [T], f: impl Fn(T) -> T + Sync) {
    for_each_part(x, 1, 1, f, map_part_in_place);
}

#[inline(always)]
fn map_part_in_place<T: Element>(f: &impl Fn(T) -> T, _first: usize, x: &mut [T]) {
    for x in x {
        *x = f(*x);
    }
}

/// `out = f(context, x, y)`
pub(crate) fn zip<T: Element, C: Copy + Sync>(
    x: &[T],
    y: &[T],
    out: &mut [T],
    context: C,
    f: impl Fn(C, T, T) -> T + Sync + Copy,
) {
    for_each_part(out, 1, 1, (x, y, context, f), zip_part);
}

#[inline(always)]
fn zip_part<T: Element, C: Copy>(
    &(x, y, context, f): &(&[T], &[T], C, impl Fn(C, T, T) -> T + Copy),
    first: usize,
    out: &mut [T],
) {
    let (x, y) = (&x[first..first + out.len()], &y[first..first + out.len()]);
    for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
        *out = f(context, x, y);
    }
}

/// `x = f(context, x, y)`
pub(crate) fn zip_in_place<T: Element, C: Copy + Sync>(
    x: &mut [T],
    y: &[T],
    context: C,
    f: impl Fn(C, T, T) -> T + Sync + Copy,
) {
    for_each_part(x, 1, 1, (y, context, f), zip_part_in_place);
}

#[inline(always)]
fn zip_part_in_place<T: Element, C: Copy>(
    &(y, context, f): &(&[T], C, impl Fn(C, T, T) -> T + Copy),
    first: usize,
    x: &mut [T],
) {
    let y = &y[first..first + x.len()];
    for (x, &y) in x.iter_mut().zip(y) {
        *x = f(context, *x, y);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PARALLEL_WORK, assert_same_bits};
    use super::*;

    #[test]
    fn every_length_is_covered_alone_and_in_parts() {
        for length in [0, 1, 7, 8, 9, 31, 1000, PARALLEL_WORK + 3] {
            let x: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let mut out = vec![0.0; length];
            map(&x, &mut out, 1.0, |c, x| x + c);
            assert!(out.iter().zip(&x).all(|(out, x)| *out == x + 1.0));
            zip(&x, &out.clone(), &mut out, (), |(), x, y| x - y);
            assert!(out.iter().all(|&out| out == -1.0));
            zip_in_place(&mut out, &x, (), |(), x, y| x + y);
            map_in_place(&mut out, |x| x + 1.0);
            assert_eq!(out, x);
        }
    }

    #[test]
    fn threads_never_change_the_bits() {
        let x: Vec<f32> = (0..PARALLEL_WORK * 2).map(|i| (i as f32).sin()).collect();
        assert_same_bits(|| {
            let mut out = vec![0.0; x.len()];
            map(&x, &mut out, (), |(), x| {
                crate::kernels::math::Real::tanh_(x)
            });
            out
        });
    }
}
