//! What a check found: that derivatives agree, or the first that does not.

use std::fmt;

use lexigrad_tensor::{Error, Shape};

/// What was checked and found right.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What was checked.
    pub function: String,
    /// How many derivatives were held against central differences.
    pub derivatives: usize,
    /// The largest difference found.
    pub largest_error: f64,
    /// Where the gradient is not the derivative, and by which convention.
    pub conventions: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            derivatives,
            largest_error,
            conventions,
        } = self;
        write!(
            f,
            "{function}: {derivatives} derivatives agree, the largest difference is {largest_error:.1e}"
        )?;
        write_conventions(f, conventions)
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
    /// `gradient` (of a consumed tape), `recorded gradient` (of `Tape::grad`) or `second derivative`.
    pub derivative: &'static str,
    /// What it is the derivative by: `input 0`, or the path of a parameter.
    pub variable: String,
    /// The element; `None` where a random direction was checked.
    pub coordinate: Option<Shape>,
    /// What the library says.
    pub analytic: f64,
    /// What the central difference says.
    pub numeric: f64,
    /// The difference that was allowed.
    pub tolerance: f64,
    /// The seed of the random directions.
    pub seed: u64,
    /// The slopes to the left and to the right, if the point lies on a kink, where there is no derivative.
    pub kink: Option<(f64, f64)>,
    /// Conventions by which the gradient is not the derivative.
    pub conventions: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Mismatch(mismatch) => mismatch.fmt(f),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (function, derivative, variable) = (&self.function, self.derivative, &self.variable);
        write!(f, "{function}: {derivative} by {variable}")?;
        match &self.coordinate {
            Some(coordinate) => write!(f, " at {coordinate}")?,
            None => write!(f, " along a random direction")?,
        }
        let (analytic, numeric) = (self.analytic, self.numeric);
        let (tolerance, seed) = (self.tolerance, self.seed);
        write!(
            f,
            " is {analytic:e}, numerically {numeric:e} (tolerance {tolerance:.1e}, seed {seed})"
        )?;
        if let Some((left, right)) = self.kink {
            write!(
                f,
                "; the point lies on a kink: the slope is {left:.4} to the left and {right:.4} to the right"
            )?;
        }
        write_conventions(f, &self.conventions)
    }
}

fn write_conventions(f: &mut fmt::Formatter<'_>, conventions: &[String]) -> fmt::Result {
    let mut conventions = conventions.iter();
    conventions
        .try_for_each(|convention| write!(f, "; not the derivative by convention: {convention}"))
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
