//! Rates that follow a cosine, once or again and again.

use std::f64::consts::PI;

use super::Schedule;

/// From `start` to `end` along half a cosine, `part` from 0 to 1.
fn half_cosine(start: f64, end: f64, part: f64) -> f64 {
    end + (start - end) * (1.0 + (PI * part).cos()) / 2.0
}

/// `η(t) = m + (η - m) (1 + cos(π t / steps)) / 2`: down to m in `steps` steps, and then up again.
///
/// Loshchilov and Hutter 2017. PyTorch: `CosineAnnealingLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cosine {
    /// How long it takes to the minimum.
    pub steps: u64,
    /// m
    pub minimum: f64,
}

impl Schedule for Cosine {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        half_cosine(base, self.minimum, step as f64 / self.steps as f64)
    }
}

/// [`Cosine`] that starts anew at the base when it has come to the minimum, each time `factor` times as long.
///
/// PyTorch: `CosineAnnealingWarmRestarts`.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmRestarts {
    /// How long the first fall takes.
    pub first: u64,
    /// How many times longer each next one takes; 1 for falls of one length.
    pub factor: u64,
    /// m
    pub minimum: f64,
}

impl Schedule for WarmRestarts {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let (mut place, mut length) = (step, self.first.max(1));
        if self.factor <= 1 {
            place %= length;
        }
        while place >= length {
            place -= length;
            length = length.saturating_mul(self.factor);
        }
        half_cosine(base, self.minimum, place as f64 / length as f64)
    }
}

/// The way from one rate to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Annealing {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

/// Up from `M / div` to M, then down to `M / div / final_div`; the rate that the optimizer was made with does not matter.
///
/// Smith and Topin 2018. PyTorch: `OneCycleLR`, which is made with `cycle_momentum=False` to be the same; after the last step it
/// fails, where this stays.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle {
    /// M
    pub maximum: f64,
    /// The number of steps in all.
    pub steps: u64,
    /// The part of the steps that goes up.
    pub rising: f64,
    /// `div`
    pub div_factor: f64,
    /// `final_div`
    pub final_div_factor: f64,
    /// The way of going up and down.
    pub annealing: Annealing,
    /// Whether to come down to where it began as fast as it went up, and then on to the end.
    pub three_phases: bool,
}

impl OneCycle {
    /// PyTorch's defaults: 0.3 of the steps up from a 25th, down to a 250,000th, in two phases of cosine.
    pub fn new(maximum: f64, steps: u64) -> Self {
        Self {
            maximum,
            steps,
            rising: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            annealing: Annealing::Cosine,
            three_phases: false,
        }
    }
}

impl Schedule for OneCycle {
    fn learning_rate(&self, _base: f64, step: u64) -> f64 {
        let (top, total) = (self.maximum, self.steps as f64);
        let start = top / self.div_factor;
        let end = start / self.final_div_factor;
        let peak = self.rising * total - 1.0;
        let mut phases = vec![(peak, start, top)];
        if self.three_phases {
            phases.push((2.0 * self.rising * total - 2.0, top, start));
            phases.push((total - 1.0, start, end));
        } else {
            phases.push((total - 1.0, top, end));
        }
        let step = (step as f64).min(total - 1.0);
        let mut begun = 0.0;
        for (ended, from, to) in phases {
            if step <= ended {
                let part = (step - begun) / (ended - begun);
                return match self.annealing {
                    Annealing::Cosine => half_cosine(from, to, part),
                    Annealing::Linear => from + (to - from) * part,
                };
            }
            begun = ended;
        }
        end
    }
}
