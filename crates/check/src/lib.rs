//! Numerical gradient checks, proptest strategies for tensors, and a battery of checks for a table of operations.
//!
//! [`gradcheck`] holds the gradients of a function against central differences in f64, [`gradgradcheck`] its second
//! derivatives; [`Row`] runs both, and more, over inputs that proptest draws.
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
//! PyTorch: `torch.autograd.gradcheck` and `gradgradcheck`.

#![warn(unreachable_pub)]

mod battery;
mod gradcheck;
pub mod strategies;

pub use battery::{Case, Row};
pub use gradcheck::{Failure, Options, gradcheck, gradgradcheck};
