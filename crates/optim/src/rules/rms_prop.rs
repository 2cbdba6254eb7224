//! RMSprop: gradients divided by a running root mean square.

use lexigrad_tensor::{Domain, Element, Result};

use crate::exact::{LinearStep, RmsPropMissed, RmsPropRule};
use crate::rule::{Descent, Rule, Runs, check_not_negative, check_rate};

/// `v ← α v + (1 - α) g²`, `w ← w - η g / (√v + ε)`.
///
/// Centered, the mean is taken off first: `a ← α a + (1 - α) g`, `√(v - a²)` for `√v`. With a momentum μ:
/// `b ← μ b + g / (√v + ε)`, `w ← w - η b`. The weight decay λ is added to the gradient (Hinton 2012, Graves 2013).
///
/// ```
/// use lexigrad_optim::{Build, RmsProp};
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([3]));
/// let optimizer = RmsProp { centered: true, ..RmsProp::new(1e-2) }.build(&weight);
/// assert_eq!(optimizer.learning_rate(), 1e-2);
/// ```
///
/// PyTorch: `optim.RMSprop`, which refuses sparse gradients, and whose `v - a²` may become NaN by rounding; here it is at least 0.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsProp {
    /// η
    pub learning_rate: f64,
    /// α
    pub alpha: f64,
    /// ε
    pub eps: f64,
    /// λ
    pub weight_decay: f64,
    /// μ
    pub momentum: f64,
    /// Whether gradients are divided by their deviation instead of their root mean square.
    pub centered: bool,
    /// Whether to climb instead.
    pub maximize: bool,
}

impl RmsProp {
    /// PyTorch's defaults: alpha 0.99, eps 1e-8, no decay, no momentum.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.0,
            momentum: 0.0,
            centered: false,
            maximize: false,
        }
    }
}

impl RmsPropRule for RmsProp {
    fn fade(&self) -> Option<f64> {
        (self.weight_decay == 0.0).then_some(self.alpha)
    }

    #[inline(always)]
    fn name_runs<'a, T>(&self, state: Runs<'a, T>) -> Runs<'a, T> {
        name_runs(self.centered, state)
    }
}

#[inline(always)]
fn name_runs<T>(centered: bool, state: Runs<'_, T>) -> Runs<'_, T> {
    let [squares, second, third] = state;
    if centered {
        [squares, second, third]
    } else {
        [squares, third, second]
    }
}

/// PyTorch's default learning rate, 1e-2.
impl Default for RmsProp {
    fn default() -> Self {
        Self::new(1e-2)
    }
}

/// What is the same for all rows of a step of [`RmsProp`].
#[derive(Clone, Copy, Debug)]
pub struct RmsPropFactors<T> {
    learning_rate: T,
    alpha: T,
    /// 1 - α
    rest: T,
    eps: T,
    momentum: T,
    centered: bool,
    descent: Descent<T>,
}

impl<T: Element> RmsPropFactors<T> {
    #[inline(always)]
    fn mean_square(&self, g: T, v: &mut T) -> T {
        *v = self.alpha * *v + self.rest * g * g;
        *v
    }

    #[inline(always)]
    fn variance(&self, g: T, v: &mut T, a: &mut T) -> T {
        let mean_square = self.mean_square(g, v);
        *a = self.alpha * *a + self.rest * g;
        (mean_square - *a * *a).max(T::zero())
    }
}

/// At a zero gradient: `b ← μ b`, `w ← w - η b`.
impl<T: Element> LinearStep for RmsPropFactors<T> {
    fn map(&self) -> [f64; 4] {
        let (rate, momentum) = (self.learning_rate.as_f64(), self.momentum.as_f64());
        [1.0, -rate * momentum, 0.0, momentum]
    }
}

impl<T: Element> Rule<T> for RmsProp {
    const NAME: &'static str = "rms_prop";
    const DOMAINS: [Domain; 3] = [Domain::NotNegative, Domain::Finite, Domain::Finite];
    type Factors = RmsPropFactors<T>;
    type Missed = RmsPropMissed<T, Self>;

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn check(&self) -> Result<()> {
        check_rate("rms_prop", "alpha", self.alpha)?;
        check_not_negative("rms_prop", "eps", self.eps)?;
        check_not_negative("rms_prop", "weight_decay", self.weight_decay)?;
        check_not_negative("rms_prop", "momentum", self.momentum)
    }

    fn factors(&self, learning_rate: f64, _step: u64) -> RmsPropFactors<T> {
        RmsPropFactors {
            learning_rate: T::from_f64(learning_rate),
            alpha: T::from_f64(self.alpha),
            rest: T::from_f64(1.0 - self.alpha),
            eps: T::from_f64(self.eps),
            momentum: T::from_f64(self.momentum),
            centered: self.centered,
            descent: Descent::coupled(self.maximize, self.weight_decay),
        }
    }

    /// v, then a if centered, then b if there is a momentum.
    fn runs(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum > 0.0)
    }

    #[inline(always)]
    fn update(
        factors: &RmsPropFactors<T>,
        parameter: &mut [T],
        gradient: &[T],
        state: Runs<'_, T>,
    ) {
        let f = *factors;
        let [squares, means, velocities] = name_runs(f.centered, state);
        // Apart, since the loop with all the choices in it does not become vector code.
        if means.is_empty() && velocities.is_empty() {
            for ((w, &g), v) in parameter.iter_mut().zip(gradient).zip(squares) {
                let g = f.descent.enter(w, g);
                *w -= f.learning_rate * (g / (f.mean_square(g, v).sqrt() + f.eps));
            }
            return;
        }
        for (i, (w, &g)) in parameter.iter_mut().zip(gradient).enumerate() {
            let g = f.descent.enter(w, g);
            let variance = if f.centered {
                f.variance(g, &mut squares[i], &mut means[i])
            } else {
                f.mean_square(g, &mut squares[i])
            };
            let mut direction = g / (variance.sqrt() + f.eps);
            if f.momentum > T::zero() {
                direction += f.momentum * velocities[i];
                velocities[i] = direction;
            }
            *w -= f.learning_rate * direction;
        }
    }
}
