//! The mathematics of an optimizer, apart from what it is applied to.

use lexigrad_tensor::{Domain, Element, Error, Result};

/// The state of a row, or of several, run by run.
pub type Runs<'a, T> = [&'a mut [T]; 3];

/// How one row of a parameter moves: `(parameter, state) ← update(parameter, gradient, state)`.
///
/// A row is a whole vector parameter, or a row of a matrix. The driver calls [`update`](Self::update) for the rows that have a
/// gradient; so an update reads nothing but its row.
///
/// A rule of your own, the sign of the gradient:
///
/// ```
/// use lexigrad_optim::{Build, Replay, Rule, Runs};
/// use lexigrad_tensor::{Param, Result, Tape, Tensor};
///
/// #[derive(Clone)]
/// struct Sign { learning_rate: f64 }
///
/// impl Rule<f32> for Sign {
///     const NAME: &'static str = "sign";
///     type Factors = f32;
///     type Missed = Replay<f32, Self>;
///
///     fn learning_rate(&self) -> f64 {
///         self.learning_rate
///     }
///     fn check(&self) -> Result<()> {
///         Ok(())
///     }
///     fn factors(&self, learning_rate: f64, _step: u64) -> f32 {
///         learning_rate as f32
///     }
///     fn runs(&self) -> usize {
///         0
///     }
///     #[inline(always)]
///     fn update(factor: &f32, parameter: &mut [f32], gradient: &[f32], _state: Runs<'_, f32>) {
///         parameter.iter_mut().zip(gradient).for_each(|(w, g)| *w -= factor * g.signum());
///     }
/// }
///
/// let weight: Param = Param::new(Tensor::new([1.0, -1.0]));
/// let mut optimizer = Sign { learning_rate: 0.25 }.build(&weight);
/// let tape = Tape::new();
/// optimizer.step(&tape.backward(&weight.value().square().sum())?)?;
/// assert_eq!(weight.value().to_vec(), [0.75, -0.75]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
pub trait Rule<T: Element>: Clone + Send + Sync + 'static {
    /// The optimizer's name in messages.
    const NAME: &'static str;

    /// What is the same for all rows of a step, worked out once.
    type Factors: Copy + Send + Sync + 'static;

    /// What is kept of the steps that rows miss in the exact mode; [`Replay`](crate::Replay) suits every rule.
    type Missed: Missed<T, Self>;

    /// The learning rate that this rule was made with.
    fn learning_rate(&self) -> f64;

    /// Checks the options.
    ///
    /// # Errors
    /// Names the option, its value and the rule.
    fn check(&self) -> Result<()>;

    /// The factors of a parameter's step number `step`, counted from 1.
    fn factors(&self, learning_rate: f64, step: u64) -> Self::Factors;

    /// How many runs of state there are, at most three.
    fn runs(&self) -> usize;

    /// Whether a run of state has one number for each row, instead of one for each number of the parameter.
    const BY_ROW: bool = false;

    /// What the numbers of each run of state may be; others are not loaded.
    const DOMAINS: [Domain; 3] = [Domain::Finite; 3];

    /// Moves a row of `dim` numbers, or, unless state is kept [`BY_ROW`](Self::BY_ROW), several rows that follow each other.
    ///
    /// Of the state's runs those beyond [`runs`](Self::runs) are empty.
    fn update(factors: &Self::Factors, parameter: &mut [T], gradient: &[T], state: Runs<'_, T>);

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

    /// Whether the exact mode has this rule at this learning rate; if not, the message says why.
    ///
    /// # Errors
    /// If it has not.
    fn check_exact(&self, _learning_rate: f64) -> Result<()> {
        Ok(())
    }

    /// Whether a step with a zero gradient moves neither a row with this state nor the state.
    fn rests(&self, _state: &Runs<'_, T>) -> bool {
        false
    }
}

/// The steps that rows may have missed, as a [`Rule`] remembers them.
pub trait Missed<T: Element, R: Rule<T>>: Send + Sized + 'static {
    /// No steps.
    fn new(rule: &R) -> Self;

    /// The number of steps.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a step.
    fn push(&mut self, factors: &R::Factors);

    /// Forgets all steps.
    fn clear(&mut self);

    /// Gives a row all steps but the first `had`, each with a gradient of zero. To be marked `#[inline(always)]`.
    fn replay(&self, rule: &R, had: usize, parameter: &mut [T], state: Runs<'_, T>);
}

/// Whether nothing is remembered of any gradient.
#[inline(always)]
pub(crate) fn is_zero<T: Element>(state: &Runs<'_, T>) -> bool {
    let mut numbers = state.iter().flat_map(|run| run.iter());
    numbers.all(|&number| number == T::zero())
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

/// What every rule does first with a gradient: `w ← (1 - η λ') w`, then `g ← ± g + λ w`.
///
/// λ is a weight decay that joins the gradient, λ' one that shrinks the parameter apart from it.
#[derive(Clone, Copy, Debug)]
pub struct Descent<T> {
    sign: T,
    decay: T,
    shrinkage: T,
}

impl<T: Element> Descent<T> {
    /// Downhill, or uphill to maximize, with a weight decay that joins the gradient.
    pub fn coupled(maximize: bool, weight_decay: f64) -> Self {
        Self {
            sign: T::from_f64(if maximize { -1.0 } else { 1.0 }),
            decay: T::from_f64(weight_decay),
            shrinkage: T::one(),
        }
    }

    /// Downhill, or uphill to maximize, with a weight decay that shrinks the parameter by `learning_rate * weight_decay`.
    pub fn decoupled(maximize: bool, learning_rate: f64, weight_decay: f64) -> Self {
        Self {
            shrinkage: T::from_f64(1.0 - learning_rate * weight_decay),
            ..Self::coupled(maximize, 0.0)
        }
    }

    /// [`decoupled`](Self::decoupled) or [`coupled`](Self::coupled).
    pub(crate) fn with_decay(
        is_decoupled: bool,
        maximize: bool,
        learning_rate: f64,
        weight_decay: f64,
    ) -> Self {
        if is_decoupled {
            Self::decoupled(maximize, learning_rate, weight_decay)
        } else {
            Self::coupled(maximize, weight_decay)
        }
    }

    /// λ
    pub(crate) fn decay(&self) -> T {
        self.decay
    }

    /// What the parameter is multiplied by first.
    pub(crate) fn shrinkage(&self) -> T {
        self.shrinkage
    }

    /// Shrinks the parameter and returns the gradient that the rule goes by.
    #[inline(always)]
    pub fn enter(&self, parameter: &mut T, gradient: T) -> T {
        *parameter *= self.shrinkage;
        self.sign * gradient + self.decay * *parameter
    }
}

/// `1 - βᵗ`, by which an average that began at 0 is too small after t steps.
pub(crate) fn bias_correction(beta: f64, step: u64) -> f64 {
    1.0 - beta.powf(step as f64)
}
