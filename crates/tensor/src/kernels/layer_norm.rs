//! Normalisation of rows to mean 0 and variance 1.

use super::reduce::sum_lanes;
use super::{dispatch, for_each_part};
use crate::element::Element;

/// `out = (x - mean) / √(var + eps) w + b` for each row, in two passes; the variance is the biased one.
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its slices one by one"
)]
pub(crate) fn layer_norm<T: Element>(
    x: &[T],
    columns: usize,
    eps: T,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    out: &mut [T],
    mean: &mut [T],
    inverse_std: &mut [T],
) {
    let count = T::from_f64(columns as f64).recip();
    for_each_part(mean, 1, columns, |first, mean| {
        for (row, mean) in (first..).zip(mean) {
            *mean = sum_lanes(&x[row * columns..(row + 1) * columns], |x| x) * count;
        }
    });
    for_each_part(inverse_std, 1, columns, |first, inverse_std| {
        for (row, inverse_std) in (first..).zip(inverse_std) {
            let mean = mean[row];
            let square = |x: T| (x - mean) * (x - mean);
            let variance = sum_lanes(&x[row * columns..(row + 1) * columns], square) * count;
            *inverse_std = (variance + eps).sqrt().recip();
        }
    });
    for_each_part(out, columns, columns, |first, out| {
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns.max(1))) {
            let (mean, inverse_std) = (mean[row], inverse_std[row]);
            for (out, &x) in out.iter_mut().zip(&x[row * columns..]) {
                *out = (x - mean) * inverse_std;
            }
            if let Some(weight) = weight {
                out.iter_mut().zip(weight).for_each(|(out, &w)| *out *= w);
            }
            if let Some(bias) = bias {
                out.iter_mut().zip(bias).for_each(|(out, &b)| *out += b);
            }
        }
    });
}

/// `dx = (h - mean h - n mean(h n)) / std` for each row, with `h = g w` and `n = (x - mean) / std`.
pub(crate) fn layer_norm_backward<T: Element>(
    x: &[T],
    columns: usize,
    mean: &[T],
    inverse_std: &[T],
    weight: Option<&[T]>,
    grad: &[T],
    dx: &mut [T],
) {
    let count = T::from_f64(columns as f64).recip();
    for_each_part(dx, columns, columns * 3, |first, dx| {
        for (row, dx) in (first..).zip(dx.chunks_exact_mut(columns.max(1))) {
            let (x, g) = (
                &x[row * columns..][..columns],
                &grad[row * columns..][..columns],
            );
            let (mean, inverse_std) = (mean[row], inverse_std[row]);
            match weight {
                Some(weight) => {
                    for (h, (&g, &w)) in dx.iter_mut().zip(g.iter().zip(weight)) {
                        *h = g * w;
                    }
                }
                None => dx.copy_from_slice(g),
            }
            let across = sum_lanes(dx, |h| h) * count;
            let mut along = T::zero();
            for (&h, &x) in dx.iter().zip(x) {
                along += h * (x - mean);
            }
            let along = along * inverse_std * count;
            for (h, &x) in dx.iter_mut().zip(x) {
                *h = (*h - across - (x - mean) * inverse_std * along) * inverse_std;
            }
        }
    });
}

/// `dw = Σ g n`, `db = Σ g` over the rows.
pub(crate) fn layer_norm_backward_affine<T: Element>(
    x: &[T],
    columns: usize,
    mean: &[T],
    inverse_std: &[T],
    grad: &[T],
    dweight: &mut [T],
    dbias: &mut [T],
) {
    dweight.fill(T::zero());
    dbias.fill(T::zero());
    dispatch(|| {
        for (row, (x, g)) in x
            .chunks_exact(columns.max(1))
            .zip(grad.chunks_exact(columns.max(1)))
            .enumerate()
        {
            let (mean, inverse_std) = (mean[row], inverse_std[row]);
            let sums = dweight.iter_mut().zip(dbias.iter_mut());
            for ((dw, db), (&x, &g)) in sums.zip(x.iter().zip(g)) {
                *dw += g * (x - mean) * inverse_std;
                *db += g;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_get_mean_zero_and_variance_one() {
        let columns = 37;
        let x: Vec<f64> = (0..columns * 3).map(|i| ((i * 13) % 17) as f64).collect();
        let mut out = vec![0.0; x.len()];
        layer_norm(
            &x,
            columns,
            0.0,
            None,
            None,
            &mut out,
            &mut [0.0; 3],
            &mut [0.0; 3],
        );
        for row in out.chunks(columns) {
            let mean = row.iter().sum::<f64>() / columns as f64;
            let variance = row.iter().map(|x| x * x).sum::<f64>() / columns as f64;
            assert!(mean.abs() < 1e-14 && (variance - 1.0).abs() < 1e-13);
        }
    }
}
