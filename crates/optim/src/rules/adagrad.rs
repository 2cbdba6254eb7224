//! Adagrad: a learning rate of its own for each number, or each row, which shrinks as that moves.

use lexigrad_tensor::{Domain, Element, Result};

use crate::exact::Replay;
use crate::rule::{Descent, Rule, Runs, check_not_negative};

/// `g ← g + λ w`, `s ← s + g²`, `w ← w - η / (1 + (t - 1) δ) g / (√s + ε)`.
///
/// δ is the decay of the learning rate, λ the weight decay (Duchi, Hazan and Singer 2011).
///
/// ```
/// use lexigrad_optim::{Adagrad, Build};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Adagrad { weight_decay: 1e-4, ..Adagrad::new(0.1) }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 0.1);
/// ```
///
/// PyTorch: `optim.Adagrad`, which refuses weight decay on sparse gradients; here it acts as the
/// [`SparseMode`](crate::SparseMode) says.
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
    /// Whether to climb instead.
    pub maximize: bool,
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
            maximize: false,
        }
    }

    fn check(&self, name: &'static str) -> Result<()> {
        check_not_negative(name, "learning_rate_decay", self.learning_rate_decay)?;
        check_not_negative(name, "weight_decay", self.weight_decay)?;
        check_not_negative(name, "initial_accumulator", self.initial_accumulator)?;
        check_not_negative(name, "eps", self.eps)
    }

    fn factors<T: Element>(&self, learning_rate: f64, step: u64) -> AdagradFactors<T> {
        let slowed = learning_rate / (1.0 + (step - 1) as f64 * self.learning_rate_decay);
        AdagradFactors {
            learning_rate: T::from_f64(slowed),
            eps: T::from_f64(self.eps),
            descent: Descent::coupled(self.maximize, self.weight_decay),
        }
    }
}

/// PyTorch's default learning rate, 1e-2.
impl Default for Adagrad {
    fn default() -> Self {
        Self::new(1e-2)
    }
}

/// [`Adagrad`] with one accumulator for each row: `s ← s + mean(g²)`, `w ← w - η g / (√s + ε)`, `w, g: [dim]`, `s: []`.
///
/// Its state is a number a row, a 64th of Adagrad's for rows of 64. A vector parameter is one row.
///
/// ```
/// use lexigrad_optim::{Build, RowWiseAdagrad};
/// use lexigrad_tensor::{Param, Tensor};
/// let table: Param = Param::new(Tensor::zeros([1_000, 64]));
/// let optimizer = RowWiseAdagrad::new(0.1).build(&table);
/// assert_eq!(optimizer.learning_rate(), 0.1);
/// ```
///
/// PyTorch: none; FBGEMM's row-wise Adagrad is the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowWiseAdagrad(pub Adagrad);

impl RowWiseAdagrad {
    /// No decays, s from 0, eps 1e-10.
    pub fn new(learning_rate: f64) -> Self {
        Self(Adagrad::new(learning_rate))
    }
}

/// What is the same for all rows of a step of [`Adagrad`] or [`RowWiseAdagrad`].
#[derive(Clone, Copy, Debug)]
pub struct AdagradFactors<T> {
    learning_rate: T,
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> Rule<T> for Adagrad {
    const NAME: &'static str = "adagrad";
    const DOMAINS: [Domain; 3] = [Domain::NotNegative; 3];
    type Factors = AdagradFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        self.check("adagrad")
    }

    fn factors(&self, learning_rate: f64, step: u64) -> AdagradFactors<T> {
        self.factors(learning_rate, step)
    }

    fn runs(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update(
        factors: &AdagradFactors<T>,
        parameter: &mut [T],
        gradient: &[T],
        state: Runs<'_, T>,
    ) {
        let f = *factors;
        let [sums, ..] = state;
        for ((w, &g), s) in parameter.iter_mut().zip(gradient).zip(sums) {
            let g = f.descent.enter(w, g);
            *s += g * g;
            *w -= f.learning_rate * g / (s.sqrt() + f.eps);
        }
    }

    fn initial_state(&self) -> f64 {
        self.initial_accumulator
    }

    #[inline(always)]
    fn rests(&self, _state: &Runs<'_, T>) -> bool {
        self.weight_decay == 0.0
    }
}

impl<T: Element> Rule<T> for RowWiseAdagrad {
    const NAME: &'static str = "row_wise_adagrad";
    const DOMAINS: [Domain; 3] = [Domain::NotNegative; 3];
    const BY_ROW: bool = true;
    type Factors = AdagradFactors<T>;
    type Missed = Replay<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.0.learning_rate
    }

    fn check(&self) -> Result<()> {
        self.0.check("row_wise_adagrad")
    }

    fn factors(&self, learning_rate: f64, step: u64) -> AdagradFactors<T> {
        self.0.factors(learning_rate, step)
    }

    fn runs(&self) -> usize {
        1
    }

    #[inline(always)]
    fn update(
        factors: &AdagradFactors<T>,
        parameter: &mut [T],
        gradient: &[T],
        state: Runs<'_, T>,
    ) {
        let f = *factors;
        let dim = T::from_f64(parameter.len() as f64);
        // Sixteen sums side by side, since one would have to be added up in order.
        let mut squares = [T::zero(); 16];
        let chunks = parameter.chunks_mut(16).zip(gradient.chunks(16));
        for (parameter, gradient) in chunks {
            let pairs = parameter.iter_mut().zip(gradient);
            for (sum, (w, &g)) in squares.iter_mut().zip(pairs) {
                let g = f.descent.enter(w, g);
                *sum += g * g;
            }
        }
        let [sums, ..] = state;
        sums[0] += squares.into_iter().sum::<T>() / dim;
        let step_size = f.learning_rate / (sums[0].sqrt() + f.eps);
        for (w, &g) in parameter.iter_mut().zip(gradient) {
            let g = f.descent.enter(w, g);
            *w -= step_size * g;
        }
    }

    fn initial_state(&self) -> f64 {
        self.0.initial_accumulator
    }

    #[inline(always)]
    fn rests(&self, _state: &Runs<'_, T>) -> bool {
        self.0.weight_decay == 0.0
    }
}
