//! Adamax: Adam under the infinity norm.

use lexigrad_tensor::{Domain, Element, Result};

use super::averages::{Averages, check_options};
use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, bias_correction};

/// `m ← β1 m + (1 - β1) g`, `u ← max(β2 u, |g| + ε)`, `w ← w - η / (1 - β1ᵗ) m / u`.
///
/// The weight decay λ is added to the gradient (Kingma and Ba 2014, section 7).
///
/// ```
/// use lexigrad_optim::{Adamax, Build};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Adamax { betas: (0.9, 0.99), ..Adamax::default() }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 2e-3);
/// ```
///
/// PyTorch: `optim.Adamax`, which refuses sparse gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Adamax {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl Adamax {
    /// PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8, no decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            maximize: false,
        }
    }
}

/// PyTorch's default learning rate, 2e-3.
impl Default for Adamax {
    fn default() -> Self {
        Self::new(2e-3)
    }
}

/// What is the same for all rows of a step of [`Adamax`].
#[derive(Clone, Copy, Debug)]
pub struct AdamaxFactors<T> {
    /// η / (1 - β1ᵗ)
    step_size: T,
    averages: Averages<T>,
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for Adamax {
    const NAME: &'static str = "adamax";
    const DOMAINS: [Domain; 3] = [Domain::Finite, Domain::NotNegative, Domain::NotNegative];
    type Factors = AdamaxFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("adamax", self.betas, self.eps, self.weight_decay)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> AdamaxFactors<T> {
        AdamaxFactors {
            step_size: T::from_f64(learning_rate / bias_correction(self.betas.0, step)),
            averages: Averages::new(self.betas),
            eps: T::from_f64(self.eps),
            descent: Descent::coupled(self.maximize, self.weight_decay),
        }
    }

    fn runs(&self) -> usize {
        2
    }

    #[inline(always)]
    fn update(factors: &AdamaxFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        let f = *factors;
        let [first, largest, _] = state;
        let moments = first.iter_mut().zip(largest);
        for ((w, &g), (m, u)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = f.descent.enter(w, g);
            *m = f.averages.by_first(*m, g);
            let (faded, size) = (f.averages.beta2() * *u, g.abs() + f.eps);
            *u = if faded > size { faded } else { size };
            *w -= f.step_size * *m / *u;
        }
    }
}
