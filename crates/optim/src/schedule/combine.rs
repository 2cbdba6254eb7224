//! Schedules of other schedules.

use std::fmt;

use super::Schedule;

/// `η(t) = η f(t)` for a function of your own.
///
/// ```
/// use lexigrad_optim::schedule::{Lambda, Schedule};
/// let halved = Lambda(|step| if step < 100 { 1.0 } else { 0.5 });
/// assert_eq!(halved.learning_rate(0.2, 100), 0.1);
/// ```
///
/// PyTorch: `LambdaLR`.
#[derive(Clone, Copy, Debug)]
pub struct Lambda<F>(pub F);

impl<F: Fn(u64) -> f64> Schedule for Lambda<F> {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        base * (self.0)(step)
    }
}

/// `η(t) = sₙ(… s₂(s₁(η, t), t) …, t)`: each schedule takes the rate of the one before as its base.
///
/// ```
/// use lexigrad_optim::schedule::{Chained, Constant, Exponential, Schedule};
/// let chained = Chained::new(Constant { factor: 0.5, steps: 2 }).and(Exponential { factor: 0.9 });
/// assert_eq!(chained.learning_rate(1.0, 1), 0.5 * 0.9);
/// ```
///
/// PyTorch: `ChainedScheduler`; the same for schedules that multiply the base, which are all but the cosines with a minimum and
/// `OneCycle`.
pub struct Chained(Vec<Box<dyn Schedule + Send + Sync>>);

impl Chained {
    /// A chain of one.
    pub fn new(first: impl Schedule + Send + Sync + 'static) -> Self {
        Self(vec![Box::new(first)])
    }

    /// The chain with one more.
    #[must_use]
    pub fn and(mut self, next: impl Schedule + Send + Sync + 'static) -> Self {
        self.0.push(Box::new(next));
        self
    }
}

impl Schedule for Chained {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let schedules = self.0.iter();
        schedules.fold(base, |rate, schedule| schedule.learning_rate(rate, step))
    }
}

impl fmt::Debug for Chained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chained of {} schedules", self.0.len())
    }
}

/// One schedule after another, each with its own steps from 0 on: `η(t) = sᵢ(η, t - tᵢ)` from tᵢ on.
///
/// PyTorch: `SequentialLR`.
pub struct Sequential(Vec<(u64, Box<dyn Schedule + Send + Sync>)>);

impl Sequential {
    /// Begins with `first`.
    pub fn new(first: impl Schedule + Send + Sync + 'static) -> Self {
        Self(vec![(0, Box::new(first))])
    }

    /// Goes on with `next` from `step` on, which should be later than what stands before.
    #[must_use]
    pub fn then_at(mut self, step: u64, next: impl Schedule + Send + Sync + 'static) -> Self {
        self.0.push((step, Box::new(next)));
        self
    }
}

impl Schedule for Sequential {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let begun = self.0.iter().rev().find(|(start, _)| *start <= step);
        begun.map_or(base, |(start, schedule)| {
            schedule.learning_rate(base, step - start)
        })
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts: Vec<u64> = self.0.iter().map(|(start, _)| *start).collect();
        write!(f, "Sequential schedules from {starts:?}")
    }
}
