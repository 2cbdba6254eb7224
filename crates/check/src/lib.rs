//! Numerical gradient checks, proptest strategies for tensors, and a battery of checks for tables of operations.
//!
//! [`gradcheck`] holds the gradients of a function against central differences in f64, [`gradgradcheck`] its second derivatives;
//! [`gradcheck_module`] does it for every parameter of a model. [`check_conventions`] checks what is no derivative by convention.
//! [`Row`] runs all this and more over inputs that proptest draws by the [`strategies`]. The [`guide`] shows each in use.
//!
//! ```
//! use lexigrad_check::{Options, gradcheck, gradgradcheck};
//! use lexigrad_tensor::Tensor;
//!
//! let x = Tensor::new([[0.3, -1.2], [2.0, 0.7]]);
//! let f = |inputs: &[Tensor<f64>]| Ok(inputs[0].tanh().sum_axes(&[0])?.exp());
//! gradcheck("sum of tanh", f, &[x.clone()], &Options::default())?;
//! gradgradcheck("sum of tanh", f, &[x], &Options::default())?;
//! # Ok::<(), lexigrad_check::Failure>(())
//! ```
//!
//! PyTorch: `torch.autograd.gradcheck` and `gradgradcheck`, `OpInfo`.

#![warn(unreachable_pub)]

mod battery;
mod conventions;
mod emptied;
mod gradcheck;
pub mod guide;
mod options;
mod report;
pub mod strategies;
mod subject;

pub use battery::{Batch, Case, Row, RowFailure, RowReport};
pub use conventions::{MaxNorm, check_conventions, check_max_norm};
pub use gradcheck::{gradcheck, gradcheck_module, gradgradcheck, gradgradcheck_module};
pub use options::Options;
pub use report::{Failure, Mismatch, Report};
