//! Integrated gradients (Sundararajan et al. 2017).

use lexigrad_tensor::{Element, Error, Result, Tape, Tensor};

const NAME: &str = "integrated_gradients";

/// `aₜ = Σ_d (x - b)[t, d] ∫₀¹ ∂f/∂x[t, d] (b + s (x - b)) ds`, `x: [L, D]`, `a: [L]`: what each of L vectors adds to a score.
///
/// The sum of all is `f(x) - f(b)`, but for the error of the integral, which the [`Attribution`] tells.
#[derive(Clone, Debug)]
pub struct IntegratedGradients<T: Element = f32> {
    /// At how many points between b and x the gradient is taken, each in the middle of its part.
    pub steps: usize,
    /// b, where nothing is said; zeros, if `None`.
    pub baseline: Option<Tensor<T>>,
}

impl<T: Element> Default for IntegratedGradients<T> {
    /// Fifty points, from zeros.
    fn default() -> Self {
        Self {
            steps: 50,
            baseline: None,
        }
    }
}

/// What each vector adds to a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// One number for each vector.
    pub contributions: Vec<f64>,
    /// `f(x) - f(b)`.
    pub difference: f64,
    /// The difference less the sum of the contributions: how far the integral is off.
    pub gap: f64,
}

impl<T: Element> IntegratedGradients<T> {
    /// The contributions to `score`, which takes `[n, L, D]` and returns a number for each of the n, `[n]`.
    ///
    /// It runs without dropout, outside of the caller's tape.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// use lexigrad_text::explain::IntegratedGradients;
    /// let x: Tensor<f64> = Tensor::new([[1.0, 2.0], [3.0, 0.0]]);
    /// let found = IntegratedGradients::default().contributions(|x| x.square().sum_axes(&[1, 2]), &x)?;
    /// assert!((found.contributions[0] - 5.0).abs() < 1e-9);
    /// assert!((found.contributions[1] - 9.0).abs() < 1e-9);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no steps, x is not a matrix, the baseline has another shape, or what `score` returns is not `[n]`.
    #[track_caller]
    pub fn contributions(
        &self,
        score: impl Fn(&Tensor<T>) -> Result<Tensor<T>>,
        x: &Tensor<T>,
    ) -> Result<Attribution> {
        let &[length, dim] = &x.shape()[..] else {
            let rule = "it must be [length, dim]";
            return Err(Error::shape(NAME, "the input", x.shape(), rule));
        };
        if self.steps == 0 {
            return Err(Error::value(NAME, "steps", 0.0, "at least 1"));
        }
        let x = x.detach();
        let baseline = match &self.baseline {
            Some(baseline) => baseline.detach(),
            None => Tensor::try_zeros([length, dim])?,
        };
        if baseline.shape() != x.shape() {
            let rule = format!("the input has shape {}", x.shape());
            return Err(Error::shape(NAME, "the baseline", baseline.shape(), rule));
        }
        let difference = x.sub(&baseline)?;
        let middle = |step: usize| T::from_f64((step as f64 + 0.5) / self.steps as f64);
        let middles: Vec<T> = (0..self.steps).map(middle).collect();
        let middles = Tensor::from_slice(&middles, [self.steps, 1, 1])?;
        let points = difference.unsqueeze(0)?.mul(&middles)?.add(&baseline)?;

        let ends = Tensor::from_slice(&[baseline.to_vec(), x.to_vec()].concat(), [2, length, dim])?;

        // A tape of its own: the caller's may train, with dropout.
        let tape = Tape::eval();
        let watched = tape.watch(&points);
        let scores = checked(score(&watched)?, self.steps)?;
        let gradients = tape.grad(&scores.sum(), &[&watched])?.remove(0).detach();
        let ends = checked(score(&ends)?, 2)?.to_vec();
        drop(tape);

        let mean = gradients.mean_axes(&[0])?;
        let contributions = mean.mul(&difference)?.sum_axes(&[1])?.to_vec();
        let contributions: Vec<f64> = contributions.into_iter().map(T::as_f64).collect();
        let difference = ends[1].as_f64() - ends[0].as_f64();
        Ok(Attribution {
            gap: difference - contributions.iter().sum::<f64>(),
            contributions,
            difference,
        })
    }
}

fn checked<T: Element>(scores: Tensor<T>, count: usize) -> Result<Tensor<T>> {
    if scores.shape()[..] == [count] {
        return Ok(scores);
    }
    let rule = format!("it must be [{count}], a number for each input");
    Err(Error::shape(NAME, "the score", scores.shape(), rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lexigrad_tensor::dropout;

    fn x() -> Tensor<f64> {
        Tensor::new([[0.5, -1.0], [2.0, 0.3], [1.0, 1.0]])
    }

    #[test]
    fn a_linear_score_is_split_exactly() {
        let weights: Tensor<f64> = Tensor::new([[1.0, 2.0], [0.0, 0.0], [-1.0, 3.0]]);
        let options = IntegratedGradients {
            steps: 1,
            baseline: Some(Tensor::ones([3, 2])),
        };
        let score = |x: &Tensor<f64>| x.mul(&weights)?.sum_axes(&[1, 2]);
        let found = options.contributions(score, &x()).unwrap();
        for (found, wanted) in found.contributions.iter().zip([-4.5, 0.0, 0.0]) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert!(found.gap.abs() < 1e-12 && (found.difference + 4.5).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_read_adds_nothing_and_the_rest_is_complete() {
        let score = |x: &Tensor<f64>| {
            let read = x.narrow(1, 0, 2)?;
            read.tanh()
                .sum_axes(&[1, 2])?
                .square()
                .mul(&read.max_axes(&[1, 2])?)
        };
        let found = IntegratedGradients {
            steps: 2000,
            baseline: None,
        };
        let found = found.contributions(score, &x()).unwrap();
        assert_eq!(found.contributions[2], 0.0);
        assert!(found.gap.abs() < 1e-3 * found.difference.abs(), "{found:?}");
    }

    #[test]
    fn a_tape_of_the_caller_changes_nothing() {
        let score = |x: &Tensor<f64>| dropout(x, 0.5)?.sum_axes(&[1, 2]);
        let alone = IntegratedGradients::default().contributions(score, &x());
        let _training = Tape::new();
        let within = IntegratedGradients::default().contributions(score, &x());
        assert_eq!(alone.unwrap(), within.unwrap());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let of = |options: &IntegratedGradients<f64>| {
            options
                .contributions(|x| x.sum_axes(&[1]), &x())
                .unwrap_err()
                .to_string()
        };
        let message = of(&IntegratedGradients::default());
        assert!(message.contains("the score has shape [50, 2]"), "{message}");
        let message = of(&IntegratedGradients {
            steps: 0,
            baseline: None,
        });
        assert!(message.contains("steps"), "{message}");
        let baseline = Some(Tensor::zeros([2, 2]));
        let message = of(&IntegratedGradients { steps: 5, baseline });
        assert!(
            message.contains("the baseline has shape [2, 2]"),
            "{message}"
        );
    }
}
