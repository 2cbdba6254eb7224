//! RAdam: Adam that divides by its second moment only once that is well enough known.

use lexigrad_tensor::{Domain, Element, Result};

use super::averages::{Averages, check_options};
use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, bias_correction, is_zero};

/// m and v as in [`Adam`](crate::Adam); `w ← w - η m̂` while `ρₜ ≤ 5`, then `w ← w - η rₜ m̂ √(1 - β2ᵗ) / (√v + ε)`.
///
/// `ρₜ = ρ∞ - 2 t β2ᵗ / (1 - β2ᵗ)` with `ρ∞ = 2 / (1 - β2) - 1` is how many gradients v rests on, and
/// `rₜ² = (ρₜ - 4)(ρₜ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρₜ)` (Liu et al. 2019). The weight decay λ is added to the gradient, or shrinks
/// the parameter if it is decoupled.
///
/// ```
/// use lexigrad_optim::{Build, RAdam};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = RAdam { weight_decay: 0.01, ..RAdam::default() }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 1e-3);
/// ```
///
/// PyTorch: `optim.RAdam`, which refuses sparse gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct RAdam {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// Whether the weight decay shrinks the parameter instead of joining the gradient.
    pub decoupled_weight_decay: bool,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl RAdam {
    /// PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8, no decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }

    /// rₜ, once v rests on enough gradients.
    fn rectification(&self, step: u64) -> Option<f64> {
        let beta2 = self.betas.1;
        let most = 2.0 / (1.0 - beta2) - 1.0;
        let faded = beta2.powf(step as f64) / bias_correction(beta2, step);
        let length = most - 2.0 * step as f64 * faded;
        let ratio = (length - 4.0) * (length - 2.0) * most / ((most - 4.0) * (most - 2.0) * length);
        (length > 5.0).then(|| ratio.sqrt())
    }
}

/// PyTorch's default learning rate, 1e-3.
impl Default for RAdam {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

/// What is the same for all rows of a step of [`RAdam`].
#[derive(Clone, Copy, Debug)]
pub struct RAdamFactors<T> {
    /// What the first moment is multiplied by.
    step_size: T,
    /// Whether it is divided by the second.
    adapts: bool,
    averages: Averages<T>,
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for RAdam {
    const NAME: &'static str = "radam";
    const DOMAINS: [Domain; 3] = [Domain::Finite, Domain::NotNegative, Domain::NotNegative];
    type Factors = RAdamFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("radam", self.betas, self.eps, self.weight_decay)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> RAdamFactors<T> {
        let unbiased = learning_rate / bias_correction(self.betas.0, step);
        let root_correction = bias_correction(self.betas.1, step).sqrt();
        let rectification = self.rectification(step);
        let factor = rectification.map_or(1.0, |ratio| ratio * root_correction);
        RAdamFactors {
            step_size: T::from_f64(unbiased * factor),
            adapts: rectification.is_some(),
            averages: Averages::new(self.betas),
            eps: T::from_f64(self.eps),
            descent: Descent::with_decay(
                self.decoupled_weight_decay,
                self.maximize,
                learning_rate,
                self.weight_decay,
            ),
        }
    }

    fn runs(&self) -> usize {
        2
    }

    #[inline(always)]
    fn rests(&self, state: &Runs<'_, T>) -> bool {
        self.weight_decay == 0.0 && is_zero(state)
    }

    #[inline(always)]
    fn update(factors: &RAdamFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        let f = *factors;
        let [first, second, _] = state;
        let moments = first.iter_mut().zip(second);
        for ((w, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = f.descent.enter(w, g);
            f.averages.moments(m, v, g);
            let divisor = if f.adapts { v.sqrt() + f.eps } else { T::one() };
            *w -= f.step_size * *m / divisor;
        }
    }
}
