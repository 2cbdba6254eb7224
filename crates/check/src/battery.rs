//! One row for an operation, and everything that is checked of it.

use std::fmt;

use lexigrad_tensor::{Element, Ids, Result, Shape, Tape, Tensor, stack};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::emptied::{emptied, unwritten};
use crate::gradcheck::{gradcheck, gradgradcheck, shaped};
use crate::options::Options;
use crate::subject::is_recorded;

/// What proptest draws for one run of an operation: its tensors, and ids for those that take them.
#[derive(Clone, Debug)]
pub struct Case {
    /// The tensors that are differentiated by.
    pub tensors: Vec<Tensor<f64>>,
    /// Ids, labels, or none.
    pub ids: Ids,
}

impl Case {
    /// Tensors alone.
    pub fn of(tensors: Vec<Tensor<f64>>) -> Self {
        let ids = Ids::from_vec(Vec::new(), [0]).unwrap_or_else(|error| unreachable!("{error}"));
        Self { tensors, ids }
    }

    /// A tensor with ids.
    pub fn with_ids((tensor, ids): (Tensor<f64>, Ids)) -> Self {
        let tensors = vec![tensor];
        Self { tensors, ids }
    }
}

/// Which operands hold a batch along their first axis, as the output does: then the elements of a batch must not see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The tensors, by number.
    pub tensors: &'static [usize],
    /// Whether the ids do.
    pub ids: bool,
}

type Function<T> = Box<dyn Fn(&[Tensor<T>], &Ids) -> Result<Tensor<T>>>;

/// A row of a table of operations: a name, a strategy for inputs in the operation's domain, and the operation in both precisions.
///
/// The macro [`row!`](crate::row) writes the operation once for both.
pub struct Row {
    name: &'static str,
    inputs: BoxedStrategy<Case>,
    wide: Function<f64>,
    narrow: Function<f32>,
    options: Options,
    batch: Option<Batch>,
}

/// A [`Row`] from a name, a strategy for [`Case`]s and an operation on `(tensors, ids)`, typed for both precisions.
///
/// ```
/// use lexigrad_check::strategies::{Domain, shape, tensor};
/// use lexigrad_check::{Batch, Case, row};
/// use proptest::prelude::*;
///
/// let inputs = shape(1..=2, 1..=3).prop_flat_map(|shape| tensor(shape, Domain::Positive));
/// let batch = Batch { tensors: &[0], ids: false };
/// row!("square root", inputs.prop_map(|x| Case::of(vec![x])), |x, _ids| Ok(x[0].sqrt())).batched(batch).run(16);
/// ```
#[macro_export]
macro_rules! row {
    ($name:expr, $inputs:expr, |$tensors:ident, $ids:ident| $body:expr) => {
        $crate::Row::new(
            $name,
            $inputs,
            |$tensors: &[::lexigrad_tensor::Tensor<f64>], $ids: &::lexigrad_tensor::Ids| $body,
            |$tensors: &[::lexigrad_tensor::Tensor<f32>], $ids: &::lexigrad_tensor::Ids| $body,
        )
    };
}

/// What a row of the table passed.
#[derive(Clone, Debug, PartialEq)]
pub struct RowReport {
    /// The cases drawn.
    pub cases: u32,
    /// The options the gradients were checked with.
    pub options: Options,
}

/// A case that fails, as small as proptest could make it.
#[derive(Clone, Debug)]
pub struct RowFailure {
    /// The row's name.
    pub row: &'static str,
    /// Which check failed, and how.
    pub reason: String,
    /// The input, if it was the input.
    pub case: Option<Case>,
}

impl fmt::Display for RowFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.row, self.reason)?;
        match &self.case {
            Some(case) => write!(f, "\nsmallest failing input: {case:#?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RowFailure {}

impl Row {
    /// A row from the operation in f64 and in f32.
    pub fn new(
        name: &'static str,
        inputs: impl Strategy<Value = Case> + 'static,
        wide: impl Fn(&[Tensor<f64>], &Ids) -> Result<Tensor<f64>> + 'static,
        narrow: impl Fn(&[Tensor<f32>], &Ids) -> Result<Tensor<f32>> + 'static,
    ) -> Self {
        Self {
            name,
            inputs: inputs.boxed(),
            wide: Box::new(wide),
            narrow: Box::new(narrow),
            options: Options::default(),
            batch: None,
        }
    }

    /// The same row with other tolerances.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The same row for an operation that treats the elements of a batch apart: it is also run on a batch of one and on an empty one.
    #[must_use]
    pub fn batched(mut self, batch: Batch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// The operation's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the row is run on batches of one and none.
    pub fn is_batched(&self) -> bool {
        self.batch.is_some()
    }

    /// Draws `cases` inputs, always the same, and checks on each: the gradient, the second derivative, the gradient by kernels
    /// against that in tensor operations, f32 against f64, strided inputs against dense ones, axes that hold nothing, and a batch
    /// against its elements.
    ///
    /// # Panics
    /// If a check fails, with the input shrunk by proptest.
    pub fn run(&self, cases: u32) {
        if let Err(failure) = self.try_run(cases) {
            panic!("{failure}");
        }
    }

    /// [`run`](Self::run) that returns its failure.
    ///
    /// # Errors
    /// The smallest case that fails.
    pub fn try_run(&self, cases: u32) -> Result<RowReport, Box<RowFailure>> {
        let config = Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let outcome = runner.run(&self.inputs, |case| {
            let checked = self.check(&case);
            checked.map_err(TestCaseError::fail)
        });
        let (reason, case) = match outcome {
            Ok(()) => {
                let options = self.options.clone();
                return Ok(RowReport { cases, options });
            }
            Err(TestError::Fail(reason, case)) => (reason.message().to_owned(), Some(case)),
            Err(TestError::Abort(reason)) => (reason.message().to_owned(), None),
        };
        Err(Box::new(RowFailure {
            row: self.name,
            reason,
            case,
        }))
    }

    fn check(&self, case: &Case) -> Result<(), String> {
        let f = |inputs: &[Tensor<f64>]| (self.wide)(inputs, &case.ids);
        gradcheck(self.name, f, &case.tensors, &self.options)
            .map_err(|failure| format!("gradcheck: {failure}"))?;
        gradgradcheck(self.name, f, &case.tensors, &self.options)
            .map_err(|failure| format!("gradgradcheck: {failure}"))?;
        self.check_kernels(case)
            .map_err(|reason| format!("kernels against tensor operations: {reason}"))?;
        self.check_precision(case)
            .map_err(|reason| format!("f32 against f64: {reason}"))?;
        self.check_strides(case)
            .map_err(|reason| format!("strided against dense: {reason}"))?;
        self.check_emptied(case)?;
        match self.batch {
            Some(batch) => self
                .check_batch(case, batch)
                .map_err(|reason| format!("batch: {reason}")),
            None => Ok(()),
        }
    }

    /// The gradients by kernels against those in tensor operations, of every operation that the row records.
    fn check_kernels(&self, case: &Case) -> Result<(), String> {
        let kernels = values_and_gradients(&self.wide, &case.tensors, &case.ids)?;
        let operations = recorded_gradients(&self.wide, &case.tensors, &case.ids)?;
        agree(&operations, &kernels, 1e-10)
    }

    fn check_precision(&self, case: &Case) -> Result<(), String> {
        let wide = values_and_gradients(&self.wide, &case.tensors, &case.ids)?;
        let inputs: Vec<Tensor<f32>> = case.tensors.iter().map(Tensor::cast).collect();
        let narrow = values_and_gradients(&self.narrow, &inputs, &case.ids)?;
        let narrow: Vec<Tensor<f64>> = narrow.iter().map(Tensor::cast).collect();
        agree(&wide, &narrow, 1e-3)
    }

    fn check_strides(&self, case: &Case) -> Result<(), String> {
        let dense = values_and_gradients(&self.wide, &case.tensors, &case.ids)?;
        let strided: Result<Vec<Tensor<f64>>> = case.tensors.iter().map(spread).collect();
        let strided = strided.map_err(|error| error.to_string())?;
        let found = values_and_gradients(&self.wide, &strided, &case.ids)?;
        agree(&dense, &found, 1e-12)
    }

    /// Axes that hold nothing: an error, or a result of which all is written.
    fn check_emptied(&self, case: &Case) -> Result<(), String> {
        for case in emptied(case) {
            let found = values_and_gradients(&self.wide, &case.tensors, &case.ids);
            if let Some(reason) = found.ok().as_deref().and_then(unwritten) {
                let shapes: Vec<_> = case.tensors.iter().map(Tensor::shape).collect();
                return Err(format!("inputs {shapes:?}: {reason}"));
            }
        }
        Ok(())
    }

    /// The first and the last element alone, and none of them, against the whole batch.
    fn check_batch(&self, case: &Case, batch: Batch) -> Result<(), String> {
        let Some(&size) = batch
            .tensors
            .first()
            .map_or(case.ids.shape(), |&i| case.tensors[i].shape())
            .first()
        else {
            return Ok(());
        };
        let whole = values_and_gradients(&self.wide, &case.tensors, &case.ids)?;
        let parts = [
            (0, 0),
            (0, size.min(1)),
            (size.saturating_sub(1), size.min(1)),
        ];
        for (start, length) in parts {
            let part = part_of(case, batch, start, length).map_err(|error| error.to_string())?;
            let found = values_and_gradients(&self.wide, &part.tensors, &part.ids)?;
            let expected =
                narrowed(&whole, batch, start, length).map_err(|error| error.to_string())?;
            let what = format!("element {start} of {size}, {length} alone");
            agree(&expected, &found_of(&found, batch), 1e-12)
                .map_err(|reason| format!("{what}: {reason}"))?;
        }
        Ok(())
    }
}

/// Elements `start .. start + length` of a batch.
fn part_of(case: &Case, batch: Batch, start: usize, length: usize) -> Result<Case> {
    let mut part = case.clone();
    for &index in batch.tensors {
        part.tensors[index] = part.tensors[index].narrow(0, start, length)?;
    }
    if batch.ids {
        let mut shape = case.ids.shape().to_vec();
        let inner: usize = shape[1..].iter().product();
        shape[0] = length;
        let ids = &case.ids.as_slice()[start * inner..(start + length) * inner];
        part.ids = Ids::from_slice(ids, shape)?;
    }
    Ok(part)
}

/// The output and the gradients of what is batched, for these elements.
fn narrowed(
    all: &[Tensor<f64>],
    batch: Batch,
    start: usize,
    length: usize,
) -> Result<Vec<Tensor<f64>>> {
    let parts = found_of(all, batch).into_iter();
    parts.map(|whole| whole.narrow(0, start, length)).collect()
}

/// The output, and the gradients of the operands that are batched: those of the others are sums over the batch.
fn found_of(all: &[Tensor<f64>], batch: Batch) -> Vec<Tensor<f64>> {
    let gradients = batch.tensors.iter().map(|index| &all[index + 1]);
    all.iter().take(1).chain(gradients).cloned().collect()
}

/// The same values with a gap after each, so that nothing stands side by side.
fn spread(x: &Tensor<f64>) -> Result<Tensor<f64>> {
    let gap = Tensor::full(x.shape(), f64::NAN);
    stack(&[x, &gap], -1)?.narrow(-1, 0, 1)?.squeeze(-1)
}

/// The output, and for each input the gradient of the output's weighted sum.
fn values_and_gradients<T: Element>(
    f: &Function<T>,
    inputs: &[Tensor<T>],
    ids: &Ids,
) -> Result<Vec<Tensor<T>>, String> {
    on_a_tape(f, inputs, ids, |tape, output, leaves| {
        let gradients = tape.backward_with(output, &weights(output.shape()))?;
        let of = |leaf: &Tensor<T>| match gradients.of(leaf) {
            Some(gradient) => gradient.to_dense(),
            None => Ok(Tensor::zeros(leaf.shape())),
        };
        leaves.iter().map(of).collect()
    })
}

/// [`values_and_gradients`] by a pass that is recorded, so that it takes no kernel.
fn recorded_gradients<T: Element>(
    f: &Function<T>,
    inputs: &[Tensor<T>],
    ids: &Ids,
) -> Result<Vec<Tensor<T>>, String> {
    on_a_tape(f, inputs, ids, |tape, output, leaves| {
        let leaves: Vec<&Tensor<T>> = leaves.iter().collect();
        let gradients = tape.grad_with(output, &weights(output.shape()), &leaves)?;
        Ok(gradients.iter().map(Tensor::detach).collect())
    })
}

/// The output, and the gradients that `pass` finds of the leaves that stand for the inputs; zeros if the output is a constant.
fn on_a_tape<T: Element>(
    f: &Function<T>,
    inputs: &[Tensor<T>],
    ids: &Ids,
    pass: impl FnOnce(Tape, &Tensor<T>, &[Tensor<T>]) -> Result<Vec<Tensor<T>>>,
) -> Result<Vec<Tensor<T>>, String> {
    let run = || -> Result<Vec<Tensor<T>>> {
        let tape = Tape::seeded(0);
        let leaves: Vec<Tensor<T>> = inputs.iter().map(|x| watch_as_it_is(&tape, x)).collect();
        let output = f(&leaves, ids)?;
        let mut found = vec![output.detach()];
        if is_recorded(&tape, &output) {
            found.extend(pass(tape, &output, &leaves)?);
        } else {
            found.extend(leaves.iter().map(|leaf| Tensor::zeros(leaf.shape())));
        }
        Ok(found)
    };
    run().map_err(|error| error.to_string())
}

/// Watching keeps the layout, so that a strided input stays strided.
fn watch_as_it_is<T: Element>(tape: &Tape, x: &Tensor<T>) -> Tensor<T> {
    let leaf = tape.watch(x);
    assert_eq!(leaf.layout().strides(), x.layout().strides());
    leaf
}

/// Weights that differ from column to column, but not from row to row: an element of a batch has the same ones alone.
fn weights<T: Element>(shape: &Shape) -> Tensor<T> {
    let inner = shape.iter().skip(1).product::<usize>().max(1);
    let weight = |index: usize| 0.5 + (index % inner % 3) as f64;
    shaped((0..shape.elements()).map(weight).collect(), shape).cast()
}

fn agree(expected: &[Tensor<f64>], found: &[Tensor<f64>], tolerance: f64) -> Result<(), String> {
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        let what = if index == 0 {
            "the output".to_owned()
        } else {
            format!("gradient {}", index - 1)
        };
        if expected.shape() != found.shape() {
            let (found, expected) = (found.shape(), expected.shape());
            return Err(format!("{what} has shape {found}, expected {expected}"));
        }
        for (x, y) in expected.values().iter().zip(found.values().iter()) {
            // Written so that a NaN fails.
            let close = (x - y).abs() <= tolerance * x.abs().max(1.0);
            if !close {
                return Err(format!("{what} holds {y}, expected {x}"));
            }
        }
    }
    Ok(())
}
