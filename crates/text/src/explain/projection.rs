//! Vectors in two dimensions, to be looked at.

use lexigrad_tensor::{Element, Error, Result, Tensor};

/// Most rounds of the iteration that finds the directions of most variance.
const ROUNDS: usize = 1000;

/// Points in the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Where each vector stands.
    pub points: Vec<[f64; 2]>,
    /// The share of the variance that each axis shows, for a linear projection.
    pub explained: Option<[f64; 2]>,
}

/// `p = (x - x̄) [u₁ u₂]`, `x: [V, D]`, `p: [V, 2]`: along the two directions of most variance (Pearson 1901).
///
/// The largest element of each direction is positive, so that the same vectors always give the same picture.
///
/// ```
/// use lexigrad_tensor::Tensor;
/// let x = Tensor::new([[1.0, 1.0, 5.0], [2.0, 2.0, 5.0], [3.0, 3.0, 5.0]]);
/// let projection = lexigrad_text::explain::pca(&x)?;
/// assert!((projection.points[2][0] - 2.0_f64.sqrt()).abs() < 1e-6);
/// assert!((projection.explained.unwrap()[0] - 1.0).abs() < 1e-9);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If x is not a matrix or holds a number that is not finite.
///
/// scikit-learn: `PCA(2)`.
#[track_caller]
pub fn pca<T: Element>(x: &Tensor<T>) -> Result<Projection> {
    let rows = centred(x)?;
    let covariance = covariance(&rows);
    let dim = covariance.len();
    let total: f64 = (0..dim).map(|i| covariance[i][i]).sum();
    let first = leading(&covariance, None);
    let second = leading(&covariance, Some(&first));
    let along = |direction: &Direction| direction.variance / total.max(f64::MIN_POSITIVE);
    let point = |row: &Vec<f64>| [dot(row, &first.unit), dot(row, &second.unit)];
    Ok(Projection {
        points: rows.iter().map(point).collect(),
        explained: Some([along(&first), along(&second)]),
    })
}

/// The rows less their mean.
#[track_caller]
fn centred<T: Element>(x: &Tensor<T>) -> Result<Vec<Vec<f64>>> {
    let &[count, dim] = &x.shape()[..] else {
        let rule = "it must be [words, dim]";
        return Err(Error::shape("pca", "the table", x.shape(), rule));
    };
    let values: Vec<f64> = x.to_vec().into_iter().map(T::as_f64).collect();
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::value(
            "pca",
            "a number of the table",
            *value,
            "finite",
        ));
    }
    let mut mean = vec![0.0; dim];
    for row in values.chunks(dim.max(1)) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, value)| *mean += value / count as f64);
    }
    let less_mean = |row: &[f64]| {
        row.iter()
            .zip(&mean)
            .map(|(value, mean)| value - mean)
            .collect()
    };
    Ok(values.chunks(dim.max(1)).map(less_mean).collect())
}

/// `Σ x xᵀ / V`
fn covariance(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let dim = rows.first().map_or(0, Vec::len);
    let mut covariance = vec![vec![0.0; dim]; dim];
    for row in rows {
        for (sums, &value) in covariance.iter_mut().zip(row) {
            let value = value / rows.len() as f64;
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, other)| *sum += value * other);
        }
    }
    covariance
}

/// A unit vector and the variance along it.
struct Direction {
    unit: Vec<f64>,
    variance: f64,
}

/// The direction of most variance, at right angles to another, by power iteration.
fn leading(covariance: &[Vec<f64>], other: Option<&Direction>) -> Direction {
    let dim = covariance.len();
    let straighten = |vector: &mut Vec<f64>| {
        if let Some(other) = other {
            let along = dot(vector, &other.unit);
            vector
                .iter_mut()
                .zip(&other.unit)
                .for_each(|(x, unit)| *x -= along * unit);
        }
        let length = dot(vector, vector).sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|x| *x /= length);
        }
        length
    };
    // Irrational steps: no two elements alike, so that it stands at right angles to nothing by accident.
    let mut unit: Vec<f64> = (0..dim)
        .map(|i| 1.0 + (i as f64 * std::f64::consts::SQRT_2).fract())
        .collect();
    straighten(&mut unit);
    let mut variance = 0.0;
    for _ in 0..ROUNDS {
        let mut next: Vec<f64> = covariance.iter().map(|row| dot(row, &unit)).collect();
        variance = straighten(&mut next);
        if variance == 0.0 {
            return Direction {
                unit: vec![0.0; dim],
                variance,
            };
        }
        let turned = 1.0 - dot(&next, &unit);
        unit = next;
        if turned < 1e-14 {
            break;
        }
    }
    let largest = unit
        .iter()
        .copied()
        .fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
    unit.iter_mut().for_each(|x| *x *= largest.signum());
    Direction { unit, variance }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_direction_between_any_two_columns_is_found() {
        for (first, last) in [(0, 11), (2, 13), (0, 1)] {
            let mut x = vec![0.0; 3 * 14];
            for (row, along) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
                x[row * 14 + first] = along;
                x[row * 14 + last] = -along;
            }
            let found = pca(&Tensor::<f64>::from_slice(&x, [3, 14]).unwrap()).unwrap();
            let length = found.points[2][0].abs();
            assert!((length - 2.0_f64.sqrt()).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn the_axes_are_those_of_most_variance() {
        let x = Tensor::new([
            [3.0, 0.0, 1.0],
            [-3.0, 0.0, 1.0],
            [0.0, 2.0, 1.0],
            [0.0, -2.0, 1.0],
        ]);
        let found = pca(&x).unwrap();
        let wanted = [[3.0, 0.0], [-3.0, 0.0], [0.0, 2.0], [0.0, -2.0]];
        for (found, wanted) in found.points.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
        }
        let [first, second] = found.explained.unwrap();
        assert!((first - 9.0 / 13.0).abs() < 1e-9 && (second - 4.0 / 13.0).abs() < 1e-9);
    }

    #[test]
    fn no_spread_and_no_points() {
        let flat = pca(&Tensor::<f64>::ones([3, 2])).unwrap();
        assert_eq!(flat.points, [[0.0; 2]; 3]);
        assert!(
            pca(&Tensor::<f64>::zeros([0, 4]))
                .unwrap()
                .points
                .is_empty()
        );
        assert!(pca(&Tensor::<f64>::zeros([4])).is_err());
        assert!(pca(&Tensor::new([[f64::NAN]])).is_err());
    }
}
