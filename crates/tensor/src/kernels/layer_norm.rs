//! Normalisation of rows to mean 0 and variance 1.

use super::reduce::sum_lanes;
use super::{Kernel, PartKernel, dispatch, for_each_part};
use crate::element::Element;

/// The rows and what is known of each.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) columns: usize,
    /// `mean` and `1 / √(var + eps)` of each row.
    pub(crate) statistics: &'a [(T, T)],
}

/// `mean` and `1 / √(var + eps)` of each row, in two passes; the variance is the biased one.
pub(crate) fn statistics<T: Element>(x: &[T], columns: usize, eps: T, out: &mut [(T, T)]) {
    for_each_part(out, 1, columns * 2, &Statistics { x, columns, eps });
}

struct Statistics<'a, T> {
    x: &'a [T],
    columns: usize,
    eps: T,
}

impl<T: Element> PartKernel<(T, T)> for Statistics<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [(T, T)]) {
        let &Self { x, columns, eps } = self;
        let count = T::from_f64(columns as f64).recip();
        for (row, out) in (first..).zip(out) {
            let x = &x[row * columns..(row + 1) * columns];
            let mean = sum_lanes(x) * count;
            let variance = centred_squares(x, mean) * count;
            *out = (mean, (variance + eps).sqrt().recip());
        }
    }
}

/// `Σ (x - mean)²`
#[inline(always)]
fn centred_squares<T: Element>(x: &[T], mean: T) -> T {
    let (chunks, rest) = x.as_chunks::<16>();
    let mut lanes = [T::zero(); 16];
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += (x - mean) * (x - mean);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += (x - mean) * (x - mean);
    }
    sum_lanes(&lanes)
}

/// `Σ h (x - mean)`
#[inline(always)]
fn centred_products<T: Element>(h: &[T], x: &[T], mean: T) -> T {
    let (h_chunks, h_rest) = h.as_chunks::<32>();
    let (x_chunks, x_rest) = x.as_chunks::<32>();
    let mut lanes = [T::zero(); 32];
    for (h, x) in h_chunks.iter().zip(x_chunks) {
        for (lane, (&h, &x)) in lanes.iter_mut().zip(h.iter().zip(x)) {
            *lane += h * (x - mean);
        }
    }
    for (lane, (&h, &x)) in lanes.iter_mut().zip(h_rest.iter().zip(x_rest)) {
        *lane += h * (x - mean);
    }
    sum_lanes(&lanes)
}

/// `out = (x - mean) / √(var + eps) w + b` for each row.
pub(crate) fn layer_norm<T: Element>(
    rows: Rows<'_, T>,
    weight: Option<&[T]>,
    bias: Option<&[T]>,
    out: &mut [T],
) {
    let columns = rows.columns;
    for_each_part(out, columns, columns, &Forward { rows, weight, bias });
}

struct Forward<'a, T> {
    rows: Rows<'a, T>,
    weight: Option<&'a [T]>,
    bias: Option<&'a [T]>,
}

impl<T: Element> PartKernel<T> for Forward<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { rows, weight, bias } = self;
        let columns = rows.columns;
        for (row, out) in (first..).zip(out.chunks_exact_mut(columns.max(1))) {
            let (mean, inverse_std) = rows.statistics[row];
            for (out, &x) in out.iter_mut().zip(&rows.x[row * columns..]) {
                *out = (x - mean) * inverse_std;
            }
            if let Some(weight) = weight {
                out.iter_mut().zip(weight).for_each(|(out, &w)| *out *= w);
            }
            if let Some(bias) = bias {
                out.iter_mut().zip(bias).for_each(|(out, &b)| *out += b);
            }
        }
    }
}

/// `dx = (h - mean h - n mean(h n)) / std` for each row, with `h = g w` and `n = (x - mean) / std`.
pub(crate) fn layer_norm_backward<T: Element>(
    rows: Rows<'_, T>,
    weight: Option<&[T]>,
    grad: &[T],
    dx: &mut [T],
) {
    let columns = rows.columns;
    for_each_part(dx, columns, columns * 3, &Backward { rows, weight, grad });
}

struct Backward<'a, T> {
    rows: Rows<'a, T>,
    weight: Option<&'a [T]>,
    grad: &'a [T],
}

impl<T: Element> PartKernel<T> for Backward<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, dx: &mut [T]) {
        let &Self { rows, weight, grad } = self;
        let columns = rows.columns;
        let count = T::from_f64(columns as f64).recip();
        for (row, dx) in (first..).zip(dx.chunks_exact_mut(columns.max(1))) {
            let x = &rows.x[row * columns..][..columns];
            let (mean, inverse_std) = rows.statistics[row];
            dx.copy_from_slice(&grad[row * columns..][..columns]);
            if let Some(weight) = weight {
                dx.iter_mut().zip(weight).for_each(|(h, &w)| *h *= w);
            }
            let across = sum_lanes(dx) * count;
            let along = centred_products(dx, x, mean) * inverse_std * count;
            for (h, &x) in dx.iter_mut().zip(x) {
                *h = (*h - across - (x - mean) * inverse_std * along) * inverse_std;
            }
        }
    }
}

/// `dw = Σ g n`, `db = Σ g` over the rows.
pub(crate) fn layer_norm_backward_affine<T: Element>(
    rows: Rows<'_, T>,
    grad: &[T],
    dweight: &mut [T],
    dbias: &mut [T],
) {
    dweight.fill(T::zero());
    dbias.fill(T::zero());
    dispatch(AffineSums {
        rows,
        grad,
        dweight,
        dbias,
    });
}

struct AffineSums<'a, T> {
    rows: Rows<'a, T>,
    grad: &'a [T],
    dweight: &'a mut [T],
    dbias: &'a mut [T],
}

impl<T: Element> Kernel for AffineSums<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.rows;
        let columns = rows.columns.max(1);
        let pairs = rows
            .x
            .chunks_exact(columns)
            .zip(self.grad.chunks_exact(columns));
        for ((x, g), &(mean, inverse_std)) in pairs.zip(rows.statistics) {
            let sums = self.dweight.iter_mut().zip(self.dbias.iter_mut());
            for ((dw, db), (&x, &g)) in sums.zip(x.iter().zip(g)) {
                *dw += g * (x - mean) * inverse_std;
                *db += g;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_get_mean_zero_and_variance_one() {
        let columns = 37;
        let x: Vec<f64> = (0..columns * 3).map(|i| ((i * 13) % 17) as f64).collect();
        let mut out = vec![0.0; x.len()];
        let mut found = [(0.0, 0.0); 3];
        statistics(&x, columns, 0.0, &mut found);
        let rows = Rows {
            x: &x,
            columns,
            statistics: &found,
        };
        layer_norm(rows, None, None, &mut out);
        for row in out.chunks(columns) {
            let mean = row.iter().sum::<f64>() / columns as f64;
            let variance = row.iter().map(|x| x * x).sum::<f64>() / columns as f64;
            assert!(mean.abs() < 1e-14 && (variance - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn the_backward_pass_is_its_formula() {
        for columns in [1, 7, 31, 32, 33, 100] {
            let numbers = |factor: usize| -> Vec<f64> {
                let number = |i| ((i * factor) % 23) as f64 * 0.1 - 1.0;
                (0..columns * 2).map(number).collect()
            };
            let (x, g, weight) = (numbers(13), numbers(7), &numbers(5)[..columns]);
            let mut found = [(0.0, 0.0); 2];
            statistics(&x, columns, 1e-5, &mut found);
            let rows = Rows {
                x: &x,
                columns,
                statistics: &found,
            };
            let mut dx = vec![0.0; x.len()];
            layer_norm_backward(rows, Some(weight), &g, &mut dx);
            for (row, &(mean, inverse_std)) in found.iter().enumerate() {
                let h = |c: usize| g[row * columns + c] * weight[c];
                let n = |c: usize| (x[row * columns + c] - mean) * inverse_std;
                let mean_of =
                    |f: &dyn Fn(usize) -> f64| (0..columns).map(f).sum::<f64>() / columns as f64;
                let (across, along) = (mean_of(&h), mean_of(&|c| h(c) * n(c)));
                for c in 0..columns {
                    let expected = (h(c) - across - n(c) * along) * inverse_std;
                    assert!((dx[row * columns + c] - expected).abs() < 1e-11 * inverse_std);
                }
            }
        }
    }
}
