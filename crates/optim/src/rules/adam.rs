//! Adam, and Adam with the weight decay apart.

use lexigrad_tensor::{Domain, Element, Error, Result};

use super::averages::{Averages, check_options};
use crate::exact::{AdamMissed, AdamRule, AdamStep};
use crate::rule::{Descent, Rule, Runs, bias_correction, is_zero};

/// `m ← β1 m + (1 - β1) g`, `v ← β2 v + (1 - β2) g²`, `w ← w - η m̂ / (√v̂ + ε)`, with `m̂ = m / (1 - β1ᵗ)`, `v̂ = v / (1 - β2ᵗ)`.
///
/// The weight decay λ is added to the gradient: `g ← g + λ w` (Kingma and Ba 2014). AMSGrad puts the largest v so far in its
/// place (Reddi, Kale and Kumar 2018).
///
/// ```
/// use lexigrad_optim::{Adam, Build};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Adam { betas: (0.9, 0.98), ..Adam::new(1e-3) }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 1e-3);
/// ```
///
/// PyTorch: `optim.Adam`, which refuses sparse gradients; here they move the rows touched, by the same formula with the step
/// count of the whole parameter, or in the [exact mode](crate::SparseMode::Exact) all rows as its dense step does.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// Whether v never shrinks in the denominator.
    pub amsgrad: bool,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl Adam {
    /// Adam with PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8, no weight decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            amsgrad: false,
            maximize: false,
        }
    }
}

/// PyTorch's default learning rate, 1e-3.
impl Default for Adam {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

/// [`Adam`] whose weight decay shrinks the parameter instead of joining the gradient: first `w ← w - η λ w`.
///
/// Loshchilov and Hutter 2019. PyTorch: `optim.AdamW`, which refuses sparse gradients; here see [`Adam`].
///
/// ```
/// use lexigrad_optim::{AdamW, Build};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = AdamW { weight_decay: 0.1, ..AdamW::new(1e-3) }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 1e-3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// η
    pub learning_rate: f64,
    /// β1 and β2
    pub betas: (f64, f64),
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// Whether v never shrinks in the denominator.
    pub amsgrad: bool,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl AdamW {
    /// AdamW with PyTorch's defaults: betas 0.9 and 0.999, eps 1e-8, weight decay 0.01.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 1e-2,
            amsgrad: false,
            maximize: false,
        }
    }
}

/// PyTorch's default learning rate, 1e-3.
impl Default for AdamW {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

/// What is the same for all rows of a step of [`Adam`] or [`AdamW`].
#[derive(Clone, Copy, Debug)]
pub struct AdamFactors<T> {
    /// η / (1 - β1ᵗ)
    step_size: T,
    /// 1 / √(1 - β2ᵗ): a product costs less than a division.
    root_scale: T,
    averages: Averages<T>,
    eps: T,
    descent: Descent<T>,
}

impl<T: Element> AdamFactors<T> {
    fn new(
        learning_rate: f64,
        step: u64,
        betas: (f64, f64),
        eps: f64,
        descent: Descent<T>,
    ) -> Self {
        Self {
            step_size: T::from_f64(learning_rate / bias_correction(betas.0, step)),
            root_scale: T::from_f64(1.0 / bias_correction(betas.1, step).sqrt()),
            averages: Averages::new(betas),
            eps: T::from_f64(eps),
            descent,
        }
    }

    /// Moves a row; its state is m, v and, for AMSGrad, the largest v.
    #[inline(always)]
    fn update(&self, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        let [first, second, largest] = state;
        let moments = first.iter_mut().zip(second);
        let numbers = parameter.iter_mut().zip(gradient).zip(moments);
        if largest.is_empty() {
            for ((w, &g), (m, v)) in numbers {
                self.moments(w, g, m, v);
                self.step(w, *m, *v);
            }
        } else {
            for (((w, &g), (m, v)), top) in numbers.zip(largest) {
                self.moments(w, g, m, v);
                *top = if *v > *top { *v } else { *top };
                self.step(w, *m, *top);
            }
        }
    }

    #[inline(always)]
    fn moments(&self, w: &mut T, g: T, m: &mut T, v: &mut T) {
        let g = self.descent.enter(w, g);
        self.averages.moments(m, v, g);
    }

    #[inline(always)]
    fn step(&self, w: &mut T, m: T, v: T) {
        *w -= self.step_size * m / (v.sqrt() * self.root_scale + self.eps);
    }
}

impl<T: Element> AdamStep for AdamFactors<T> {
    fn terms(&self) -> (f64, f64, f64) {
        (
            self.step_size.as_f64(),
            1.0 / self.root_scale.as_f64(),
            self.descent.shrinkage().as_f64(),
        )
    }
}

/// A decay that joins the gradient feeds the moments, and AMSGrad's divisor does not shrink.
impl AdamRule for Adam {
    fn closed_form(&self) -> Option<((f64, f64), f64)> {
        (self.weight_decay == 0.0 && !self.amsgrad).then_some((self.betas, self.eps))
    }
}

impl AdamRule for AdamW {
    fn closed_form(&self) -> Option<((f64, f64), f64)> {
        (!self.amsgrad).then_some((self.betas, self.eps))
    }
}

impl<T: Element> Rule<T> for Adam {
    const NAME: &'static str = "adam";
    const DOMAINS: [Domain; 3] = [Domain::Finite, Domain::NotNegative, Domain::NotNegative];
    type Factors = AdamFactors<T>;
    type Missed = AdamMissed<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("adam", self.betas, self.eps, self.weight_decay)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> AdamFactors<T> {
        let descent = Descent::coupled(self.maximize, self.weight_decay);
        AdamFactors::new(learning_rate, step, self.betas, self.eps, descent)
    }

    fn runs(&self) -> usize {
        if self.amsgrad { 3 } else { 2 }
    }

    #[inline(always)]
    fn rests(&self, state: &Runs<'_, T>) -> bool {
        self.weight_decay == 0.0 && is_zero(state)
    }

    #[inline(always)]
    fn update(factors: &AdamFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        factors.update(parameter, gradient, state);
    }
}

impl<T: Element> Rule<T> for AdamW {
    const NAME: &'static str = "adamw";
    const DOMAINS: [Domain; 3] = [Domain::Finite, Domain::NotNegative, Domain::NotNegative];
    type Factors = AdamFactors<T>;
    type Missed = AdamMissed<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_options("adamw", self.betas, self.eps, self.weight_decay)
    }

    fn factors(&self, learning_rate: f64, step: u64) -> AdamFactors<T> {
        let descent = Descent::decoupled(self.maximize, learning_rate, self.weight_decay);
        AdamFactors::new(learning_rate, step, self.betas, self.eps, descent)
    }

    fn runs(&self) -> usize {
        if self.amsgrad { 3 } else { 2 }
    }

    fn check_exact(&self, learning_rate: f64) -> Result<()> {
        let shrinkage = learning_rate * self.weight_decay;
        if shrinkage < 1.0 {
            return Ok(());
        }
        let name = "the learning rate times the weight decay";
        Err(Error::value(
            "adamw",
            name,
            shrinkage,
            "below 1 in the exact mode",
        ))
    }

    #[inline(always)]
    fn rests(&self, state: &Runs<'_, T>) -> bool {
        self.weight_decay == 0.0 && is_zero(state)
    }

    #[inline(always)]
    fn update(factors: &AdamFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        factors.update(parameter, gradient, state);
    }
}
