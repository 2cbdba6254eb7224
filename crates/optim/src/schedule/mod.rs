//! Learning rates that change with the step, as plain functions of it.
//!
//! A [`Schedule`] keeps nothing: a training that goes on from a file has its rates by the optimizer's step count alone. What depends
//! on more than the step, a [`Plateau`], is a module with buffers, to be saved beside the optimizer.
//!
//! ```
//! use lexigrad_optim::schedule::{Cosine, Linear, Sequential};
//! use lexigrad_optim::{AdamW, Build};
//! use lexigrad_tensor::{Param, Tensor};
//!
//! let weight: Param = Param::new(Tensor::zeros([3]));
//! let mut optimizer = AdamW::new(1e-3).build(&weight);
//! let warm_up = Linear { start_factor: 0.1, end_factor: 1.0, steps: 10 };
//! let cosine = Cosine { steps: 90, minimum: 0.0 };
//! let schedule = Sequential::new(warm_up).then_at(10, cosine);
//! optimizer.follow(&schedule); // before each step
//! assert_eq!(optimizer.learning_rate(), 1e-4);
//! ```

mod combine;
mod cycle;
mod decay;
mod plateau;

pub use combine::{Chained, Lambda, Sequential};
pub use cycle::{Annealing, Cosine, OneCycle, WarmRestarts};
pub use decay::{Constant, Exponential, InverseSquareRoot, Linear, MultiStep, Polynomial, Step};
pub use plateau::{Plateau, PlateauOptions};

/// A learning rate as a function of the step: `η(t)`, t from 0.
pub trait Schedule {
    /// The learning rate of step `step`, counted from 0, where `base` is the optimizer's own.
    fn learning_rate(&self, base: f64, step: u64) -> f64;
}
