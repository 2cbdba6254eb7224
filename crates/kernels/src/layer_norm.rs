//! Normalisation of rows to mean 0 and variance 1.

use lexigrad_macros::compiled;

use crate::lanes;
use crate::number::Number;
use crate::reduce::{rows_of_a_block, sum_axis, sum_lanes};
use crate::{Kernel, dispatch, share};

/// The rows and what is known of each.
#[derive(Clone, Copy)]
pub struct Rows<'a, T> {
    /// `[rows, columns]`
    pub x: &'a [T],
    /// How many numbers a row has.
    pub columns: usize,
    /// `mean` and `1 / √(var + eps)` of each row.
    pub statistics: &'a [(T, T)],
}

/// `Σ (x - mean)²`
#[inline(always)]
fn centred_squares<T: Number>(x: &[T], mean: T) -> T {
    let add = |sum, x: T| sum + (x - mean) * (x - mean);
    lanes::sum(&lanes::fold(x, T::zero(), add))
}

/// `Σ h (x - mean)`
#[inline(always)]
fn centred_products<T: Number>(h: &[T], x: &[T], mean: T) -> T {
    let add = |sum, h: T, x: T| sum + h * (x - mean);
    lanes::sum(&lanes::fold_pairs(h, x, T::zero(), add))
}

/// What the numbers of a normalised row are multiplied by, and what is added.
#[derive(Clone, Copy)]
pub struct Affine<'a, T> {
    /// w
    pub weight: Option<&'a [T]>,
    /// b
    pub bias: Option<&'a [T]>,
}

/// `out = (x - mean) / √(var + eps) w + b` for each row, and its `mean` and `1 / √(var + eps)`; the variance is the biased one.
#[compiled]
pub fn layer_norm<T: Number>(
    x: &[T],
    affine: Affine<'_, T>,
    eps: T,
    statistics: &mut [(T, T)],
    out: &mut [T],
) {
    let columns = (x.len() / statistics.len().max(1)).max(1);
    let rows = rows_of_a_block(columns);
    let given = x.chunks(rows * columns);
    let made = statistics
        .chunks_mut(rows)
        .zip(out.chunks_mut(rows * columns));
    share(given.zip(made), x.len(), |(x, (statistics, out))| {
        dispatch(Forward {
            x,
            columns,
            affine,
            eps,
            statistics,
            out,
        });
    });
}

struct Forward<'a, T> {
    x: &'a [T],
    columns: usize,
    affine: Affine<'a, T>,
    eps: T,
    statistics: &'a mut [(T, T)],
    out: &'a mut [T],
}

impl<T: Number> Kernel for Forward<'_, T> {
    type Output = ();

    /// All of a row while it is in the innermost cache: mean, then variance, then the row normalised.
    #[inline(always)]
    fn run(self) {
        let columns = self.columns;
        let count = T::from_f64(columns as f64).recip();
        let rows = self.x.chunks_exact(columns);
        let made = self
            .statistics
            .iter_mut()
            .zip(self.out.chunks_exact_mut(columns));
        for (x, (statistics, out)) in rows.zip(made) {
            let mean = sum_lanes(x) * count;
            let variance = centred_squares(x, mean) * count;
            let inverse_std = (variance + self.eps).sqrt().recip();
            *statistics = (mean, inverse_std);
            self.affine.normalise(x, mean, inverse_std, out);
        }
    }
}

impl<T: Number> Affine<'_, T> {
    #[inline(always)]
    fn normalise(self, x: &[T], mean: T, inverse_std: T, out: &mut [T]) {
        if let (Some(weight), Some(bias)) = (self.weight, self.bias) {
            let affine = weight.iter().zip(bias);
            for ((out, &x), (&w, &b)) in out.iter_mut().zip(x).zip(affine) {
                *out = (x - mean) * inverse_std * w + b;
            }
            return;
        }
        for (out, &x) in out.iter_mut().zip(x) {
            *out = (x - mean) * inverse_std;
        }
        if let Some(weight) = self.weight {
            out.iter_mut().zip(weight).for_each(|(out, &w)| *out *= w);
        }
        if let Some(bias) = self.bias {
            out.iter_mut().zip(bias).for_each(|(out, &b)| *out += b);
        }
    }
}

/// `dx = (h - mean h - n mean(h n)) / std` for each row, with `h = g w` and `n = (x - mean) / std`; returns `dw = Σ g n` and
/// `db = Σ g` over the rows, one behind the other.
#[compiled]
pub fn layer_norm_backward<T: Number>(
    rows: Rows<'_, T>,
    weight: Option<&[T]>,
    grad: &[T],
    dx: &mut [T],
) -> Vec<T> {
    let columns = rows.columns.max(1);
    let block = rows_of_a_block(columns);
    let blocks = rows.statistics.len().div_ceil(block).max(1);
    let mut sums = vec![T::zero(); blocks * 2 * columns];
    let parts = rows.parts(block).zip(grad.chunks(block * columns));
    let made = dx
        .chunks_mut(block * columns)
        .zip(sums.chunks_mut(2 * columns));
    share(
        parts.zip(made),
        grad.len() * 2,
        |((rows, grad), (dx, sums))| {
            let (dweight, dbias) = sums.split_at_mut(columns);
            dispatch(Backward {
                rows,
                weight,
                grad,
                dx,
                dweight,
                dbias,
            });
        },
    );
    if blocks == 1 {
        return sums;
    }
    let mut total = vec![T::zero(); 2 * columns];
    sum_axis(&sums, 1, blocks, 2 * columns, &mut total);
    total
}

impl<'a, T> Rows<'a, T> {
    /// So many rows at a time.
    fn parts(self, rows: usize) -> impl Iterator<Item = Self> {
        let columns = self.columns;
        let x = self.x.chunks(rows * columns.max(1));
        x.zip(self.statistics.chunks(rows))
            .map(move |(x, statistics)| Self {
                x,
                columns,
                statistics,
            })
    }
}

struct Backward<'a, T> {
    rows: Rows<'a, T>,
    weight: Option<&'a [T]>,
    grad: &'a [T],
    dx: &'a mut [T],
    dweight: &'a mut [T],
    dbias: &'a mut [T],
}

impl<T: Number> Kernel for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let columns = self.rows.columns;
        let count = T::from_f64(columns as f64).recip();
        let given = self
            .rows
            .x
            .chunks_exact(columns)
            .zip(self.grad.chunks_exact(columns));
        let rows = given.zip(self.dx.chunks_exact_mut(columns));
        for (((x, g), dx), &(mean, inverse_std)) in rows.zip(self.rows.statistics) {
            let sums = self.dweight.iter_mut().zip(self.dbias.iter_mut());
            for ((dw, db), (&x, &g)) in sums.zip(x.iter().zip(g)) {
                *dw += g * (x - mean) * inverse_std;
                *db += g;
            }
            match self.weight {
                Some(weight) => {
                    let products = dx.iter_mut().zip(g.iter().zip(weight));
                    products.for_each(|(h, (&g, &w))| *h = g * w);
                }
                None => dx.copy_from_slice(g),
            }
            let across = sum_lanes(dx) * count;
            let along = centred_products(dx, x, mean) * inverse_std * count;
            for (h, &x) in dx.iter_mut().zip(x) {
                *h = (*h - across - (x - mean) * inverse_std * along) * inverse_std;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assert_same_bits;

    const PLAIN: Affine<'static, f64> = Affine {
        weight: None,
        bias: None,
    };

    #[test]
    fn rows_get_mean_zero_and_variance_one() {
        let columns = 37;
        let x: Vec<f64> = (0..columns * 3).map(|i| ((i * 13) % 17) as f64).collect();
        let mut out = vec![0.0; x.len()];
        let mut found = [(0.0, 0.0); 3];
        layer_norm(&x, PLAIN, 0.0, &mut found, &mut out);
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
            layer_norm(&x, PLAIN, 1e-5, &mut found, &mut vec![0.0; x.len()]);
            let rows = Rows {
                x: &x,
                columns,
                statistics: &found,
            };
            let mut dx = vec![0.0; x.len()];
            let sums = layer_norm_backward(rows, Some(weight), &g, &mut dx);
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
            for c in 0..columns {
                let of_row = |row: usize| g[row * columns + c];
                let n = |row: usize| (x[row * columns + c] - found[row].0) * found[row].1;
                let expected = [of_row(0) * n(0) + of_row(1) * n(1), of_row(0) + of_row(1)];
                assert!((sums[c] - expected[0]).abs() < 1e-12);
                assert!((sums[columns + c] - expected[1]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn threads_never_change_the_bits() {
        let columns = 96;
        let x: Vec<f32> = (0..columns * 4_000).map(|i| (i as f32).sin()).collect();
        let (weight, bias) = (Some(&x[..columns]), Some(&x[columns..2 * columns]));
        assert_same_bits(|| {
            let mut found = vec![(0.0, 0.0); x.len() / columns];
            let (mut out, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            layer_norm(&x, Affine { weight, bias }, 1e-5, &mut found, &mut out);
            let rows = Rows {
                x: &x,
                columns,
                statistics: &found,
            };
            let sums = layer_norm_backward(rows, weight, &out, &mut dx);
            [out, dx, sums].concat()
        });
    }
}
