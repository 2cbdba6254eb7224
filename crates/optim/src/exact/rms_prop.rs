//! Missed steps of RMSprop: at a zero gradient its averages fade, and its momentum runs out.

use lexigrad_tensor::Element;

use super::linear::{LinearMissed, LinearStep};
use super::missed::{Missed, Replay};
use crate::rule::Runs;
use crate::rules::rms_prop::RmsProp;

/// Missed steps of [`RmsProp`], any number at once; with a weight decay they are replayed one by one.
pub struct RmsPropMissed<T: Element> {
    /// The map of parameter and momentum.
    linear: LinearMissed,
    /// Where a weight decay makes a gradient of its own.
    replay: Option<Replay<T, RmsProp>>,
}

impl<T: Element> Missed<T, RmsProp> for RmsPropMissed<T> {
    fn new(rule: &RmsProp) -> Self {
        Self {
            linear: LinearMissed::empty(),
            replay: (rule.weight_decay != 0.0).then(Replay::empty),
        }
    }

    fn len(&self) -> usize {
        self.replay.as_ref().map_or(self.linear.len(), Replay::len)
    }

    fn push(&mut self, factors: &<RmsProp as crate::Rule<T>>::Factors) {
        match &mut self.replay {
            Some(replay) => replay.push(factors),
            None => self.linear.push(factors.map()),
        }
    }

    fn clear(&mut self) {
        match &mut self.replay {
            Some(replay) => replay.clear(),
            None => self.linear.clear(),
        }
    }

    #[inline(always)]
    fn replay(&self, rule: &RmsProp, had: usize, parameter: &mut [T], state: Runs<'_, T>) {
        if let Some(replay) = &self.replay {
            return replay.run(rule, had, parameter, state);
        }
        let missed = self.linear.len() - had;
        let fade = T::from_f64(rule.alpha.powf(missed as f64));
        let [squares, means, velocities] = rule.name_runs(state);
        for average in [squares, means] {
            average.iter_mut().for_each(|number| *number *= fade);
        }
        if !velocities.is_empty() {
            self.linear.apply(had, parameter, velocities);
        }
    }
}
