//! Loops over one slice, or two of the same length.

use super::for_each_part;
use crate::element::Element;

/// `out = f(x)`
pub(crate) fn map<T: Element>(x: &[T], out: &mut [T], f: impl Fn(T) -> T + Sync) {
    for_each_part(out, 1, 1, |start, out| {
        let x = &x[start..start + out.len()];
        for (out, &x) in out.iter_mut().zip(x) {
            *out = f(x);
        }
    });
}

/// `x = f(x)`
pub(crate) fn map_in_place<T: Element>(x: &mut [T], f: impl Fn(T) -> T + Sync) {
    for_each_part(x, 1, 1, |_, x| {
        for x in x {
            *x = f(*x);
        }
    });
}

/// `out = f(x, y)`
pub(crate) fn zip<T: Element>(x: &[T], y: &[T], out: &mut [T], f: impl Fn(T, T) -> T + Sync) {
    for_each_part(out, 1, 1, |start, out| {
        let (x, y) = (&x[start..start + out.len()], &y[start..start + out.len()]);
        for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
            *out = f(x, y);
        }
    });
}

/// `x = f(x, y)`
pub(crate) fn zip_in_place<T: Element>(x: &mut [T], y: &[T], f: impl Fn(T, T) -> T + Sync) {
    for_each_part(x, 1, 1, |start, x| {
        let y = &y[start..start + x.len()];
        for (x, &y) in x.iter_mut().zip(y) {
            *x = f(*x, y);
        }
    });
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
            map(&x, &mut out, crate::kernels::math::Real::tanh_);
            out
        });
    }
}
