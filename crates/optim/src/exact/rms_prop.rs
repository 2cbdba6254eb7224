//! Missed steps of RMSprop: at a zero gradient its averages fade, and its momentum runs out.

use lexigrad_tensor::Element;

use super::linear::LinearMissed;
use super::replay::Replay;
use crate::rule::{Missed, Rule, Runs};

/// What the closed form has to know of a rule.
pub trait RmsPropRule {
    /// By what the averages fade in a step at a zero gradient; `None` if a weight decay makes a gradient of its own.
    fn fade(&self) -> Option<f64>;

    /// The runs of v, a and b.
    fn name_runs<'a, T>(&self, state: Runs<'a, T>) -> Runs<'a, T>;
}

/// Missed steps of [`RmsProp`](crate::RmsProp), any number at once; with a weight decay they are replayed one by one.
pub struct RmsPropMissed<T: Element, R: Rule<T>> {
    /// The map of parameter and momentum.
    linear: LinearMissed,
    /// Where a weight decay makes a gradient of its own.
    replay: Option<Replay<T, R>>,
}

impl<T, R> Missed<T, R> for RmsPropMissed<T, R>
where
    T: Element,
    R: Rule<T> + RmsPropRule,
    LinearMissed: Missed<T, R>,
{
    fn new(rule: &R) -> Self {
        Self {
            linear: LinearMissed::new(rule),
            replay: rule.fade().is_none().then(|| Replay::new(rule)),
        }
    }

    fn len(&self) -> usize {
        self.replay.as_ref().map_or(self.linear.len(), Replay::len)
    }

    fn push(&mut self, factors: &R::Factors) {
        match &mut self.replay {
            Some(replay) => replay.push(factors),
            None => self.linear.push(factors),
        }
    }

    fn clear(&mut self) {
        match &mut self.replay {
            Some(replay) => replay.clear(),
            None => self.linear.clear(),
        }
    }

    #[inline(always)]
    fn replay(&self, rule: &R, had: usize, parameter: &mut [T], state: Runs<'_, T>) {
        if let Some(replay) = &self.replay {
            return replay.replay(rule, had, parameter, state);
        }
        let missed = self.linear.len() - had;
        let fade = rule.fade().unwrap_or(1.0).powf(missed as f64);
        let fade = T::from_f64(fade);
        let [squares, means, velocities] = rule.name_runs(state);
        for average in [squares, means] {
            average.iter_mut().for_each(|number| *number *= fade);
        }
        if !velocities.is_empty() {
            self.linear.apply(had, parameter, velocities);
        }
    }
}
