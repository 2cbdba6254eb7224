//! The driver: one step of a rule over the parameters of a model, dense or by the rows that have a gradient.

use std::collections::HashSet;

use lexigrad_tensor::{
    Element, Error, Grad, Gradients, Kernel, Module, Param, Result, RowSparse, Tensor, dispatch,
};

use crate::rule::Rule;

/// Moves the parameters of a model by a [`Rule`], in place.
///
/// A row-sparse gradient moves the rows it holds and no other, in value or state: momentum, decay and moments of the rest stand
/// still until they are touched. A parameter's fixed row (the padding of an embedding) never moves. A frozen parameter, or one
/// without a gradient, costs nothing.
///
/// Made by [`Rule::build`].
#[derive(Debug)]
pub struct Optimizer<R: Rule<T>, T: Element = f32> {
    rule: R,
    learning_rate: f64,
    slots: Vec<Slot<T>>,
}

/// A parameter with what the rule remembers of it.
#[derive(Debug)]
struct Slot<T: Element> {
    param: Param<T>,
    steps: u64,
    /// How many numbers of state each row has.
    state_size: usize,
    /// The state of each row, one after another.
    state: Vec<T>,
}

impl<R: Rule<T>, T: Element> Optimizer<R, T> {
    pub(crate) fn new(rule: R, model: &(impl Module<T> + ?Sized)) -> Self {
        let mut seen = HashSet::new();
        let mut slots = Vec::new();
        for param in model.parameters() {
            if seen.insert(param.id()) {
                let (rows, size) = rows(&param);
                let state_size = rule.state_size(size);
                let state = vec![T::from_f64(rule.initial_state()); rows * state_size];
                let steps = 0;
                slots.push(Slot {
                    param,
                    steps,
                    state_size,
                    state,
                });
            }
        }
        Self {
            learning_rate: rule.learning_rate(),
            rule,
            slots,
        }
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets the learning rate of the next steps, as a schedule does.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// Moves every parameter that has a gradient.
    ///
    /// # Errors
    /// If an option is out of its range, a gradient does not have its parameter's shape, or the rule does not take it. Then
    /// nothing has moved.
    pub fn step(&mut self, gradients: &Gradients<T>) -> Result<()> {
        self.rule.check()?;
        if !self.learning_rate.is_finite() || self.learning_rate < 0.0 {
            let rule = "finite and not negative";
            return Err(Error::value(
                R::NAME,
                "the learning rate",
                self.learning_rate,
                rule,
            ));
        }
        for slot in &self.slots {
            if let Some(gradient) = gradients.get(&slot.param) {
                self.check(&slot.param, gradient)?;
            }
        }
        for slot in &mut self.slots {
            if let Some(gradient) = gradients.get(&slot.param) {
                slot.steps += 1;
                let factors = self.rule.factors(self.learning_rate, slot.steps);
                match gradient {
                    Grad::Dense(gradient) => slot.move_all::<R>(&factors, gradient),
                    Grad::RowSparse(gradient) => slot.move_rows::<R>(&factors, gradient),
                }
            }
        }
        Ok(())
    }

    fn check(&self, param: &Param<T>, gradient: &Grad<T>) -> Result<()> {
        let (shape, found) = (param.shape(), gradient.shape());
        if shape != found {
            let rule = format!("its parameter has shape {shape}");
            return Err(Error::shape(R::NAME, "a gradient", &found, rule));
        }
        match gradient {
            Grad::Dense(_) => self.rule.check_dense(),
            Grad::RowSparse(_) => Ok(()),
        }
    }
}

/// The number of rows and their size: a matrix by its rows, a vector or a number as one row.
fn rows<T: Element>(param: &Param<T>) -> (usize, usize) {
    let shape = param.shape();
    match shape[..] {
        [rows, ref row @ ..] if !row.is_empty() => (rows, row.iter().product()),
        _ => (1, shape.elements()),
    }
}

impl<T: Element> Slot<T> {
    fn move_all<R: Rule<T>>(&mut self, factors: &R::Factors, gradient: &Tensor<T>) {
        let (rows, size) = rows(&self.param);
        let rows = (0..rows).map(|row| (row, row));
        self.move_each::<R>(factors, size, &gradient.values(), rows);
    }

    fn move_rows<R: Rule<T>>(&mut self, factors: &R::Factors, gradient: &RowSparse<T>) {
        let gradient = gradient.coalesce();
        let rows = gradient.rows().as_slice().iter().enumerate();
        let rows = rows.map(|(entry, &row)| (entry, row as usize));
        self.move_each::<R>(factors, gradient.dim(), &gradient.values().values(), rows);
    }

    /// Moves row `row` by entry `entry` of the gradient, for each pair; one pass over all that is touched.
    fn move_each<R: Rule<T>>(
        &mut self,
        factors: &R::Factors,
        size: usize,
        gradient: &[T],
        rows: impl Iterator<Item = (usize, usize)>,
    ) {
        let fixed = self.param.fixed_row();
        let rows = rows.filter(|(_, row)| Some(*row) != fixed);
        let (state_size, state) = (self.state_size, &mut self.state[..]);
        self.param.update(|values| {
            dispatch(MoveRows::<R, T, _> {
                factors,
                size,
                values,
                gradient,
                state_size,
                state,
                rows,
            });
        });
    }
}

/// Moves the rows of a parameter; `rows` are pairs of the entry in the gradient and the row it moves.
struct MoveRows<'a, R: Rule<T>, T: Element, I> {
    factors: &'a R::Factors,
    size: usize,
    values: &'a mut [T],
    gradient: &'a [T],
    state_size: usize,
    state: &'a mut [T],
    rows: I,
}

impl<R: Rule<T>, T: Element, I: Iterator<Item = (usize, usize)>> Kernel for MoveRows<'_, R, T, I> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (size, run) = (self.size, self.state_size);
        for (entry, row) in self.rows {
            let value = &mut self.values[row * size..(row + 1) * size];
            let gradient = &self.gradient[entry * size..(entry + 1) * size];
            let state = &mut self.state[row * run..(row + 1) * run];
            R::update(self.factors, value, gradient, state);
        }
    }
}
