//! One row for an operation, and everything that is checked of it.

use lexigrad_tensor::{Element, Ids, Result, Shape, Tape, Tensor, stack};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::gradcheck::{Options, gradcheck, gradgradcheck};

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
}

/// A [`Row`] from a name, a strategy for [`Case`]s and an operation on `(tensors, ids)`, typed for both precisions.
///
/// ```
/// use lexigrad_check::strategies::{Domain, shape, tensor};
/// use lexigrad_check::{Case, row};
/// use proptest::prelude::*;
///
/// let inputs = shape(0..=2, 1..=3).prop_flat_map(|shape| tensor(shape, Domain::Positive));
/// row!("square root", inputs.prop_map(|x| Case::of(vec![x])), |x, _ids| Ok(x[0].sqrt())).run(16);
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
        }
    }

    /// The same row with other tolerances.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The operation's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Draws `cases` inputs and checks on each: the gradient, the second derivative, f32 against f64, and strided inputs
    /// against dense ones.
    ///
    /// # Panics
    /// If a check fails, with the input shrunk by proptest.
    pub fn run(&self, cases: u32) {
        let config = Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        if let Err(failure) = runner.run(&self.inputs, |case| self.check(&case)) {
            panic!("{}: {failure}", self.name);
        }
    }

    fn check(&self, case: &Case) -> Result<(), TestCaseError> {
        let fail = |what: &str, reason: &dyn std::fmt::Display| {
            TestCaseError::fail(format!("{what}: {reason}"))
        };
        let f = |inputs: &[Tensor<f64>]| (self.wide)(inputs, &case.ids);
        gradcheck(self.name, f, &case.tensors, &self.options)
            .map_err(|failure| fail("gradcheck", &failure))?;
        gradgradcheck(self.name, f, &case.tensors, &self.options)
            .map_err(|failure| fail("gradgradcheck", &failure))?;
        self.check_precision(case)
            .map_err(|reason| fail("f32 against f64", &reason))?;
        self.check_strides(case)
            .map_err(|reason| fail("strided against dense", &reason))
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
}

/// The same values with a gap after each, so that nothing stands side by side.
fn spread(x: &Tensor<f64>) -> Result<Tensor<f64>> {
    let gap = Tensor::full(x.shape(), f64::NAN);
    stack(&[x, &gap], -1)?.narrow(-1, 0, 1)?.squeeze(-1)
}

/// The output, and the gradients of its elements' weighted sum.
fn values_and_gradients<T: Element>(
    f: &Function<T>,
    inputs: &[Tensor<T>],
    ids: &Ids,
) -> Result<Vec<Tensor<T>>, String> {
    let run = || -> Result<Vec<Tensor<T>>> {
        let tape = Tape::seeded(0);
        let leaves: Vec<Tensor<T>> = inputs.iter().map(|x| watch_as_it_is(&tape, x)).collect();
        let output = f(&leaves, ids)?;
        let mut found = vec![output.detach()];
        let gradients = tape.backward_with(&output, &weights(output.shape()))?;
        for leaf in &leaves {
            found.extend(
                gradients
                    .of(leaf)
                    .map(|gradient| gradient.to_dense())
                    .transpose()?,
            );
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

fn weights<T: Element>(shape: &Shape) -> Tensor<T> {
    let count = shape.elements();
    let values: Vec<T> = (0..count)
        .map(|i| T::from_f64(0.5 + (i % 3) as f64))
        .collect();
    let flat = Tensor::from(values);
    flat.reshape(shape).unwrap_or(flat)
}

fn agree(expected: &[Tensor<f64>], found: &[Tensor<f64>], tolerance: f64) -> Result<(), String> {
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        let what = if index == 0 {
            "the output".to_owned()
        } else {
            format!("gradient {}", index - 1)
        };
        if expected.shape() != found.shape() {
            return Err(format!(
                "{what} has shape {}, expected {}",
                found.shape(),
                expected.shape()
            ));
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
