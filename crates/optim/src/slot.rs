//! A parameter with what the optimizer remembers of it.

use std::sync::Arc;

use lexigrad_tensor::{
    Buffer, Deferred, Domain, Element, Error, ErrorKind, Grad, Param, Result, Shape, Visitor,
};

use crate::builder::SparseMode;
use crate::dense::move_all;
use crate::exact::ExactRows;
use crate::layout::RowLayout;
use crate::register::Register;
use crate::rule::Rule;
use crate::sparse::move_rows_of;

/// A parameter with its state and step count.
pub(crate) struct Slot<R: Rule<T>, T: Element> {
    pub(crate) path: String,
    pub(crate) param: Param<T>,
    /// The index of the group whose rule moves it.
    pub(crate) group: usize,
    layout: RowLayout,
    steps: Register<T>,
    /// `[runs, rows, dim]`, or `[runs, rows, 1]` for a rule that keeps it by row; empty as long as the parameter was always frozen.
    state: Buffer<T>,
    /// Who makes up for the steps that rows missed, in the exact mode.
    exact: Option<Exact<R, T>>,
}

/// The rows that may be behind; the parameter knows them as what they are to it.
struct Exact<R: Rule<T>, T: Element> {
    rows: Arc<ExactRows<R, T>>,
    deferred: Arc<dyn Deferred<T>>,
}

impl<R: Rule<T>, T: Element> Slot<R, T> {
    pub(crate) fn new(
        path: String,
        param: Param<T>,
        group: usize,
        rule: &R,
        mode: SparseMode,
    ) -> Self {
        let layout = RowLayout::with_state(&param.shape(), rule);
        let initial = T::from_f64(rule.initial_state());
        let state = Buffer::reserved(layout.state_shape(), initial, move |state| {
            Domain::check_runs(&R::DOMAINS[..layout.runs], state)
        });
        if param.requires_grad() {
            state.fill();
        }
        let exact = (mode == SparseMode::Exact).then(|| {
            let rows = ExactRows::new(rule.clone(), layout, state.clone());
            let deferred = rows.clone();
            Exact { rows, deferred }
        });
        Self {
            path,
            param,
            group,
            layout,
            steps: Register::count(0),
            state,
            exact,
        }
    }

    /// Checks that this gradient can move the parameter.
    pub(crate) fn check(&self, rule: &R, learning_rate: f64, gradient: &Grad<T>) -> Result<()> {
        check_shape(R::NAME, &self.path, &self.param, gradient)?;
        if self.exact.is_some() {
            rule.check_exact(learning_rate)?;
        }
        match gradient {
            Grad::Dense(_) => rule.check_dense(),
            Grad::RowSparse(_) => Ok(()),
        }
    }

    /// Checks that every number of this gradient is finite.
    pub(crate) fn check_finite(&self, gradient: &Grad<T>) -> Result<()> {
        let Some((value, position)) = gradient.first_not_finite() else {
            return Ok(());
        };
        let kind = ErrorKind::NotFinite {
            quantity: gradient_of(&self.path),
            value: value.as_f64(),
            position,
            operands: String::new(),
            module: None,
            ids: Vec::new(),
        };
        Err(Error::new(R::NAME, kind))
    }

    /// Moves the parameter by one step.
    pub(crate) fn step(&self, rule: &R, learning_rate: f64, gradient: &Grad<T>) {
        let factors = rule.factors(learning_rate, self.steps.increment());
        let fixed = self.param.fixed_row();
        let Some(exact) = &self.exact else {
            return self.move_rows(&factors, gradient, fixed);
        };
        self.param
            .update_deferred(&exact.deferred, |values| match gradient {
                Grad::Dense(gradient) => exact.rows.step_all(&factors, gradient, fixed, values),
                Grad::RowSparse(gradient) => {
                    let gradient = gradient.coalesce();
                    exact.rows.step_rows(&factors, &gradient, fixed, values);
                }
            });
    }

    /// Moves the rows of a gradient and no other.
    fn move_rows(&self, factors: &R::Factors, gradient: &Grad<T>, fixed: Option<usize>) {
        let layout = &self.layout;
        self.param.update(|values| {
            self.state.update(|state| match gradient {
                Grad::Dense(gradient) => {
                    move_all::<R, T>(factors, layout, values, &gradient.values(), state, fixed);
                }
                Grad::RowSparse(gradient) => {
                    move_rows_of::<R, T>(gradient, factors, layout, values, state, fixed);
                }
            });
        });
    }

    /// Gives rows that the parameter has now, and had not before, the state of a beginning.
    pub(crate) fn grow(&mut self, rule: &R) {
        let layout = RowLayout::with_state(&self.param.shape(), rule);
        if layout.rows == self.layout.rows {
            return;
        }
        self.settle();
        let mode = match self.exact {
            Some(_) => SparseMode::Exact,
            None => SparseMode::Lazy,
        };
        let slot = Self::new(
            self.path.clone(),
            self.param.clone(),
            self.group,
            rule,
            mode,
        );
        slot.steps.set(self.steps.get());
        let (old, new) = (
            self.layout.rows * self.layout.width,
            layout.rows * layout.width,
        );
        let kept = self.state.value();
        if kept.elements() > 0 {
            slot.state.update(|state| {
                for run in 0..layout.runs {
                    let had = &kept.values()[run * old..][..old];
                    state[run * new..][..old].copy_from_slice(had);
                }
            });
        }
        *self = slot;
    }

    /// Brings every row up to date.
    pub(crate) fn settle(&self) {
        if let Some(exact) = &self.exact {
            self.param.settle(&exact.deferred);
        }
    }

    /// Shows the step count and the state, up to date.
    pub(crate) fn visit(&self, visitor: &mut Visitor<'_, T>, prefix: &str) {
        self.settle();
        let path = format!("{prefix}.{}", self.path);
        visitor.field(&format!("{path}.steps"), self.steps.buffer());
        if self.layout.runs > 0 {
            visitor.field(&format!("{path}.state"), &self.state);
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.param.shape()
    }
}

/// Checks that a gradient has the shape of its parameter.
pub(crate) fn check_shape<T: Element>(
    operation: &'static str,
    path: &str,
    param: &Param<T>,
    gradient: &Grad<T>,
) -> Result<()> {
    let (shape, found) = (param.shape(), gradient.shape());
    if shape == found {
        return Ok(());
    }
    let rule = format!("its parameter has shape {shape}");
    Err(Error::shape(operation, gradient_of(path), &found, rule))
}

/// What messages call the gradient of the parameter at this path.
fn gradient_of(path: &str) -> String {
    if path.is_empty() {
        "the gradient".to_owned()
    } else {
        format!("the gradient of {path}")
    }
}

impl<R: Rule<T>, T: Element> Drop for Slot<R, T> {
    fn drop(&mut self) {
        self.settle();
    }
}
