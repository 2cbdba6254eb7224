//! PyTorch's Adam for sparse gradients.

use lexigrad_tensor::{Domain, Element, Error, Result};

use super::averages::check_options;
use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, bias_correction};

/// `m ← m + (1 - β1)(g - m)`, `v ← v + (1 - β2)(g² - v)`, `w ← w - η √(1 - β2ᵗ) / (1 - β1ᵗ) m / (√v + ε)`, for the rows touched.
///
/// t counts the steps of the whole parameter; a gradient without entries counts and moves nothing.
///
/// ```
/// use lexigrad_optim::{Build, SparseAdam};
/// use lexigrad_tensor::{Param, Tape, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let mut optimizer = SparseAdam::new(1e-3).build(&weight);
/// let tape = Tape::new();
/// let grads = tape.backward(&weight.value().sum())?;
/// let error = optimizer.step(&grads).unwrap_err();
/// assert_eq!(error.to_string(), "sparse_adam: a dense gradient; use Adam, which takes dense and row-sparse ones");
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `optim.SparseAdam`.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseAdam {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// ε
    pub eps: f64,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl SparseAdam {
    /// PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            maximize: false,
        }
    }
}

/// PyTorch's default learning rate, 1e-3.
impl Default for SparseAdam {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

/// What is the same for all rows of a step of [`SparseAdam`].
#[derive(Clone, Copy, Debug)]
pub struct SparseAdamFactors<T> {
    step_size: T,
    rest: (T, T),
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for SparseAdam {
    const NAME: &'static str = "sparse_adam";
    const DOMAINS: [Domain; 3] = [Domain::Finite, Domain::NotNegative, Domain::NotNegative];
    type Factors = SparseAdamFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("sparse_adam", self.betas, self.eps, 0.0)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> SparseAdamFactors<T> {
        let root_correction = bias_correction(self.betas.1, step).sqrt();
        let step_size = learning_rate * root_correction / bias_correction(self.betas.0, step);
        SparseAdamFactors {
            step_size: T::from_f64(step_size),
            rest: (
                T::from_f64(1.0 - self.betas.0),
                T::from_f64(1.0 - self.betas.1),
            ),
            eps: T::from_f64(self.eps),
            descent: Descent::coupled(self.maximize, 0.0),
        }
    }

    fn runs(&self) -> usize {
        2
    }

    #[inline(always)]
    fn update(
        factors: &SparseAdamFactors<T>,
        parameter: &mut [T],
        gradient: &[T],
        state: Runs<'_, T>,
    ) {
        let f = *factors;
        let [first, second, _] = state;
        let moments = first.iter_mut().zip(second);
        for ((w, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = f.descent.enter(w, g);
            *m += f.rest.0 * (g - *m);
            *v += f.rest.1 * (g * g - *v);
            *w -= f.step_size * *m / (v.sqrt() + f.eps);
        }
    }

    fn check_exact(&self, _learning_rate: f64) -> Result<()> {
        let message = "it is lazy by definition; use Adam for the exact mode";
        Err(Error::other("sparse_adam", message))
    }

    fn check_dense(&self) -> Result<()> {
        let message = "a dense gradient; use Adam, which takes dense and row-sparse ones";
        Err(Error::other("sparse_adam", message))
    }
}
