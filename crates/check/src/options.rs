//! How a gradient is checked.

/// Steps, tolerances and how much is checked.
///
/// ```
/// use lexigrad_check::Options;
/// let loose = Options { atol: 1e-5, ..Options::default() };
/// assert_eq!((loose.eps, loose.rtol), (1e-6, 1e-5));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How far an input is moved to either side.
    pub eps: f64,
    /// The error that is allowed anywhere.
    pub atol: f64,
    /// The error that is allowed for each unit of the numeric derivative.
    pub rtol: f64,
    /// Up to so many entries the whole Jacobian is checked; above, random directions are.
    pub full_jacobian: usize,
    /// How many random directions.
    pub directions: usize,
    /// Where the random directions come from, and the randomness of dropout.
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
