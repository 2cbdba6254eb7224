//! Optimizers whose updates are row-sparse: a step costs what the rows with a gradient cost, whatever the size of the table.
//!
//! The mathematics of an optimizer is a [`Rule`], an update on slices. One driver, [`Optimizer`], applies it to a whole parameter
//! or to the rows of a coalesced row-sparse gradient, so that sparse equals dense, restricted to rows, by construction. What
//! happens to the other rows is the [`SparseMode`]: nothing, or what the dense step does, at the price of the touched rows.
//!
//! Beside it: groups of parameters and frozen ones ([`Builder`]), learning rates by the step ([`schedule`]), clipping
//! ([`clip_grad_norm`], [`clip_grad_value`]) and an [`Average`] of the weights. Optimizer, average and plateau are modules whose
//! buffers are their state, so that a training is saved and resumed as one.
//!
//! ```
//! use lexigrad_optim::{Build, Sgd};
//! use lexigrad_tensor::{Param, Tape, Tensor};
//!
//! let weight: Param = Param::new(Tensor::new([1.0, -1.0]));
//! let mut optimizer = Sgd::new(0.25).build(&weight);
//! for _ in 0..2 {
//!     let tape = Tape::new();
//!     let loss = weight.value().square().sum();
//!     let grads = tape.backward(&loss)?;
//!     optimizer.step(&grads)?;
//! }
//! assert_eq!(weight.value().to_vec(), [0.25, -0.25]);
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```

#![warn(unreachable_pub)]

mod average;
mod behind;
mod builder;
mod clip;
mod dense;
mod exact;
mod layout;
mod optimizer;
mod register;
mod rule;
mod rules;
pub mod schedule;
mod slot;
mod sparse;

pub use average::Average;
pub use builder::{Build, Builder, SparseMode};
pub use clip::{clip_grad_norm, clip_grad_norm_with, clip_grad_value};
pub use exact::{AdamMissed, LinearMissed, Replay, RmsPropMissed};
pub use optimizer::Optimizer;
pub use rule::{Descent, Missed, Rule, Runs};
pub use rules::adadelta::Adadelta;
pub use rules::adagrad::{Adagrad, RowWiseAdagrad};
pub use rules::adam::{Adam, AdamW};
pub use rules::adamax::Adamax;
pub use rules::lion::Lion;
pub use rules::nadam::NAdam;
pub use rules::radam::RAdam;
pub use rules::rms_prop::RmsProp;
pub use rules::sgd::Sgd;
pub use rules::sparse_adam::SparseAdam;
pub use schedule::Schedule;
