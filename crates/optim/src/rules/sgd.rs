//! Stochastic gradient descent.

use lexigrad_tensor::{Element, Error, Result};

use crate::exact::{LinearMissed, LinearStep};
use crate::rule::{Descent, Rule, Runs, check_not_negative};

/// `g ← g + λ w`, `b ← μ b + (1 - d) g` (b = g at the first step), `w ← w - η b`; with Nesterov `w ← w - η (g + μ b)`.
///
/// η is the learning rate, μ the momentum, d the dampening, λ the weight decay.
///
/// ```
/// use lexigrad_optim::{Build, Sgd};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = Sgd { momentum: 0.9, ..Sgd::new(0.1) }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 0.1);
/// ```
///
/// PyTorch: `optim.SGD`. On sparse gradients momentum and weight decay act as the [`SparseMode`](crate::SparseMode) says; PyTorch
/// moves every row ever seen, and fails with weight decay.
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    /// η
    pub learning_rate: f64,
    /// μ
    pub momentum: f64,
    /// d
    pub dampening: f64,
    /// λ
    pub weight_decay: f64,
    /// Whether to look ahead (Sutskever et al. 2013); needs a momentum and no dampening.
    pub nesterov: bool,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl Sgd {
    /// Plain gradient descent with this learning rate.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.0,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: false,
            maximize: false,
        }
    }
}

/// PyTorch's defaults: learning rate 1e-3 and nothing else.
impl Default for Sgd {
    fn default() -> Self {
        Self::new(1e-3)
    }
}

/// What is the same for all rows of a step of [`Sgd`].
#[derive(Clone, Copy, Debug)]
pub struct SgdFactors<T> {
    learning_rate: T,
    momentum: T,
    /// 1 - d, or 1 at the first step.
    inflow: T,
    descent: Descent<T>,
    nesterov: bool,
}

impl<T: Element> LinearStep for SgdFactors<T> {
    fn map(&self) -> [f64; 4] {
        let (rate, decay) = (self.learning_rate.as_f64(), self.descent.decay().as_f64());
        let (momentum, inflow) = (self.momentum.as_f64(), self.inflow.as_f64());
        if momentum == 0.0 {
            return [1.0 - rate * decay, 0.0, 0.0, 0.0];
        }
        // g = decay w; b ← momentum b + inflow g; then g + momentum b or b is the direction.
        let (from_parameter, from_velocity) = (inflow * decay, momentum);
        let direction = if self.nesterov {
            (decay + momentum * from_parameter, momentum * from_velocity)
        } else {
            (from_parameter, from_velocity)
        };
        [
            1.0 - rate * direction.0,
            -rate * direction.1,
            from_parameter,
            from_velocity,
        ]
    }
}

impl<T: Element> Rule<T> for Sgd {
    const NAME: &'static str = "sgd";
    type Factors = SgdFactors<T>;
    type Missed = LinearMissed;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_not_negative("sgd", "momentum", self.momentum)?;
        check_not_negative("sgd", "weight_decay", self.weight_decay)?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let message = format!(
                "nesterov with momentum {} and dampening {}; it needs a momentum and no dampening",
                self.momentum, self.dampening
            );
            return Err(Error::other("sgd", message));
        }
        Ok(())
    }

    fn factors(&self, learning_rate: f64, step: u64) -> SgdFactors<T> {
        let inflow = if step == 1 { 1.0 } else { 1.0 - self.dampening };
        SgdFactors {
            learning_rate: T::from_f64(learning_rate),
            momentum: T::from_f64(self.momentum),
            inflow: T::from_f64(inflow),
            descent: Descent::coupled(self.maximize, self.weight_decay),
            nesterov: self.nesterov,
        }
    }

    fn runs(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    #[inline(always)]
    fn update(factors: &SgdFactors<T>, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>) {
        let f = *factors;
        let [velocity, ..] = state;
        if velocity.is_empty() {
            for (w, &g) in parameter.iter_mut().zip(gradient) {
                let g = f.descent.enter(w, g);
                *w -= f.learning_rate * g;
            }
            return;
        }
        for ((w, &g), b) in parameter.iter_mut().zip(gradient).zip(velocity) {
            let g = f.descent.enter(w, g);
            *b = f.momentum * *b + f.inflow * g;
            let direction = if f.nesterov { g + f.momentum * *b } else { *b };
            *w -= f.learning_rate * direction;
        }
    }
}
