//! Analytic derivatives held against central differences.

use lexigrad_tensor::{Module, Result, Shape, Tensor};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::options::Options;
use crate::report::{Failure, Mismatch, Report};
use crate::subject::{Subject, Variable};

/// Holds `∂<u, f(x)>/∂x` against central differences, for all unit cotangents u or some random ones: both the gradient of a
/// consumed tape and the one that [`Tape::grad`](lexigrad_tensor::Tape::grad) records.
///
/// `f` takes the inputs as a slice; what needs no gradient (ids, masks, targets) it captures. Its tape trains, so that dropout is
/// on, with the same masks at every run.
///
/// ```
/// use lexigrad_check::{Options, gradcheck};
/// use lexigrad_tensor::Tensor;
/// let inputs = [Tensor::new([[0.3, -1.2], [2.0, 0.7]]), Tensor::new([0.5, 1.5])];
/// let report = gradcheck("product", |x| x[0].mul(&x[1]), &inputs, &Options::default())?;
/// assert!(report.derivatives > 0 && report.largest_error < 1e-7);
/// # Ok::<(), lexigrad_check::Failure>(())
/// ```
///
/// # Errors
/// The first derivative that is wrong, or the error of the function.
///
/// PyTorch: `torch.autograd.gradcheck`.
pub fn gradcheck(
    name: &str,
    f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>,
    inputs: &[Tensor<f64>],
    options: &Options,
) -> Result<Report, Failure> {
    first_order(&Subject::new(name, &f, inputs, options.seed), options)
}

/// [`gradcheck`] by every parameter of a model, named by its path, and by the inputs.
///
/// The parameters have their values back afterwards. A fixed row (the padding of an embedding) is left out, and the report says so:
/// what it gets is a convention, which [`check_conventions`](crate::check_conventions) checks.
///
/// ```
/// use lexigrad_check::{Options, gradcheck_module};
/// use lexigrad_tensor::{Param, Tensor};
/// let scale = Param::new(Tensor::new([0.5, -2.0]));
/// let f = |x: &[Tensor<f64>]| x[0].mul(&scale.value());
/// gradcheck_module("scale", &scale, f, &[Tensor::new([1.0, 3.0])], &Options::default())?;
/// # Ok::<(), lexigrad_check::Failure>(())
/// ```
///
/// # Errors
/// As for [`gradcheck`].
pub fn gradcheck_module(
    name: &str,
    model: &(impl Module<f64> + ?Sized),
    f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>,
    inputs: &[Tensor<f64>],
    options: &Options,
) -> Result<Report, Failure> {
    let subject = Subject::new(name, &f, inputs, options.seed);
    first_order(&subject.with_model(model), options)
}

/// Holds the derivatives of the gradient `∂<u, f(x)>/∂x`, by x and by u, against central differences.
///
/// # Errors
/// The first second derivative that is wrong, or the error of the function.
///
/// PyTorch: `torch.autograd.gradgradcheck`.
pub fn gradgradcheck(
    name: &str,
    f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>,
    inputs: &[Tensor<f64>],
    options: &Options,
) -> Result<Report, Failure> {
    second_order(Subject::new(name, &f, inputs, options.seed), options)
}

/// [`gradgradcheck`] by every parameter of a model and by the inputs.
///
/// # Errors
/// As for [`gradgradcheck`].
pub fn gradgradcheck_module(
    name: &str,
    model: &(impl Module<f64> + ?Sized),
    f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>,
    inputs: &[Tensor<f64>],
    options: &Options,
) -> Result<Report, Failure> {
    let subject = Subject::new(name, &f, inputs, options.seed);
    second_order(subject.with_model(model), options)
}

/// What the library says: the gradients of `<cotangent, f>` by each variable.
struct Claim {
    derivative: &'static str,
    cotangent: Vec<f64>,
    gradients: Vec<Tensor<f64>>,
}

pub(crate) fn first_order(subject: &Subject<'_>, options: &Options) -> Result<Report, Failure> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let point = subject.point();
    let output = subject.evaluate(&point)?;
    let inputs: usize = point.iter().map(Tensor::elements).sum();
    let full = output.elements() * inputs <= options.full_jacobian;
    let mut claims = Vec::new();
    for cotangent in cotangents(output.shape(), full, options.directions, &mut rng) {
        claims.push(Claim {
            derivative: "gradient",
            cotangent: cotangent.to_vec(),
            gradients: subject.consumed(&point, &cotangent)?,
        });
        claims.push(Claim {
            derivative: "recorded gradient",
            cotangent: cotangent.to_vec(),
            gradients: subject.recorded(&point, &cotangent)?,
        });
    }
    let evaluate = |values: &[Tensor<f64>]| Ok(subject.evaluate(values)?.to_vec());
    let comparison = Comparison {
        subject,
        variables: &subject.variables,
        evaluate: &evaluate,
        point,
        full,
        options,
    };
    comparison.hold(&claims, &mut rng)
}

fn second_order(subject: Subject<'_>, options: &Options) -> Result<Report, Failure> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let mut point = subject.point();
    let cotangent = random(subject.evaluate(&point)?.shape(), &mut rng);
    let weights: Vec<Vec<Tensor<f64>>> = (0..options.directions.clamp(1, 2))
        .map(|_| point.iter().map(|x| random(x.shape(), &mut rng)).collect())
        .collect();
    let mut claims = Vec::new();
    for weights in &weights {
        claims.push(Claim {
            derivative: "second derivative",
            cotangent: weights.iter().flat_map(Tensor::to_vec).collect(),
            gradients: subject.second(&point, &cotangent, weights)?,
        });
    }
    let elements = point.iter().map(Tensor::elements).sum::<usize>() + cotangent.elements();
    point.push(cotangent.clone());
    // The gradients of all variables, one after another.
    let evaluate = |values: &[Tensor<f64>]| {
        let (values, cotangent) = values.split_at(values.len() - 1);
        let gradients = subject.consumed(values, &cotangent[0])?;
        Ok(gradients.iter().flat_map(Tensor::to_vec).collect())
    };
    let by_cotangent = Variable::input("the cotangent".to_owned(), cotangent);
    let variables: Vec<&Variable> = subject.variables.iter().chain([&by_cotangent]).collect();
    let comparison = Comparison {
        subject: &subject,
        variables: &variables,
        evaluate: &evaluate,
        point,
        full: elements <= options.full_jacobian / 4,
        options,
    };
    comparison.hold(&claims, &mut rng)
}

/// Every unit vector, or some random ones.
fn cotangents(shape: &Shape, full: bool, count: usize, rng: &mut StdRng) -> Vec<Tensor<f64>> {
    if full {
        (0..shape.elements()).map(|hot| unit(shape, hot)).collect()
    } else {
        (0..count).map(|_| random(shape, rng)).collect()
    }
}

fn unit(shape: &Shape, hot: usize) -> Tensor<f64> {
    let place = |index| if index == hot { 1.0 } else { 0.0 };
    shaped((0..shape.elements()).map(place).collect(), shape)
}

/// Away from 0, so that no contribution hides.
fn random(shape: &Shape, rng: &mut StdRng) -> Tensor<f64> {
    let mut draw = || rng.random_range(0.5..1.5) * if rng.random() { 1.0 } else { -1.0 };
    shaped((0..shape.elements()).map(|_| draw()).collect(), shape)
}

pub(crate) fn shaped(values: Vec<f64>, shape: &Shape) -> Tensor<f64> {
    let flat = Tensor::from(values);
    flat.reshape(shape).unwrap_or(flat)
}

fn dot(xs: &[f64], ys: &[f64]) -> f64 {
    xs.iter().zip(ys).map(|(x, y)| x * y).sum()
}

type Evaluate<'a> = &'a dyn Fn(&[Tensor<f64>]) -> Result<Vec<f64>>;

/// A vector-valued function at a point, whose slopes are compared with claims.
struct Comparison<'a, V> {
    subject: &'a Subject<'a>,
    variables: &'a [V],
    evaluate: Evaluate<'a>,
    point: Vec<Tensor<f64>>,
    full: bool,
    options: &'a Options,
}

impl<V: std::borrow::Borrow<Variable>> Comparison<'_, V> {
    fn hold(&self, claims: &[Claim], rng: &mut StdRng) -> Result<Report, Failure> {
        let mut report = Report {
            function: self.subject.name.to_owned(),
            derivatives: 0,
            largest_error: 0.0,
            conventions: self
                .subject
                .conventions_at(&self.point[..self.subject.variables.len()])?,
        };
        for (index, variable) in self.variables.iter().enumerate() {
            let shape = self.point[index].shape();
            let count = if self.full {
                shape.elements()
            } else {
                self.options.directions.min(shape.elements())
            };
            for place in 0..count {
                let direction = if self.full {
                    unit(shape, place)
                } else {
                    random(shape, rng)
                };
                let coordinate = self.full.then(|| position(shape, place));
                let direction = without_fixed_row(variable.borrow(), direction);
                self.along(index, direction, coordinate, claims, &mut report)?;
            }
        }
        Ok(report)
    }

    /// Holds each claim against the slope along one direction of one variable.
    fn along(
        &self,
        index: usize,
        direction: Tensor<f64>,
        coordinate: Option<Shape>,
        claims: &[Claim],
        report: &mut Report,
    ) -> Result<(), Failure> {
        let variable = self.variables[index].borrow();
        let moved = Moved {
            comparison: self,
            index,
            direction: scaled_rows(variable, &direction)?,
        };
        let slopes = moved.slopes(-1.0, 1.0, self.options.eps)?;
        let direction = direction.to_vec();
        for claim in claims {
            let numeric = dot(&slopes, &claim.cotangent);
            let analytic = dot(&claim.gradients[index].to_vec(), &direction);
            let tolerance = self.options.atol + self.options.rtol * numeric.abs();
            let error = (analytic - numeric).abs();
            if error <= tolerance {
                report.derivatives += 1;
                report.largest_error = report.largest_error.max(error);
                continue;
            }
            return Err(Failure::Mismatch(Box::new(Mismatch {
                function: report.function.clone(),
                derivative: claim.derivative,
                variable: variable.name.clone(),
                coordinate,
                analytic,
                numeric,
                tolerance,
                seed: self.options.seed,
                kink: moved.kink(&claim.cotangent)?,
                conventions: report.conventions.clone(),
            })));
        }
        Ok(())
    }
}

/// A function along a line through its point.
struct Moved<'a, V> {
    comparison: &'a Comparison<'a, V>,
    index: usize,
    direction: Tensor<f64>,
}

impl<V> Moved<'_, V> {
    /// `(f(x + to eps d) - f(x + from eps d)) / ((to - from) eps)`
    fn slopes(&self, from: f64, to: f64, eps: f64) -> Result<Vec<f64>> {
        let at = |step: f64| {
            let mut values = self.comparison.point.clone();
            values[self.index] = values[self.index].add(&self.direction.mul_scalar(step * eps))?;
            (self.comparison.evaluate)(&values)
        };
        let (low, high) = (at(from)?, at(to)?);
        let width = (to - from) * eps;
        Ok(high
            .iter()
            .zip(&low)
            .map(|(high, low)| (high - low) / width)
            .collect())
    }

    /// The slopes on either side, if they differ by more than a curve explains: then the difference does not shrink with the step.
    fn kink(&self, cotangent: &[f64]) -> Result<Option<(f64, f64)>> {
        let sides = |eps: f64| -> Result<(f64, f64)> {
            let (left, right) = (self.slopes(-1.0, 0.0, eps)?, self.slopes(0.0, 1.0, eps)?);
            Ok((dot(&left, cotangent), dot(&right, cotangent)))
        };
        let gap = |(left, right): (f64, f64)| (right - left).abs();
        let (far, near) = (sides(1e-4)?, sides(1e-5)?);
        let scale = 1.0 + near.0.abs().max(near.1.abs());
        let is_kink = gap(near) > 1e-3 * scale && gap(near) > 0.5 * gap(far);
        Ok(is_kink.then_some(near))
    }
}

/// The direction without the row that is not checked.
fn without_fixed_row(variable: &Variable, direction: Tensor<f64>) -> Tensor<f64> {
    let Some(row) = variable.fixed_row else {
        return direction;
    };
    let (mut values, size) = (direction.to_vec(), row_size(direction.shape()));
    values[row * size..(row + 1) * size].fill(0.0);
    shaped(values, direction.shape())
}

/// The direction with the factors of its rows: the derivative along it is what the gradient is by convention.
fn scaled_rows(variable: &Variable, direction: &Tensor<f64>) -> Result<Tensor<f64>> {
    let Some(factors) = &variable.row_factors else {
        return Ok(direction.clone());
    };
    direction.mul(&Tensor::from(factors.clone()).unsqueeze(-1)?)
}

fn row_size(shape: &Shape) -> usize {
    shape.iter().skip(1).product()
}

fn position(shape: &Shape, mut index: usize) -> Shape {
    let mut reversed = Vec::new();
    for &size in shape.iter().rev() {
        reversed.push(index % size);
        index /= size;
    }
    reversed.into_iter().rev().collect()
}
