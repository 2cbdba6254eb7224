//! Arrays and a tape-based reverse-mode autograd with row-sparse gradients.
//!
//! A [`Tensor`] is an immutable n-d array. While a [`Tape`] is alive, what is computed from a [`Param`] or a watched tensor is
//! recorded; consuming the tape with [`Tape::backward`] gives the [`Gradients`]. The gradient of a table of which a few rows were
//! read is [`RowSparse`]: it costs what those rows cost, whatever the size of the table.
//!
//! ```
//! use lexigrad_tensor::{EmbeddingOptions, Ids, Param, Tape, Tensor, embedding};
//!
//! let table: Param = Param::new(Tensor::ones([1_000_000, 4]));
//! let ids = Ids::new([[17, 250_000], [17, 3]])?;
//!
//! let tape = Tape::new();
//! let rows = table.rows("embedding", &ids)?;
//! let loss = embedding(&rows, &ids, &EmbeddingOptions::default())?.square().sum();
//! drop(rows);
//! let grads = tape.backward(&loss)?;
//!
//! let sparse = grads.get(&table).and_then(|grad| grad.as_row_sparse()).unwrap().coalesce();
//! assert_eq!(sparse.rows().as_slice(), [17, 250_000, 3]);
//! assert_eq!(sparse.values().to_vec()[..4], [4.0; 4]);
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```

#![warn(unreachable_pub)]

mod apply;
mod bags;
mod construct;
mod data_parallel;
mod deferred;
mod detach;
mod display;
mod domain;
mod element;
mod error;
mod grad;
mod gradients;
mod growing;
mod ids;
mod layout;
mod leaf;
mod lengths;
pub mod message;
mod module;
mod op;
mod operators;
mod ops;
mod packed;
mod param;
mod room;
mod row_sparse;
mod shape;
mod tape;
mod tensor;
mod transforms;
mod weight;

pub use apply::apply;
pub use bags::Bags;
pub use construct::NestedArray;
pub use data_parallel::data_parallel;
pub use deferred::Deferred;
pub use domain::Domain;
pub use element::Element;
pub use error::{Error, ErrorKind, Result};
pub use grad::Grad;
pub use gradients::Gradients;
pub use growing::Growing;
pub use ids::{IdData, Ids, Integer};
pub use layout::Layout;
pub use leaf::ParamId;
pub use lengths::check_lengths;
pub use lexigrad_kernels::Number;
pub use lexigrad_kernels::pool::{copies_on_write, trim_pool};
pub use module::{Buffer, Entry, Module, Visitor};
pub use op::{Cotangents, Needs, Notes, Op, Saved, Saves};
pub use ops::*;
pub use param::Param;
pub use room::room;
pub use row_sparse::RowSparse;
pub use shape::Shape;
pub use tape::{
    Cut, MissingGradient, MissingReason, Pause, StaleUse, Tape, change_state, checkpoint,
    dropout_seed, is_recording, is_shard, is_training, set_seed,
};
pub use tensor::{Tensor, Values};
pub use transforms::{Inputs, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp};
pub use weight::Weight;
