//! Adadelta: steps as long as recent steps were, in units of recent gradients.

use lexigrad_tensor::{Domain, Element, Result};

use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, check_not_negative, check_rate, is_zero};

/// `v ← ρ v + (1 - ρ) g²`, `Δ = √(u + ε) / √(v + ε) g`, `u ← ρ u + (1 - ρ) Δ²`, `w ← w - η Δ`.
///
/// The weight decay λ is added to the gradient (Zeiler 2012).
///
/// ```
/// use lexigrad_optim::{Adadelta, Build};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Adadelta { rho: 0.95, ..Adadelta::default() }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 1.0);
/// ```
///
/// PyTorch: `optim.Adadelta`, which refuses sparse gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Adadelta {
    /// η
    pub learning_rate: f64,
    /// ρ
    pub rho: f64,
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl Adadelta {
    /// PyTorch's defaults: rho 0.9, eps 1e-6, no decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            rho: 0.9,
            eps: 1e-6,
            weight_decay: 0.0,
            maximize: false,
        }
    }
}

/// PyTorch's default learning rate, 1.
impl Default for Adadelta {
    fn default() -> Self {
        Self::new(1.0)
    }
}

/// What is the same for all rows of a step of [`Adadelta`].
#[derive(Clone, Copy, Debug)]
pub struct AdadeltaFactors<T> {
    learning_rate: T,
    rho: T,
    /// 1 - ρ
    rest: T,
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for Adadelta {
    const NAME: &'static str = "adadelta";
    const DOMAINS: [Domain; 3] = [Domain::NotNegative; 3];
    type Factors = AdadeltaFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_rate("adadelta", "rho", self.rho)?;
        check_not_negative("adadelta", "eps", self.eps)?;
        check_not_negative("adadelta", "weight_decay", self.weight_decay)
    }

    fn factors(&self, learning_rate: f64, _step: u64) -> AdadeltaFactors<T> {
        AdadeltaFactors {
            learning_rate: T::from_f64(learning_rate),
            rho: T::from_f64(self.rho),
            rest: T::from_f64(1.0 - self.rho),
            eps: T::from_f64(self.eps),
            descent: Descent::coupled(self.maximize, self.weight_decay),
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
    fn update(
        factors: &AdadeltaFactors<T>,
        parameter: &mut [T],
        gradient: &[T],
        state: Runs<'_, T>,
    ) {
        let f = *factors;
        let [gradients, steps, _] = state;
        let squares = gradients.iter_mut().zip(steps);
        for ((w, &g), (v, u)) in parameter.iter_mut().zip(gradient).zip(squares) {
            let g = f.descent.enter(w, g);
            *v = f.rho * *v + f.rest * g * g;
            let step = (*u + f.eps).sqrt() / (*v + f.eps).sqrt() * g;
            *u = f.rho * *u + f.rest * step * step;
            *w -= f.learning_rate * step;
        }
    }
}
