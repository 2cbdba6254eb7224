//! Analytic gradients against central differences.

use std::fmt;

use lexigrad_tensor::{Error, Result, Shape, Tape, Tensor};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How a gradient is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How far an input is moved to either side.
    pub eps: f64,
    /// The error that is allowed anywhere.
    pub atol: f64,
    /// The error that is allowed for each unit of the numeric derivative.
    pub rtol: f64,
    /// Up to so many entries of the Jacobian, every one is checked; above, random directions are.
    pub full_jacobian: usize,
    /// How many random directions.
    pub directions: usize,
    /// Where the random directions come from.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            eps: 1e-6,
            atol: 1e-7,
            rtol: 1e-5,
            full_jacobian: 256,
            directions: 4,
            seed: 0,
        }
    }
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// A derivative is wrong.
    Mismatch(Box<Mismatch>),
    /// The function or its gradient returned an error.
    Error(Error),
}

/// A derivative that is wrong: which, by how much, and how to see it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// What was checked.
    pub function: String,
    /// `gradient` (of the consumed tape), `recorded gradient` (of `Tape::grad`) or `second derivative`.
    pub derivative: &'static str,
    /// The number of the input.
    pub input: usize,
    /// The element of the input; `None` where a random direction was checked.
    pub coordinate: Option<Shape>,
    /// What the library says.
    pub analytic: f64,
    /// What the central difference says.
    pub numeric: f64,
    /// The difference that was allowed.
    pub tolerance: f64,
    /// The seed of the random directions.
    pub seed: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Mismatch(found) => {
                write!(
                    f,
                    "{}: {} by input {}",
                    found.function, found.derivative, found.input
                )?;
                match &found.coordinate {
                    Some(coordinate) => write!(f, " at {coordinate}")?,
                    None => write!(f, " along a random direction")?,
                }
                write!(
                    f,
                    " is {:e}, numerically {:e} (tolerance {:e}, seed {})",
                    found.analytic, found.numeric, found.tolerance, found.seed
                )
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Holds `∂<u, f(x)>/∂x` against central differences, for random or all unit cotangents u: both the gradient of a consumed tape
/// and the one that [`Tape::grad`] records.
///
/// # Errors
/// The first derivative that is wrong, or the error of the function.
pub fn gradcheck(
    name: &str,
    f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>,
    inputs: &[Tensor<f64>],
    options: &Options,
) -> Result<(), Failure> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let output = f(inputs)?;
    let entries = output.elements() * inputs.iter().map(Tensor::elements).sum::<usize>();
    let full = entries <= options.full_jacobian;
    for cotangent in cotangents(output.shape(), full, options.directions, &mut rng) {
        let scalar = |inputs: &[Tensor<f64>]| Ok(dot(&f(inputs)?, &cotangent));
        let mut check = Check {
            name,
            derivative: "gradient",
            full,
            options,
            rng: &mut rng,
        };
        check.compare(&scalar, inputs, &consumed(&f, inputs, &cotangent)?)?;
        check.derivative = "recorded gradient";
        check.compare(&scalar, inputs, &recorded(&f, inputs, &cotangent)?)?;
    }
    Ok(())
}

/// Holds the derivatives of the gradient `∂<u, f(x)>/∂x`, by x and by u, against central differences.
///
/// # Errors
/// The first second derivative that is wrong, or the error of the function.
pub fn gradgradcheck(
    name: &str,
    f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>,
    inputs: &[Tensor<f64>],
    options: &Options,
) -> Result<(), Failure> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let output = f(inputs)?;
    let total: usize = inputs.iter().map(Tensor::elements).sum();
    for _ in 0..options.directions.min(2) {
        let cotangent = random(output.shape(), &mut rng);
        let weights: Vec<Tensor<f64>> =
            inputs.iter().map(|x| random(x.shape(), &mut rng)).collect();
        let mut variables = inputs.to_vec();
        variables.push(cotangent);
        let scalar = |variables: &[Tensor<f64>]| {
            let (cotangent, inputs) = split(variables);
            let gradients = consumed(&f, inputs, cotangent)?;
            Ok(weights.iter().zip(&gradients).map(|(w, g)| dot(w, g)).sum())
        };
        let analytic = second(&f, &variables, &weights)?;
        let mut check = Check {
            name,
            derivative: "second derivative",
            full: total + output.elements() <= options.full_jacobian / 4,
            options,
            rng: &mut rng,
        };
        check.compare(&scalar, &variables, &analytic)?;
    }
    Ok(())
}

fn split(variables: &[Tensor<f64>]) -> (&Tensor<f64>, &[Tensor<f64>]) {
    let (last, rest) = variables.split_at(variables.len() - 1);
    (&rest[0], last)
}

/// Every unit vector, or some random ones.
fn cotangents(shape: &Shape, full: bool, count: usize, rng: &mut StdRng) -> Vec<Tensor<f64>> {
    if !full {
        return (0..count).map(|_| random(shape, rng)).collect();
    }
    let unit = |hot: usize| with_value(&Tensor::zeros(shape), hot, 1.0);
    (0..shape.elements()).map(unit).collect()
}

fn random(shape: &Shape, rng: &mut StdRng) -> Tensor<f64> {
    // Away from 0, so that no contribution hides.
    let mut draw = || rng.random_range(0.5..1.5) * if rng.random() { 1.0 } else { -1.0 };
    let values: Vec<f64> = (0..shape.elements()).map(|_| draw()).collect();
    rebuild(&values, shape)
}

fn rebuild(values: &[f64], shape: &Shape) -> Tensor<f64> {
    let flat = Tensor::from(values.to_vec());
    flat.reshape(shape).unwrap_or(flat)
}

fn with_value(tensor: &Tensor<f64>, index: usize, value: f64) -> Tensor<f64> {
    let mut values = tensor.to_vec();
    values[index] = value;
    rebuild(&values, tensor.shape())
}

fn dot(x: &Tensor<f64>, y: &Tensor<f64>) -> f64 {
    let pairs = x
        .values()
        .iter()
        .zip(y.values().iter())
        .map(|(x, y)| x * y)
        .collect::<Vec<_>>();
    pairs.into_iter().sum()
}

type Function<'a> = &'a dyn Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>;

/// A run of f on leaves of a tape of its own.
struct Run {
    tape: Tape,
    leaves: Vec<Tensor<f64>>,
    /// None if it depends on none of the leaves, so that every gradient is zero.
    output: Option<Tensor<f64>>,
}

fn record(f: Function<'_>, inputs: &[Tensor<f64>]) -> Result<Run> {
    let tape = Tape::new();
    let leaves: Vec<Tensor<f64>> = inputs.iter().map(|x| tape.watch(x)).collect();
    let output = f(&leaves)?;
    let output = is_recorded(&tape, &output).then_some(output);
    Ok(Run {
        tape,
        leaves,
        output,
    })
}

fn zeros(inputs: &[Tensor<f64>]) -> Vec<Tensor<f64>> {
    inputs.iter().map(|x| Tensor::zeros(x.shape())).collect()
}

/// The gradients of a tape that is consumed.
fn consumed(
    f: Function<'_>,
    inputs: &[Tensor<f64>],
    cotangent: &Tensor<f64>,
) -> Result<Vec<Tensor<f64>>> {
    let run = record(f, inputs)?;
    let Some(output) = run.output else {
        return Ok(zeros(inputs));
    };
    let gradients = run.tape.backward_with(&output, cotangent)?;
    let gradient_of = |leaf: &Tensor<f64>| match gradients.of(leaf) {
        Some(gradient) => gradient.to_dense(),
        None => Ok(Tensor::zeros(leaf.shape())),
    };
    run.leaves.iter().map(gradient_of).collect()
}

fn is_recorded(tape: &Tape, output: &Tensor<f64>) -> bool {
    tape.grad_with(output, &Tensor::zeros(output.shape()), &[])
        .is_ok()
}

/// The gradients that a tape records.
fn recorded(
    f: Function<'_>,
    inputs: &[Tensor<f64>],
    cotangent: &Tensor<f64>,
) -> Result<Vec<Tensor<f64>>> {
    let run = record(f, inputs)?;
    match &run.output {
        Some(output) => {
            let leaves: Vec<&Tensor<f64>> = run.leaves.iter().collect();
            run.tape.grad_with(output, cotangent, &leaves)
        }
        None => Ok(zeros(inputs)),
    }
}

/// The gradients of `Σ <w, ∂<u, f(x)>/∂x>` by every x and by u.
fn second(
    f: Function<'_>,
    variables: &[Tensor<f64>],
    weights: &[Tensor<f64>],
) -> Result<Vec<Tensor<f64>>> {
    let tape = Tape::new();
    let leaves: Vec<Tensor<f64>> = variables.iter().map(|x| tape.watch(x)).collect();
    let (cotangent, inputs) = split(&leaves);
    let output = f(inputs)?;
    if !is_recorded(&tape, &output) {
        return Ok(zeros(variables));
    }
    let gradients = tape.grad_with(&output, cotangent, &inputs.iter().collect::<Vec<_>>())?;
    let mut sum = Tensor::zeros([]);
    for (weight, gradient) in weights.iter().zip(&gradients) {
        sum = sum.add(&weight.mul(gradient)?.sum())?;
    }
    if !is_recorded(&tape, &sum) {
        return Ok(zeros(variables));
    }
    tape.grad(&sum, &leaves.iter().collect::<Vec<_>>())
}

/// The comparison of one list of derivatives.
struct Check<'a> {
    name: &'a str,
    derivative: &'static str,
    full: bool,
    options: &'a Options,
    rng: &'a mut StdRng,
}

impl Check<'_> {
    fn compare(
        &mut self,
        scalar: &dyn Fn(&[Tensor<f64>]) -> Result<f64>,
        inputs: &[Tensor<f64>],
        analytic: &[Tensor<f64>],
    ) -> Result<(), Failure> {
        for (input, gradient) in analytic.iter().enumerate() {
            let elements = gradient.elements();
            if self.full {
                for index in 0..elements {
                    let direction = with_value(&Tensor::zeros(gradient.shape()), index, 1.0);
                    self.along(scalar, inputs, input, gradient, &direction, Some(index))?;
                }
            } else {
                for _ in 0..self.options.directions.min(elements) {
                    let direction = random(gradient.shape(), self.rng);
                    self.along(scalar, inputs, input, gradient, &direction, None)?;
                }
            }
        }
        Ok(())
    }

    fn along(
        &self,
        scalar: &dyn Fn(&[Tensor<f64>]) -> Result<f64>,
        inputs: &[Tensor<f64>],
        input: usize,
        gradient: &Tensor<f64>,
        direction: &Tensor<f64>,
        index: Option<usize>,
    ) -> Result<(), Failure> {
        let eps = self.options.eps;
        let moved = |step: f64| -> Result<f64> {
            let mut inputs = inputs.to_vec();
            inputs[input] = inputs[input].add(&direction.mul_scalar(step))?;
            scalar(&inputs)
        };
        let numeric = (moved(eps)? - moved(-eps)?) / (2.0 * eps);
        let analytic = dot(gradient, direction);
        let tolerance = self.options.atol + self.options.rtol * numeric.abs();
        if (analytic - numeric).abs() <= tolerance {
            return Ok(());
        }
        Err(Failure::Mismatch(Box::new(Mismatch {
            function: self.name.to_owned(),
            derivative: self.derivative,
            input,
            coordinate: index.map(|index| position(gradient.shape(), index)),
            analytic,
            numeric,
            tolerance,
            seed: self.options.seed,
        })))
    }
}

fn position(shape: &Shape, mut index: usize) -> Shape {
    let mut reversed = Vec::new();
    for &size in shape.iter().rev() {
        reversed.push(index % size);
        index /= size;
    }
    reversed.into_iter().rev().collect()
}
