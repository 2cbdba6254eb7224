//! A moving average of the weights.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lexigrad_tensor::{
    Buffer, Domain, Element, Error, Gradients, Ids, Module, Param, Result, Tensor, Visitor,
};

use crate::behind::Behind;
use crate::layout::RowLayout;
use crate::optimizer::Optimizer;
use crate::register::Register;
use crate::rule::{Rule, check_rate};
use crate::slot::check_shape;

/// `a ← d a + (1 - d) w` after every step, `a = w` after the first, for every number of every parameter.
///
/// It costs what the step costs: a row of a table that a step does not touch keeps its value, so its average is brought up to date
/// when the row next moves, or is read, by `a ← w + dᵏ (a - w)` for k steps at once. Its buffers are its state: as a [`Module`] it
/// is saved beside the model.
///
/// ```
/// use lexigrad_optim::{Average, Build, Sgd};
/// use lexigrad_tensor::{Param, Tape, Tensor};
/// let weight: Param = Param::new(Tensor::new([8.0]));
/// let mut optimizer = Sgd::new(0.25).build(&weight);
/// let mut average = Average::new(&weight, 0.5)?;
/// for _ in 0..2 {
///     let tape = Tape::new();
///     let grads = tape.backward(&weight.value().square().sum())?;
///     average.step(&mut optimizer, &grads)?; // 8, 4, 2
/// }
/// assert_eq!(average.value(&weight).unwrap().to_vec(), [3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `swa_utils.AveragedModel` with `get_ema_multi_avg_fn(d)`, which averages whole tables. In the
/// [exact mode](crate::SparseMode::Exact) rows move while nobody looks; the steps in which that happens count with the value that
/// the row has when it is next touched.
#[derive(Debug)]
pub struct Average<T: Element = f32> {
    decay: f64,
    slots: Vec<Slot<T>>,
    steps: Register<T>,
    debts: Mutex<Debts>,
}

#[derive(Debug)]
struct Slot<T: Element> {
    path: String,
    param: Param<T>,
    layout: RowLayout,
    /// Empty as long as the parameter was always frozen: then its average is its value.
    average: Buffer<T>,
}

impl<T: Element> Slot<T> {
    fn new(path: String, param: Param<T>) -> Self {
        let check = |average: &Tensor<T>| Domain::Finite.check(average);
        Self {
            path,
            layout: RowLayout::new(&param.shape()),
            average: Buffer::reserved(param.shape(), T::zero(), check),
            param,
        }
    }

    fn is_empty(&self) -> bool {
        self.average.value().elements() == 0
    }

    /// Takes the parameter's value for its average.
    fn start(&self) -> Result<()> {
        let value = self.param.value().constant();
        let copied = Tensor::from_slice(&value.values(), value.shape().clone())?;
        self.average.set(&copied)
    }
}

#[derive(Debug)]
struct Debts {
    /// The number of steps since all rows were up to date.
    steps: u32,
    /// For each parameter, which rows have not had all of these.
    behind: Vec<Behind>,
}

impl<T: Element> Average<T> {
    /// The average of the parameters of `model`, a tied one once. That of a frozen one takes no memory: it begins with its value when
    /// it is thawed and moves.
    ///
    /// # Errors
    /// If `decay` is not from 0 to below 1.
    pub fn new(model: &(impl Module<T> + ?Sized), decay: f64) -> Result<Self> {
        check_rate("average", "decay", decay)?;
        let mut seen = HashSet::new();
        let named = model.named_parameters().into_iter();
        let first = named.filter(|(_, param)| seen.insert(param.id()));
        let slots: Vec<Slot<T>> = first.map(|(path, param)| Slot::new(path, param)).collect();
        let mut trained = slots.iter().filter(|slot| slot.param.requires_grad());
        trained.try_for_each(Slot::start)?;
        let behind = slots.iter().map(|slot| Behind::new(slot.layout.rows));
        let behind = behind.collect();
        Ok(Self {
            decay,
            slots,
            steps: Register::count(0),
            debts: Mutex::new(Debts { steps: 0, behind }),
        })
    }

    /// Steps the optimizer and takes the parameters' new values into the average.
    ///
    /// # Errors
    /// As for [`Optimizer::step`]; then the average is as it was.
    pub fn step<R: Rule<T>>(
        &mut self,
        optimizer: &mut Optimizer<R, T>,
        gradients: &Gradients<T>,
    ) -> Result<()> {
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(gradient) = gradients.get(&slot.param) else {
                continue;
            };
            check_shape("average", &slot.path, &slot.param, gradient)?;
            if slot.layout.rows != RowLayout::new(&slot.param.shape()).rows {
                let rule = "the parameter has grown since; make a new average";
                let found = slot.average.shape();
                let average = format!("the average of {}", slot.path);
                return Err(Error::shape("average", average, &found, rule));
            }
            if slot.is_empty() {
                slot.start()?;
                let mut debts = self.debts();
                let steps = debts.steps;
                debts.behind[index].fill(steps);
            }
            // What the rows about to move stood at until now.
            self.catch_up(index, gradient.as_row_sparse().map(|sparse| sparse.rows()))?;
        }
        optimizer.step(gradients)?;
        self.steps.set(self.steps.get() + 1);
        self.debts().steps += 1;
        Ok(())
    }

    /// The average of a parameter; `None` if it is none of the model's.
    pub fn value(&self, param: &Param<T>) -> Option<Tensor<T>> {
        let index = self
            .slots
            .iter()
            .position(|slot| slot.param.id() == param.id())?;
        self.catch_up(index, None).ok()?;
        Some(match self.slots[index].is_empty() {
            true => param.value().constant(),
            false => self.slots[index].average.value(),
        })
    }

    /// Exchanges the parameters and their averages: to evaluate, save, and exchange again.
    ///
    /// # Errors
    /// None on an average that was not loaded from a file with other shapes.
    pub fn exchange(&mut self) -> Result<()> {
        self.settle()?;
        let mut moved = self.slots.iter().filter(|slot| !slot.is_empty());
        moved.try_for_each(|slot| {
            let value = slot.param.value().constant();
            slot.param.set(&slot.average.value())?;
            slot.average.set(&value)
        })
    }

    /// Brings every row up to date.
    fn settle(&self) -> Result<()> {
        (0..self.slots.len()).try_for_each(|index| self.catch_up(index, None))?;
        let mut debts = self.debts();
        debts.steps = 0;
        debts.behind.iter_mut().for_each(|behind| behind.fill(0));
        Ok(())
    }

    /// Brings rows of a parameter's average, or all, up to date with the values that they have now.
    fn catch_up(&self, index: usize, rows: Option<&Ids>) -> Result<()> {
        let (slot, mut debts) = (&self.slots[index], self.debts());
        if slot.is_empty() {
            return Ok(());
        }
        let (steps, before) = (debts.steps, self.steps.get() - u64::from(debts.steps));
        let behind = &mut debts.behind[index];
        let value = match rows {
            Some(rows) => slot.param.rows("average", rows)?,
            None => slot.param.value(),
        };
        let values = value.values();
        slot.average.update(|averages| {
            let mut catch_up = |row: usize| {
                let Some(had) = behind.catch_up(row, steps) else {
                    return;
                };
                let place = slot.layout.values(row..row + 1);
                let pairs = averages[place.clone()].iter_mut().zip(&values[place]);
                // The first step's value is taken as it is.
                let first = before + u64::from(had) == 0;
                let kept = if first {
                    0.0
                } else {
                    self.decay.powi((steps - had) as i32)
                };
                let kept = T::from_f64(kept);
                pairs.for_each(|(average, &value)| *average = value + kept * (*average - value));
            };
            match rows {
                Some(rows) => rows
                    .as_slice()
                    .iter()
                    .for_each(|&row| catch_up(row as usize)),
                None => (0..slot.layout.rows).for_each(catch_up),
            }
        });
        Ok(())
    }

    fn debts(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Element> Module<T> for Average<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        // A parameter's shape never changes, so that catching up cannot fail.
        let _ = self.settle();
        visitor.field("steps", self.steps.buffer());
        for slot in &self.slots {
            visitor.field(&format!("parameters.{}", slot.path), &slot.average);
        }
    }
}
