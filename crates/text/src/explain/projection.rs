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

/// How [`tsne`] goes about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TsneOptions {
    /// How many neighbours a point keeps near itself, more or less; at most a third of the points.
    pub perplexity: f64,
    /// Steps of the descent.
    pub rounds: usize,
}

impl Default for TsneOptions {
    /// Thirty neighbours, a thousand steps.
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            rounds: 1000,
        }
    }
}

/// Points whose neighbours are those of the vectors `x: [V, D]` by cosine distance (van der Maaten and Hinton 2008).
///
/// It starts from [`pca`] and draws nothing at random. The descent is the crate `bhtsne`'s, exact, quadratic in V: for up to a few
/// thousand words. Distances between far groups mean little. Feature `report`; without it, this is [`pca`].
///
/// # Errors
/// As for [`pca`], or if the perplexity is not positive.
pub fn tsne<T: Element>(x: &Tensor<T>, options: &TsneOptions) -> Result<Projection> {
    if options.perplexity.is_nan() || options.perplexity <= 0.0 {
        return Err(Error::value(
            "tsne",
            "perplexity",
            options.perplexity,
            "above 0",
        ));
    }
    let start = pca(x)?;
    // Fewer points have no neighbourhoods to keep.
    if start.points.len() < 7 {
        return Ok(start);
    }
    Ok(descend(x, start, options))
}

#[cfg(feature = "report")]
fn descend<T: Element>(x: &Tensor<T>, start: Projection, options: &TsneOptions) -> Projection {
    let (values, dim) = (x.to_vec(), x.shape()[1]);
    let unit = |row: &[T]| {
        let row: Vec<f64> = row.iter().map(|value| value.as_f64()).collect();
        let length = dot(&row, &row).sqrt().max(f64::MIN_POSITIVE);
        row.into_iter()
            .map(|value| value / length)
            .collect::<Vec<f64>>()
    };
    let rows: Vec<Vec<f64>> = values.chunks(dim).map(unit).collect();
    // Small, as the method wants it: a large start would freeze.
    let spread = start
        .points
        .iter()
        .map(|point| point[0].abs())
        .fold(0.0, f64::max);
    let scale = 1e-4 / spread.max(f64::MIN_POSITIVE);
    let begin: Vec<f64> = start
        .points
        .iter()
        .flatten()
        .map(|value| value * scale)
        .collect();
    // As many steps in each direction as it is exaggerated at first (Belkina et al. 2019), but no crawl for a few points.
    let rate = (rows.len() as f64 / 12.0).max(10.0);
    let distance = |a: &Vec<f64>, b: &Vec<f64>| (2.0 - 2.0 * dot(a, b)).max(0.0).sqrt();
    let found = bhtsne::tSNE::<f64, Vec<f64>, 2>::new(&rows)
        .perplexity(options.perplexity.min((rows.len() - 1) as f64 / 3.0))
        .epochs(options.rounds)
        .learning_rate(rate)
        .initial_embedding(begin)
        .exact(distance)
        .embedding();
    let (points, _) = found.as_chunks::<2>();
    Projection {
        points: points.to_vec(),
        explained: None,
    }
}

#[cfg(not(feature = "report"))]
fn descend<T: Element>(_x: &Tensor<T>, start: Projection, _options: &TsneOptions) -> Projection {
    start
}

/// The rows less their mean.
fn centred<T: Element>(x: &Tensor<T>) -> Result<Vec<Vec<f64>>> {
    let &[count, dim] = &x.shape()[..] else {
        let rule = "it must be [words, dim]";
        return Err(Error::shape("pca", "the table", x.shape(), rule));
    };
    let values: Vec<f64> = x.to_vec().into_iter().map(Element::as_f64).collect();
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
    // No two elements alike, so that it stands at right angles to nothing by accident.
    let mut unit: Vec<f64> = (0..dim)
        .map(|i| 1.0 + ((i * 7 + 3) % 11) as f64 / 11.0)
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

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clouds of ten points each in five dimensions.
    fn clouds() -> Tensor<f64> {
        let point = |i: usize| {
            let side = if i < 10 { 1.0 } else { -1.0 };
            (0..5).map(move |d| side * (d + 1) as f64 + 0.1 * ((i * 31 + d * 17) % 13) as f64)
        };
        let values: Vec<f64> = (0..20).flat_map(point).collect();
        Tensor::from_slice(&values, [20, 5]).unwrap()
    }

    /// Whether the nearest of every point is one of its own cloud.
    fn are_apart(points: &[[f64; 2]]) -> bool {
        let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        (0..points.len()).all(|place| {
            let others = (0..points.len()).filter(|&other| other != place);
            let from = |other: &usize| distance(points[place], points[*other]);
            let nearest = others.min_by(|a, b| from(a).total_cmp(&from(b)));
            nearest.is_some_and(|other| (other < 10) == (place < 10))
        })
    }

    #[test]
    fn clouds_stay_apart_and_pictures_are_the_same() {
        let x = clouds();
        let projection = pca(&x).unwrap();
        assert!(are_apart(&projection.points));
        let [first, second] = projection.explained.unwrap();
        assert!(first > 0.9 && second < first && first + second <= 1.0 + 1e-9);
        let options = TsneOptions {
            rounds: 300,
            ..TsneOptions::default()
        };
        let one = tsne(&x, &options).unwrap();
        assert!(are_apart(&one.points), "{one:?}");
        assert_eq!(one, tsne(&x, &options).unwrap());
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
        assert!(tsne(&Tensor::<f64>::zeros([2, 4]), &TsneOptions::default()).is_ok());
        assert!(pca(&Tensor::<f64>::zeros([4])).is_err());
        assert!(pca(&Tensor::new([[f64::NAN]])).is_err());
        let options = TsneOptions {
            perplexity: 0.0,
            ..TsneOptions::default()
        };
        assert!(tsne(&clouds(), &options).is_err());
    }
}
