//! Missed steps of Adam in closed form.
//!
//! At a zero gradient m shrinks by β1 and v by β2 a step, so the step j after the last one with a gradient moves a number by
//! `m cⱼ yⱼ / (√v + ε yⱼ)`, `cⱼ = η / (1 - β1ᵗ) β1ʲ`, `yⱼ = √(1 - β2ᵗ) / β2^(j/2)`: m and v as they were, cⱼ and yⱼ the same for
//! all rows left behind at one step. The sum over j is an integral over y, with weights cⱼ, of a function that is nearly linear in
//! y; two nodes that have the weights' first four moments give it (Gauss). So a row costs two divisions a number, however many
//! steps it missed; a few times that where y varies much, as in the first hundred steps of a training.

use lexigrad_tensor::Element;

use super::replay::Replay;
use crate::rule::{Missed, Rule, Runs};

/// Terms that have shrunk below this part of the first are left out.
const TAIL: f64 = 1e-18;

/// With betas whose terms shrink so slowly that more would have to be summed, missed steps are replayed.
const MOST_TERMS: f64 = 4096.0;

/// Two nodes for weights whose y has the relative deviation σ are wrong by at most this times σ⁴ of the sum.
const NODES_BOUND: f64 = 0.42;

/// Terms are taken together where that is wrong by at most this part of their sum.
const TOLERANCE: f64 = 1e-6;

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

/// `Σ c (y / y₁ - 1)ᵖ` for p from 0 to 3.
#[derive(Clone, Copy, Debug, Default)]
struct Moments([f64; 4]);

impl Moments {
    fn add(&mut self, weight: f64, z: f64) {
        let mut term = weight;
        for moment in &mut self.0 {
            *moment += term;
            term *= z;
        }
    }

    fn scale(&mut self, factor: f64) {
        self.0.iter_mut().for_each(|moment| *moment *= factor);
    }

    /// Mean and variance of z.
    fn spread(&self) -> (f64, f64) {
        let [sum, first, second, _] = self.0;
        let mean = first / sum;
        (mean, (second / sum - mean * mean).max(0.0))
    }

    /// Whether two nodes are good enough for all of this.
    fn is_narrow(&self) -> bool {
        let (mean, variance) = self.spread();
        let relative = variance / ((1.0 + mean) * (1.0 + mean));
        NODES_BOUND * relative * relative <= TOLERANCE
    }

    /// Two nodes and their weights: `[(c, z); 2]`.
    fn nodes(&self) -> [(f64, f64); 2] {
        let [sum, _, _, third] = self.0;
        if sum <= 0.0 {
            return [(0.0, 0.0); 2];
        }
        let (mean, variance) = self.spread();
        if variance <= 1e-12 * (1.0 + mean) * (1.0 + mean) {
            return [(sum, mean), (0.0, mean)];
        }
        let skew = third / sum - 3.0 * mean * variance - mean * mean * mean;
        // The roots of d² - skew / variance d - variance.
        let half = skew / (2.0 * variance);
        let far = half + (half * half + variance).sqrt().copysign(half);
        let near = -variance / far;
        let weight = sum * near / (near - far);
        [(weight, mean + far), (sum - weight, mean + near)]
    }
}

/// The steps missed by the rows that had so many.
#[derive(Debug)]
struct Lag {
    /// y₁, the unit of y.
    unit: f64,
    /// All terms.
    all: Moments,
    /// Terms 1 and 2, 3 and 4, 5 to 8, 9 to 16 ...; none once there will be no more and two nodes are good enough for all.
    pieces: Vec<Moments>,
    /// The logarithm of the shrinkage before the first of these steps, and after the last.
    log_shrinkage: (f64, f64),
}

impl Lag {
    /// Adds term `place`, counted from 0.
    fn add(&mut self, place: usize, weight: f64, y: f64, shrinkage: f64) {
        if shrinkage != 1.0 {
            self.all.scale(shrinkage);
            self.pieces
                .iter_mut()
                .for_each(|piece| piece.scale(shrinkage));
        }
        let piece = (place | 1).ilog2() as usize;
        if piece == self.pieces.len() {
            self.pieces.push(Moments::default());
        }
        let z = y / self.unit - 1.0;
        self.all.add(weight, z);
        self.pieces[piece].add(weight, z);
    }

    /// No term will come.
    fn finish(&mut self) {
        if self.all.is_narrow() {
            self.pieces = Vec::new();
        }
    }

    /// What two nodes each are good enough for.
    fn parts(&self) -> &[Moments] {
        if self.all.is_narrow() {
            std::slice::from_ref(&self.all)
        } else {
            &self.pieces
        }
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
            all: Moments::default(),
            pieces: Vec::new(),
            log_shrinkage: (before, before),
        });
        let lags = self.lags.iter_mut().rev();
        for (place, (lag, power)) in lags.zip(&self.powers).enumerate() {
            let (weight, y) = (step_size * power.0, root_correction * power.1);
            lag.add(place, weight, y, shrinkage);
            lag.log_shrinkage.1 = self.log_shrinkage;
        }
        if let Some(last) = self.lags.len().checked_sub(self.powers.len()) {
            self.lags[last].finish();
        }
    }

    /// β1ᵏ and β2ᵏ: how far m and v fade in k steps.
    fn fade(&self, missed: usize) -> (f64, f64) {
        match self.powers.get(missed - 1) {
            Some((first, root)) => (*first, 1.0 / (root * root)),
            None => (0.0, self.betas.1.powf(missed as f64)),
        }
    }

    #[inline(always)]
    fn replay<T: Element>(&self, had: usize, parameter: &mut [T], state: Runs<'_, T>) {
        let lag = &self.lags[had];
        let mut shrinkage = T::from_f64(exp(self.log_shrinkage - lag.log_shrinkage.0));
        let later = exp(self.log_shrinkage - lag.log_shrinkage.1);
        let [first, second, _] = state;
        for part in lag.parts() {
            let [near, far] = part.nodes().map(|(weight, z)| {
                let y = lag.unit * (1.0 + z);
                (T::from_f64(later * weight * y), T::from_f64(self.eps * y))
            });
            let moments = first.iter().zip(second.iter());
            for (w, (&m, &v)) in parameter.iter_mut().zip(moments) {
                let root = v.sqrt();
                let moved = near.0 / (root + near.1) + far.0 / (root + far.1);
                *w = shrinkage * *w - m * moved;
            }
            shrinkage = T::one();
        }
        let fade = self.fade(self.lags.len() - had);
        let fade = (T::from_f64(fade.0), T::from_f64(fade.1));
        for (m, v) in first.iter_mut().zip(second) {
            *m *= fade.0;
            *v *= fade.1;
        }
    }
}

/// `exp(log)`, mostly of 0.
fn exp(log: f64) -> f64 {
    if log == 0.0 { 1.0 } else { log.exp() }
}

/// Missed steps of [`Adam`](crate::Adam) or [`AdamW`](crate::AdamW), in f32 in closed form.
///
/// What the nodes leave out of the movement that a row has missed is less than 2e-5 of it where √v is near ε, and less than 2e-7 of
/// it where √v is a hundred times ε (with the usual betas 2e-6 and 2e-13). Terms below 1e-18 of the first are cut. In f64, with a
/// weight decay that joins the gradient, with AMSGrad, and with β1 near β2^(3/2) or above, steps are replayed one by one.
pub struct AdamMissed<T: Element, R: Rule<T>> {
    closed: Option<Closed>,
    replay: Replay<T, R>,
}

impl<T, R> Missed<T, R> for AdamMissed<T, R>
where
    T: Element,
    R: Rule<T, Factors: AdamStep> + AdamRule,
{
    fn new(rule: &R) -> Self {
        let closed = rule.closed_form().filter(|_| T::NAME == "f32");
        Self {
            closed: closed.and_then(|(betas, eps)| Closed::new(betas, eps)),
            replay: Replay::new(rule),
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
    fn replay(&self, rule: &R, had: usize, parameter: &mut [T], state: Runs<'_, T>) {
        match &self.closed {
            Some(closed) => closed.replay(had, parameter, state),
            None => self.replay.replay(rule, had, parameter, state),
        }
    }
}
