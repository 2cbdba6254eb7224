//! The driver: one step of a rule over the parameters of a model, dense or by the rows that have a gradient.

use std::fmt;

use lexigrad_tensor::{Element, Grad, Gradients, Module, Result, Visitor};

use crate::register::Register;
use crate::rule::{Rule, check_not_negative};
use crate::schedule::Schedule;
use crate::slot::Slot;

/// The version of the state's format, part of each of its paths: a file of another version does not fit, by name.
const FORMAT: &str = "v1";

/// Moves the parameters of a model by a [`Rule`], in place.
///
/// What a row-sparse gradient does to the rows that it does not hold is the [`SparseMode`](crate::SparseMode). A parameter's
/// fixed row (the padding of an embedding) never moves. A frozen parameter, or one without a gradient, costs nothing; one that is
/// thawed moves from its next gradient on. An empty sparse gradient counts as a step.
///
/// An optimizer is a [`Module`] without parameters: its buffers are its state, step counts and learning rates. So a struct of a
/// model and its optimizer is saved and loaded as one, into one file, and a training that goes on from there has the same bits as
/// the one that saved it. A state of another model, rule or format is refused; the error lists the names that differ. A state that no
/// training leaves (a count that is not whole, a negative square, NaN) is refused too, and the error says what it holds. A state that
/// was saved before a parameter was thawed can be loaded afterwards, and the other way round. The randomness of a step
/// belongs to its tape: `Tape::seeded(optimizer.steps())` has it follow from what is saved. Saving brings rows up to
/// date. In the exact mode, catching up early may round differently, so a run that saves can differ in the last bits from one that does
/// not.
///
/// ```
/// use lexigrad_optim::{Adam, Build, Optimizer};
/// use lexigrad_tensor::{Module, Param, Tensor, Visitor};
///
/// struct Training { model: Vec<Param>, optimizer: Optimizer<Adam> }
///
/// impl Module for Training {
///     fn visit(&self, visitor: &mut Visitor<'_>) {
///         visitor.field("model", &self.model);
///         visitor.field("optimizer", &self.optimizer);
///     }
/// }
///
/// let model = vec![Param::new(Tensor::zeros([3, 2]))];
/// let optimizer = Adam::new(1e-3).build(&model);
/// assert_eq!(Training { model, optimizer }.parameter_count(), 6);
/// ```
///
/// Made by [`Build::build`](crate::Build::build) or [`Build::builder`](crate::Build::builder).
pub struct Optimizer<R: Rule<T>, T: Element = f32> {
    groups: Vec<Group<R, T>>,
    slots: Vec<Slot<R, T>>,
    steps: Register<T>,
    /// Whether a step refuses gradients that are not finite.
    refuses_not_finite: bool,
}

/// Parameters that share a rule.
pub(crate) struct Group<R: Rule<T>, T: Element> {
    rule: R,
    /// The bits of the learning rate.
    learning_rate: Register<T>,
}

impl<R: Rule<T>, T: Element> Group<R, T> {
    pub(crate) fn new(rule: R) -> Self {
        let learning_rate = Register::rate(rule.learning_rate());
        Self {
            rule,
            learning_rate,
        }
    }

    fn learning_rate(&self) -> f64 {
        f64::from_bits(self.learning_rate.get())
    }

    /// The learning rate, if it and the rule's options are in their ranges.
    pub(crate) fn checked_rate(&self) -> Result<f64> {
        self.rule.check()?;
        let rate = self.learning_rate();
        check_not_negative(R::NAME, "the learning rate", rate)?;
        Ok(rate)
    }

    pub(crate) fn check_exact(&self) -> Result<()> {
        self.rule.check_exact(self.learning_rate())
    }
}

impl<R: Rule<T>, T: Element> Optimizer<R, T> {
    pub(crate) fn new(
        groups: Vec<Group<R, T>>,
        slots: Vec<Slot<R, T>>,
        refuses_not_finite: bool,
    ) -> Self {
        Self {
            groups,
            slots,
            steps: Register::count(0),
            refuses_not_finite,
        }
    }

    /// The learning rate of the next step, of the parameters that are in no group of their own.
    pub fn learning_rate(&self) -> f64 {
        self.groups[0].learning_rate()
    }

    /// Sets the learning rate of the next steps, of every group.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        for group in &self.groups {
            group.learning_rate.set(learning_rate.to_bits());
        }
    }

    /// Sets the learning rate of the next step as `schedule` has it, from each group's own: the rate that its rule was made with.
    ///
    /// PyTorch: `scheduler.step()`, which comes after the optimizer's; this comes before.
    pub fn follow(&mut self, schedule: &(impl Schedule + ?Sized)) {
        let step = self.steps();
        for group in &self.groups {
            let rate = schedule.learning_rate(group.rule.learning_rate(), step);
            group.learning_rate.set(rate.to_bits());
        }
    }

    /// Sets the learning rate of each group to a function of what it is.
    pub fn change_learning_rates(&mut self, change: impl Fn(f64) -> f64) {
        for group in &self.groups {
            let rate = change(group.learning_rate());
            group.learning_rate.set(rate.to_bits());
        }
    }

    /// The number of steps so far.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Makes room for the state of rows that [`Param::append_rows`](lexigrad_tensor::Param::append_rows) added since the last
    /// step; that of the others is as it was. A step does so by itself; before saving a grown model, do it.
    pub fn grow(&mut self) {
        for slot in &mut self.slots {
            slot.grow(&self.groups[slot.group].rule);
        }
    }

    /// Moves every parameter that has a gradient.
    ///
    /// A large step shares its work among the threads of the pool that it runs in, while it holds the parameter. A task of that
    /// pool which reads the same model at the same time may wait for it without end: evaluate after the step, or in a pool apart.
    ///
    /// # Errors
    /// If an option is out of its range, a gradient does not have its parameter's shape, the rule does not take it, or it is not
    /// finite and the builder was told to [refuse](crate::Builder::check_finite) such. Then nothing has moved.
    pub fn step(&mut self, gradients: &Gradients<T>) -> Result<()> {
        let rates = self.groups.iter().map(Group::checked_rate);
        let rates: Vec<f64> = rates.collect::<Result<_>>()?;
        self.grow();
        for (slot, gradient) in self.moved_by(gradients) {
            slot.check(self.rule_of(slot), rates[slot.group], gradient)?;
        }
        if self.refuses_not_finite {
            self.check_finite(gradients)?;
        }
        for (slot, gradient) in self.moved_by(gradients) {
            slot.step(self.rule_of(slot), rates[slot.group], gradient);
        }
        self.steps.increment();
        Ok(())
    }

    /// Checks that every gradient by which a step would move is finite; changes nothing.
    ///
    /// It reads the gradients once, unless they are [known](Gradients::are_known_to_be_finite) to be finite.
    /// [`Builder::check_finite`](crate::Builder::check_finite) has every step do it.
    ///
    /// # Errors
    /// The first one that is not, by its parameter's path, its value and its index.
    pub fn check_finite(&self, gradients: &Gradients<T>) -> Result<()> {
        if gradients.are_known_to_be_finite() {
            return Ok(());
        }
        let mut moved = self.moved_by(gradients);
        moved.try_for_each(|(slot, gradient)| slot.check_finite(gradient))
    }

    /// The parameters that have a gradient, each with its own.
    fn moved_by<'a>(
        &'a self,
        gradients: &'a Gradients<T>,
    ) -> impl Iterator<Item = (&'a Slot<R, T>, &'a Grad<T>)> {
        let slots = self.slots.iter();
        slots.filter_map(|slot| Some((slot, gradients.get(&slot.param)?)))
    }

    fn rule_of(&self, slot: &Slot<R, T>) -> &R {
        &self.groups[slot.group].rule
    }
}

impl<R: Rule<T>, T: Element> Module<T> for Optimizer<R, T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        let prefix = format!("{FORMAT}.{}", R::NAME);
        visitor.field(&format!("{prefix}.steps"), self.steps.buffer());
        for (index, group) in self.groups.iter().enumerate() {
            let path = format!("{prefix}.learning_rates.{index}");
            visitor.field(&path, group.learning_rate.buffer());
        }
        for slot in &self.slots {
            slot.visit(visitor, &format!("{prefix}.parameters"));
        }
    }
}

impl<R: Rule<T> + fmt::Debug, T: Element> fmt::Debug for Optimizer<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<&R> = self.groups.iter().map(|group| &group.rule).collect();
        let parameters: Vec<(&str, String)> = self
            .slots
            .iter()
            .map(|slot| (slot.path.as_str(), slot.shape().to_string()))
            .collect();
        f.debug_struct("Optimizer")
            .field("rules", &rules)
            .field("parameters", &parameters)
            .field("steps", &self.steps())
            .finish()
    }
}
