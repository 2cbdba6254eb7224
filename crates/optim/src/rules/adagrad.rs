//! Adagrad: a learning rate of its own for each number, which shrinks as that number moves.

use lexigrad_tensor::{Element, Result};

use crate::rule::{Rule, check_not_negative};

/// `g ← g + λ w`, `s ← s + g²`, `w ← w - η / (1 + (t - 1) δ) g / (√s + ε)`.
///
/// δ is the decay of the learning rate, λ the weight decay (Duchi, Hazan and Singer 2011).
///
/// ```
/// use lexigrad_optim::{Adagrad, Rule};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Adagrad { weight_decay: 1e-4, ..Adagrad::new(0.1) }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 0.1);
/// ```
///
/// PyTorch: `optim.Adagrad`, which refuses weight decay on sparse gradients; here it acts on the rows touched.
#[derive(Clone, Debug, PartialEq)]
pub struct Adagrad {
    /// η
    pub learning_rate: f64,
    /// δ
    pub learning_rate_decay: f64,
    /// λ
    pub weight_decay: f64,
    /// s before the first step.
    pub initial_accumulator: f64,
    /// ε
    pub eps: f64,
}

impl Adagrad {
    /// PyTorch's defaults: no decays, s from 0, eps 1e-10.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            learning_rate_decay: 0.0,
            weight_decay: 0.0,
            initial_accumulator: 0.0,
            eps: 1e-10,
        }
    }
}

/// PyTorch's default learning rate, 1e-2.
impl Default for Adagrad {
    fn default() -> Self {
        Self::new(1e-2)
    }
}

/// What is the same for all rows of a step of [`Adagrad`].
#[derive(Clone, Copy, Debug)]
pub struct AdagradFactors<T> {
    learning_rate: T,
    weight_decay: T,
    eps: T,
}

impl<T: Element> Rule<T> for Adagrad {
    const NAME: &'static str = "adagrad";
    const STATES: usize = 1;
    type Factors = AdagradFactors<T>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_not_negative("adagrad", "learning_rate_decay", self.learning_rate_decay)?;
        check_not_negative("adagrad", "weight_decay", self.weight_decay)?;
        check_not_negative("adagrad", "initial_accumulator", self.initial_accumulator)?;
        check_not_negative("adagrad", "eps", self.eps)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> AdagradFactors<T> {
        let slowed = learning_rate / (1.0 + (step - 1) as f64 * self.learning_rate_decay);
        AdagradFactors {
            learning_rate: T::from_f64(slowed),
            weight_decay: T::from_f64(self.weight_decay),
            eps: T::from_f64(self.eps),
        }
    }

    #[inline(always)]
    fn update(factors: &AdagradFactors<T>, parameter: &mut [T], gradient: &[T], state: &mut [T]) {
        let f = *factors;
        for ((w, &g), s) in parameter.iter_mut().zip(gradient).zip(state) {
            let g = g + f.weight_decay * *w;
            *s += g * g;
            *w -= f.learning_rate * g / (s.sqrt() + f.eps);
        }
    }

    fn initial_state(&self) -> f64 {
        self.initial_accumulator
    }
}
