//! How to check an operation, a model or a table of operations of your own.
//!
//! # An operation
//!
//! Its gradient, its second derivative, and what a mistake looks like:
//!
//! ```
//! use lexigrad_check::{Options, gradcheck, gradgradcheck};
//! use lexigrad_tensor::{Cotangents, Needs, Op, Result, Saved, Saves, Tensor, apply};
//!
//! struct Cube;
//!
//! impl Op<f64> for Cube {
//!     fn name(&self) -> &'static str { "cube" }
//!     fn saves(&self, _: Needs) -> Saves { Saves::input(0) }
//!     fn forward(&mut self, x: &[&Tensor<f64>], _needs: Needs) -> Result<Tensor<f64>> { Ok(x[0].detach().powf(3.0)) }
//!     fn vjp(&self, saved: &Saved<'_, f64>, g: Tensor<f64>) -> Result<Cotangents<f64>> {
//!         Ok(Cotangents::one(g.mul(&saved.input(0).square().mul_scalar(3.0))?))
//!     }
//! }
//!
//! let x = [Tensor::new([0.5, -1.5])];
//! gradcheck("cube", |x| apply(Cube, &[&x[0]]), &x, &Options::default())?;
//! gradgradcheck("cube", |x| apply(Cube, &[&x[0]]), &x, &Options::default())?;
//! # Ok::<(), lexigrad_check::Failure>(())
//! ```
//!
//! # A model
//!
//! Every parameter, by its path, and the inputs:
//!
//! ```
//! use lexigrad_check::{Options, gradcheck_module};
//! use lexigrad_nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Module};
//! use lexigrad_tensor::{Ids, Result, Tensor};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! #[module(element = f64)]
//! struct Model { embed: Embedding<f64>, out: Linear<f64> }
//!
//! impl Model {
//!     fn forward(&self, ids: &Ids) -> Result<Tensor<f64>> { self.out.forward(&self.embed.forward(ids)?.tanh()) }
//! }
//!
//! let mut rng = StdRng::seed_from_u64(1);
//! let model = Model { embed: EmbeddingConfig::new(5, 3).build(&mut rng)?, out: LinearConfig::new(3, 2).build(&mut rng)? };
//! let ids = Ids::new([4, 0, 4])?;
//! let report = gradcheck_module("model", &model, |_| model.forward(&ids), &[], &Options::default())?;
//! println!("{report}"); // model: 276 derivatives agree, the largest difference is ...
//! # Ok::<(), lexigrad_check::Failure>(())
//! ```
//!
//! # A table of operations
//!
//! A [`Row`](crate::Row) for each: proptest draws inputs, and each is checked for its gradient, its second derivative, f32 against
//! f64, strided inputs against dense ones, and, if the row says what its batch is, a batch of one and an empty one.
//!
//! ```
//! use lexigrad_check::strategies::{Domain, shape, tensor};
//! use lexigrad_check::{Batch, Case, Row, row};
//! use proptest::prelude::*;
//!
//! let inputs = || shape(1..=2, 1..=3).prop_flat_map(|s| tensor(s, Domain::Any)).prop_map(|x| Case::of(vec![x]));
//! let table: Vec<Row> = vec![
//!     row!("softplus", inputs(), |x, _ids| Ok(x[0].exp().ln_1p())).batched(Batch { tensors: &[0], ids: false }),
//!     row!("softmax", inputs(), |x, _ids| x[0].softmax(-1)),
//! ];
//! table.iter().for_each(|row| row.run(16));
//! ```
//!
//! # What is no derivative
//!
//! `padding` and `scale_grad_by_freq` change a gradient by convention. [`gradcheck`](crate::gradcheck) finds that and says so;
//! [`check_conventions`](crate::check_conventions) and [`check_max_norm`](crate::check_max_norm) hold it against the definition.
//!
//! # Kinks
//!
//! At a kink (of `relu` at 0, of a maximum between equal elements) there is no derivative; a check that fails there says that the point
//! lies on one. Draw inputs [away from kinks](crate::strategies::Domain::AwayFromKinks).
