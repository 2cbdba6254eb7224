//! NAdam: Adam with Nesterov's momentum.

use lexigrad_tensor::{Domain, Element, Result};

use super::averages::{Averages, check_options};
use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, bias_correction, check_not_negative, is_zero};

/// m and v as in [`Adam`](crate::Adam); `w ← w - η ((1 - μₜ) / (1 - Πμ₁..ₜ) g + μₜ₊₁ / (1 - Πμ₁..ₜ₊₁) m) / (√v̂ + ε)`.
///
/// The momentum grows towards β1: `μₜ = β1 (1 - ½ 0.96^(t ψ))`. The weight decay λ is added to the gradient, or shrinks the
/// parameter if it is decoupled (Dozat 2016).
///
/// ```
/// use lexigrad_optim::{Build, NAdam};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = NAdam { decoupled_weight_decay: true, weight_decay: 0.01, ..NAdam::default() }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 2e-3);
/// ```
///
/// PyTorch: `optim.NAdam`, which refuses sparse gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct NAdam {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// ψ
    pub momentum_decay: f64,
    /// Whether the weight decay shrinks the parameter instead of joining the gradient.
    pub decoupled_weight_decay: bool,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl NAdam {
    /// PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8, no decay, momentum decay 4e-3.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled_weight_decay: false,
            maximize: false,
        }
    }

    /// μₜ
    fn momentum(&self, step: u64) -> f64 {
        self.betas.0 * (1.0 - 0.5 * 0.96_f64.powf(step as f64 * self.momentum_decay))
    }

    /// μ₁ μ₂ … μₜ, or 0 once 1 minus it rounds to 1.
    fn momentum_product(&self, step: u64) -> f64 {
        let mut product = 1.0;
        for step in 1..=step {
            product *= self.momentum(step);
            if product < f64::EPSILON / 4.0 {
                return 0.0;
            }
        }
        product
    }
}

/// PyTorch's default learning rate, 2e-3.
impl Default for NAdam {
    fn default() -> Self {
        Self::new(2e-3)
    }
}

/// What is the same for all rows of a step of [`NAdam`].
#[derive(Clone, Copy, Debug)]
pub struct NAdamFactors<T> {
    /// What the gradient is multiplied by.
    gradient: T,
    /// What the first moment is multiplied by.
    moment: T,
    /// √(1 - β2ᵗ)
    root_correction: T,
    averages: Averages<T>,
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for NAdam {
    const NAME: &'static str = "nadam";
    const DOMAINS: [Domain; 3] = [Domain::Finite, Domain::NotNegative, Domain::NotNegative];
    type Factors = NAdamFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("nadam", self.betas, self.eps, self.weight_decay)?;
        check_not_negative("nadam", "momentum_decay", self.momentum_decay)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> NAdamFactors<T> {
        let (momentum, next) = (self.momentum(step), self.momentum(step + 1));
        let product = self.momentum_product(step);
        let gradient = learning_rate * (1.0 - momentum) / (1.0 - product);
        let moment = learning_rate * next / (1.0 - product * next);
        NAdamFactors {
            gradient: T::from_f64(gradient),
            moment: T::from_f64(moment),
            root_correction: T::from_f64(bias_correction(self.betas.1, step).sqrt()),
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
    fn update(factors: &NAdamFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        let f = *factors;
        let [first, second, _] = state;
        let moments = first.iter_mut().zip(second);
        for ((w, &g), (m, v)) in parameter.iter_mut().zip(gradient).zip(moments) {
            let g = f.descent.enter(w, g);
            f.averages.moments(m, v, g);
            let direction = f.gradient * g + f.moment * *m;
            *w -= direction / (v.sqrt() / f.root_correction + f.eps);
        }
    }
}
