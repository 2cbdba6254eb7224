//! The mathematics of an optimizer, apart from what it is applied to.

use lexigrad_tensor::{Element, Error, Module, Result};

use crate::optimizer::Optimizer;

/// How one row of a parameter moves: `(parameter, state) ← update(parameter, gradient, state)`.
///
/// A row is a whole vector parameter, or a row of a matrix. The driver calls [`update`](Self::update) for the rows that have a
/// gradient; so an update reads nothing but its row.
pub trait Rule<T: Element>: Clone {
    /// The optimizer's name in messages.
    const NAME: &'static str;

    /// How many numbers of state there are for each number of the parameter.
    const STATES: usize;

    /// What is the same for all rows of a step, worked out once.
    type Factors;

    /// The learning rate that this rule was made with.
    fn learning_rate(&self) -> f64;

    /// Checks the options.
    ///
    /// # Errors
    /// Names the option, its value and the rule.
    fn check(&self) -> Result<()>;

    /// The factors of a parameter's step number `step`, counted from 1.
    fn factors(&self, learning_rate: f64, step: u64) -> Self::Factors;

    /// Moves a row; `state` holds [`STATES`](Self::STATES) runs of the row's length, one after another.
    fn update(factors: &Self::Factors, parameter: &mut [T], gradient: &[T], state: &mut [T]);

    /// What the state holds before the first step.
    fn initial_state(&self) -> f64 {
        0.0
    }

    /// Whether a dense gradient is taken; if not, the message says what to use instead.
    ///
    /// # Errors
    /// If it is not.
    fn check_dense(&self) -> Result<()> {
        Ok(())
    }

    /// An optimizer of all parameters of `model` by this rule, a tied one once.
    ///
    /// State is reserved as zeros here; the system gives it memory as rows are touched.
    fn build(self, model: &(impl Module<T> + ?Sized)) -> Optimizer<Self, T> {
        Optimizer::new(self, model)
    }
}

/// Checks that an option is a number from 0 on.
pub(crate) fn check_not_negative(
    operation: &'static str,
    name: &'static str,
    value: f64,
) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Error::value(
            operation,
            name,
            value,
            "finite and not negative",
        ))
    }
}

/// Checks that a decay rate is from 0 to below 1.
pub(crate) fn check_rate(operation: &'static str, name: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::value(operation, name, value, "from 0 to below 1"))
    }
}
