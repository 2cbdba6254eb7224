//! Vectors in two dimensions, near ones together.

use lexigrad_tensor::{Element, Error, Result, Tensor};

use super::projection::{Projection, dot, pca};

const NAME: &str = "tsne";

/// Fewer points have no neighbourhoods to keep.
const FEWEST: usize = 7;

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
/// It starts from [`pca`] and draws nothing at random; up to six points stay there. The descent is the crate `bhtsne`'s, exact,
/// quadratic in V: for up to a few thousand words. It runs on one thread, since several would add in an order that changes from
/// run to run. Distances between far groups mean little. Feature `report`.
///
/// ```
/// use lexigrad_tensor::Tensor;
/// use lexigrad_text::explain::{TsneOptions, tsne};
/// let x: Tensor = Tensor::from_slice(&[1.0; 20 * 4], [20, 4])?;
/// assert_eq!(tsne(&x, &TsneOptions::default())?.points.len(), 20);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// As for [`pca`], if the perplexity is not positive, or if no thread can be had.
///
/// scikit-learn: `TSNE(2, metric="cosine", init="pca", method="exact")`; there the perplexity is not lowered for few points.
#[track_caller]
pub fn tsne<T: Element>(x: &Tensor<T>, options: &TsneOptions) -> Result<Projection> {
    let perplexity = options.perplexity;
    if perplexity.is_nan() || perplexity <= 0.0 {
        return Err(Error::value(NAME, "perplexity", perplexity, "above 0"));
    }
    let start = pca(x)?;
    if start.points.len() < FEWEST {
        return Ok(start);
    }
    let directions = directions(x);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.map_err(|error| Error::other(NAME, error.to_string()))?;
    // A thread of a pool that waits for another pool takes on other tasks; one that waits for a thread does not.
    let found = std::thread::scope(|scope| {
        let run = || pool.install(|| descend(&directions, &start, options));
        scope.spawn(run).join()
    });
    match found {
        Ok(projection) => Ok(projection),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The rows at length 1.
#[track_caller]
fn directions<T: Element>(x: &Tensor<T>) -> Vec<Vec<f64>> {
    let unit = |row: &[T]| {
        let row: Vec<f64> = row.iter().map(|value| value.as_f64()).collect();
        let length = dot(&row, &row).sqrt().max(f64::MIN_POSITIVE);
        row.into_iter().map(|value| value / length).collect()
    };
    x.to_vec().chunks(x.shape()[1]).map(unit).collect()
}

fn descend(rows: &[Vec<f64>], start: &Projection, options: &TsneOptions) -> Projection {
    // Small, as the method wants it: a large start would freeze.
    let spread = start.points.iter().map(|point| point[0].abs());
    let scale = 1e-4 / spread.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let begin: Vec<f64> = start.points.iter().flatten().map(|x| x * scale).collect();
    // As many steps in each direction as it is exaggerated at first (Belkina et al. 2019), but no crawl for a few points.
    let rate = (rows.len() as f64 / 12.0).max(10.0);
    let distance = |a: &Vec<f64>, b: &Vec<f64>| (2.0 - 2.0 * dot(a, b)).max(0.0).sqrt();
    let found = bhtsne::tSNE::<f64, Vec<f64>, 2>::new(rows)
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
    fn clouds_stay_apart() {
        let x = clouds();
        let projection = pca(&x).unwrap();
        assert!(are_apart(&projection.points));
        let [first, second] = projection.explained.unwrap();
        assert!(first > 0.9 && second < first && first + second <= 1.0 + 1e-9);
        let options = TsneOptions {
            rounds: 300,
            ..TsneOptions::default()
        };
        let found = tsne(&x, &options).unwrap();
        assert!(are_apart(&found.points), "{found:?}");
    }

    #[test]
    fn the_picture_is_the_same_for_any_number_of_threads() {
        let values: Vec<f64> = (0..300 * 8)
            .map(|i| ((i * i) as f64 * 0.618).sin())
            .collect();
        let x = Tensor::from_slice(&values, [300, 8]).unwrap();
        let options = TsneOptions {
            rounds: 100,
            ..TsneOptions::default()
        };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| tsne(&x, &options).unwrap())
        };
        let one = with(1);
        assert!((0..4).all(|_| with(4) == one));
    }

    #[test]
    fn words_of_one_vector_have_finite_places() {
        let found = tsne(&Tensor::<f64>::ones([40, 4]), &TsneOptions::default()).unwrap();
        let finite = |point: &[f64; 2]| point.iter().all(|x| x.is_finite());
        assert!(found.points.iter().all(finite), "{found:?}");
    }

    #[test]
    fn few_points_and_impossible_neighbourhoods() {
        let few: Tensor<f64> = Tensor::new([[1.0, 2.0], [3.0, 5.0]]);
        assert_eq!(
            tsne(&few, &TsneOptions::default()).unwrap(),
            pca(&few).unwrap()
        );
        let options = TsneOptions {
            perplexity: 0.0,
            ..TsneOptions::default()
        };
        let message = tsne(&clouds(), &options).unwrap_err().to_string();
        assert!(message.contains("perplexity"), "{message}");
    }
}
