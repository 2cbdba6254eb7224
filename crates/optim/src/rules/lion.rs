//! Lion: steps of one length, in the direction of a momentum.

use lexigrad_tensor::{Element, Result};

use super::averages::{Averages, check_options};
use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, is_zero};

/// `w ← w - η (sign(β1 m + (1 - β1) g) + λ w)`, `m ← β2 m + (1 - β2) g`; the sign of 0 is 0.
///
/// λ is a decoupled weight decay (Chen et al. 2023).
///
/// ```
/// use lexigrad_optim::{Build, Lion};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Lion { weight_decay: 0.1, ..Lion::default() }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 1e-4);
/// ```
///
/// PyTorch: none; the defaults are the paper's.
#[derive(Clone, Debug, PartialEq)]
pub struct Lion {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// λ
    pub weight_decay: f64,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl Lion {
    /// The paper's defaults: betas 0.9 and 0.99, no decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.99),
            weight_decay: 0.0,
            maximize: false,
        }
    }
}

/// The paper's learning rate, 1e-4.
impl Default for Lion {
    fn default() -> Self {
        Self::new(1e-4)
    }
}

/// What is the same for all rows of a step of [`Lion`].
#[derive(Clone, Copy, Debug)]
pub struct LionFactors<T> {
    learning_rate: T,
    averages: Averages<T>,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for Lion {
    const NAME: &'static str = "lion";
    type Factors = LionFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("lion", self.betas, 0.0, self.weight_decay)
    }

    fn factors(&self, learning_rate: f64, _step: u64) -> LionFactors<T> {
        LionFactors {
            learning_rate: T::from_f64(learning_rate),
            averages: Averages::new(self.betas),
            descent: Descent::decoupled(self.maximize, learning_rate, self.weight_decay),
        }
    }

    fn runs(&self) -> usize {
        1
    }

    #[inline(always)]
    fn rests(&self, state: &Runs<'_, T>) -> bool {
        self.weight_decay == 0.0 && is_zero(state)
    }

    #[inline(always)]
    fn update(factors: &LionFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        let f = *factors;
        let [momentum, ..] = state;
        for ((w, &g), m) in parameter.iter_mut().zip(gradient).zip(momentum) {
            let g = f.descent.enter(w, g);
            let direction = f.averages.by_first(*m, g);
            *m = f.averages.by_second(*m, g);
            let sign = if direction == T::zero() {
                T::zero()
            } else {
                direction.signum()
            };
            *w -= f.learning_rate * sign;
        }
    }
}
