//! Missed steps of Adam in closed form.
//!
//! At a zero gradient m shrinks by β1 and v by β2 a step, so the step j after the last one with a gradient moves a number by
//! `m cⱼ yⱼ / (√v + ε yⱼ)`, `cⱼ = η / (1 - β1ᵗ) β1ʲ`, `yⱼ = √(1 - β2ᵗ) / β2^(j/2)`: m and v as they were, cⱼ and yⱼ the same for
//! all rows left behind at one step. The sum over j is an integral over y, with weights cⱼ, of a function that is nearly linear in
//! y; two nodes that have the weights' first four moments give it (Gauss). So a row costs two divisions a number, however many
//! steps it missed.

use lexigrad_tensor::Element;

use super::missed::{Missed, Replay};
use crate::rule::Rule;

/// Terms that have shrunk below this part of the first are left out.
const TAIL: f64 = 1e-18;

/// With betas whose terms shrink so slowly that more would have to be summed, missed steps are replayed.
const MOST_TERMS: f64 = 4096.0;

/// What the closed form has to know of a rule.
pub trait AdamRule {
    /// β1, β2 and ε, if a step at a zero gradient does nothing but shrink the parameter and follow the moments.
    fn closed_form(&self) -> Option<((f64, f64), f64)>;
}

/// What the closed form has to know of a step.
pub trait AdamStep {
    /// `η / (1 - β1ᵗ)`, `√(1 - β2ᵗ)`, and what the parameter is multiplied by.
    fn terms(&self) -> (f64, f64, f64);
}

/// The steps missed by the rows that had so many: the moments of their weights.
#[derive(Clone, Copy, Debug)]
struct Lag {
    /// y₁, the unit of y.
    unit: f64,
    /// `Σ cⱼ (yⱼ / y₁ - 1)ᵖ` for p from 0 to 3, each term shrunk by the steps after it.
    moments: [f64; 4],
    /// The logarithm of the shrinkage before the first of these steps.
    before: f64,
    /// And after the last that was added.
    after: f64,
}

impl Lag {
    fn add(&mut self, weight: f64, y: f64, shrinkage: f64, log_shrinkage: f64) {
        let z = y / self.unit - 1.0;
        let mut term = weight;
        for moment in &mut self.moments {
            *moment = shrinkage * *moment + term;
            term *= z;
        }
        self.after = log_shrinkage;
    }

    /// Two nodes and their weights: `[(c, y); 2]`.
    fn nodes(&self) -> [(f64, f64); 2] {
        let [sum, first, second, third] = self.moments;
        if sum <= 0.0 {
            return [(0.0, self.unit); 2];
        }
        let (mean, square, cube) = (first / sum, second / sum, third / sum);
        let variance = square - mean * mean;
        let y = |z: f64| self.unit * (1.0 + z);
        if variance <= 1e-14 * (1.0 + mean) * (1.0 + mean) {
            return [(sum, y(mean)), (0.0, self.unit)];
        }
        let skew = cube - 3.0 * mean * variance - mean * mean * mean;
        // The roots of d² - skew / variance d - variance.
        let half = skew / (2.0 * variance);
        let far = half + (half * half + variance).sqrt().copysign(half);
        let near = -variance / far;
        let weight = sum * near / (near - far);
        [(weight, y(mean + far)), (sum - weight, y(mean + near))]
    }
}

/// The closed form, where there is one.
#[derive(Debug)]
struct Closed {
    betas: (f64, f64),
    eps: f64,
    /// β1ʲ and β2^(-j/2) for j from 1 to as many terms as are summed.
    powers: Vec<(f64, f64)>,
    lags: Vec<Lag>,
    log_shrinkage: f64,
}

impl Closed {
    fn new((beta1, beta2): (f64, f64), eps: f64) -> Option<Self> {
        // The ratio of two terms of the third moment, the slowest to shrink.
        let ratio = beta1 / beta2.powf(1.5);
        let terms = (TAIL.ln() / ratio.ln()).ceil().max(1.0);
        let shrinks = beta2 > 0.0 && ratio < 1.0 && terms <= MOST_TERMS;
        shrinks.then(|| Self {
            betas: (beta1, beta2),
            eps,
            powers: (1..=terms as i32)
                .map(|j| (beta1.powi(j), beta2.powf(-0.5 * f64::from(j))))
                .collect(),
            lags: Vec::new(),
            log_shrinkage: 0.0,
        })
    }

    fn push(&mut self, (step_size, root_correction, shrinkage): (f64, f64, f64)) {
        let before = self.log_shrinkage;
        self.log_shrinkage += shrinkage.ln();
        self.lags.push(Lag {
            unit: root_correction * self.powers[0].1,
            moments: [0.0; 4],
            before,
            after: before,
        });
        let (log_shrinkage, lags) = (self.log_shrinkage, self.lags.iter_mut().rev());
        for (lag, power) in lags.zip(&self.powers) {
            let (weight, y) = (step_size * power.0, root_correction * power.1);
            lag.add(weight, y, shrinkage, log_shrinkage);
        }
    }

    #[inline(always)]
    fn replay<T: Element>(&self, had: usize, parameter: &mut [T], state: &mut [T]) {
        let lag = self.lags[had];
        let missed = (self.lags.len() - had) as f64;
        let shrinkage = T::from_f64((self.log_shrinkage - lag.before).exp());
        let later = (self.log_shrinkage - lag.after).exp();
        let [near, far] = lag.nodes().map(|(weight, y)| {
            let (weight, eps) = (later * weight * y, self.eps * y);
            (T::from_f64(weight), T::from_f64(eps))
        });
        let fade = (power(self.betas.0, missed), power(self.betas.1, missed));
        let (first, second) = state.split_at_mut(parameter.len());
        let moments = first.iter_mut().zip(second);
        for (w, (m, v)) in parameter.iter_mut().zip(moments) {
            let root = v.sqrt();
            let moved = near.0 / (root + near.1) + far.0 / (root + far.1);
            *w = shrinkage * *w - *m * moved;
            *m *= fade.0;
            *v *= fade.1;
        }
    }
}

/// βᵏ, or 0 where it is too small for a normal number.
#[inline(always)]
fn power<T: Element>(beta: f64, exponent: f64) -> T {
    let power = T::from_f64(beta.powf(exponent));
    if power < T::min_positive_value() {
        T::zero()
    } else {
        power
    }
}

/// Missed steps of [`Adam`](crate::Adam) or [`AdamW`](crate::AdamW), in closed form.
///
/// Against the steps one by one a parameter moves by at most 1e-18 of the movement less at the cut tail, and at most
/// `0.42 σ⁴` of the movement beside it from the two nodes, σ the deviation of y relative to y: 5e-3 and so 3e-10 for the usual betas,
/// and that only where √v is near ε. Weight decay that joins the gradient, AMSGrad, and betas with β1 near β2^(3/2) have no closed
/// form: there the steps are replayed.
pub struct AdamMissed<T: Element, R: Rule<T>> {
    closed: Option<Closed>,
    replay: Replay<T, R>,
}

impl<T, R> Missed<T, R> for AdamMissed<T, R>
where
    T: Element,
    R: Rule<T, Missed = Self, Factors: AdamStep> + AdamRule,
{
    fn new(rule: &R) -> Self {
        let closed = rule.closed_form();
        Self {
            closed: closed.and_then(|(betas, eps)| Closed::new(betas, eps)),
            replay: Replay::empty(),
        }
    }

    fn len(&self) -> usize {
        match &self.closed {
            Some(closed) => closed.lags.len(),
            None => self.replay.len(),
        }
    }

    fn push(&mut self, factors: &R::Factors) {
        match &mut self.closed {
            Some(closed) => closed.push(factors.terms()),
            None => self.replay.push(factors),
        }
    }

    fn clear(&mut self) {
        if let Some(closed) = &mut self.closed {
            closed.lags.clear();
            closed.log_shrinkage = 0.0;
        }
        self.replay.clear();
    }

    #[inline(always)]
    fn replay(&self, rule: &R, had: usize, parameter: &mut [T], state: &mut [T]) {
        match &self.closed {
            Some(closed) => closed.replay(had, parameter, state),
            None => self.replay.run(rule, had, parameter, state),
        }
    }
}
