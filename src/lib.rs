//! Autograd tensors, row-sparse embeddings and optimizers, for small NLP models on a CPU.
//!
//! A classifier of bags of words, trained:
//!
//! ```
//! use lexigrad::prelude::*;
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! struct Classifier {
//!     embed: EmbeddingBag,
//!     out: Linear,
//! }
//!
//! impl Classifier {
//!     fn forward(&self, texts: &Bags) -> Result<Tensor> {
//!         self.out.forward(&self.embed.forward(texts)?)
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     let mut rng = StdRng::seed_from_u64(1);
//!     let model = Classifier {
//!         embed: EmbeddingBag::new(10_000, 16, &mut rng),
//!         out: Linear::new(16, 2, &mut rng),
//!     };
//!     let mut optimizer = Sgd::new(0.5).build(&model);
//!     let texts = Bags::from_lists(&[vec![17_u32, 4, 9], vec![3, 9_999]])?;
//!     let labels = Ids::new([1, 0])?;
//!
//!     for _ in 0..50 {
//!         let tape = Tape::new(); // from here on, this thread records
//!         let loss = cross_entropy(&model.forward(&texts)?, &labels)?;
//!         let grads = tape.backward(&loss)?; // consumes the tape: the weights are free to change
//!         optimizer.step(&grads)?; // moves the five rows that were looked up, and no other
//!     }
//!
//!     let scores = model.forward(&texts)?; // no tape: nothing is recorded, dropout is off
//!     assert_eq!(scores.argmax(-1)?, labels);
//!     Ok(())
//! }
//! ```
//!
//! There is no `.grad` field and no `zero_grad`, no `train()` or `eval()`, no `no_grad`, no graph to free: a [`Tape`](tensor::Tape)
//! records while it lives, and [`backward`](tensor::Tape::backward) consumes it.
//!
//! - [`tensor`]: arrays, the tape, operations, row-sparse gradients, operations of your own
//! - [`kernels`]: the loops below, and [`dispatch`](kernels::dispatch) for loops of your own
//! - [`nn`]: layers, losses, state dicts, `#[derive(Module)]`
//! - [`optim`]: optimizers, schedules, gradient clipping, an average of the weights

extern crate self as lexigrad;

pub use lexigrad_kernels as kernels;
pub use lexigrad_nn as nn;
pub use lexigrad_optim as optim;
pub use lexigrad_tensor as tensor;

/// What a model and its training need, for `use lexigrad::prelude::*`.
pub mod prelude {
    pub use lexigrad_nn::{
        AttentionMask, BagMode, Bags, BceWithLogitsLoss, BceWithLogitsOptions, Buffer, Conv1d,
        CrossEntropyLoss, CrossEntropyOptions, Dropout, Embedding, EmbeddingBag,
        EmbeddingBagConfig, EmbeddingConfig, Gelu, Gru, Layer, LayerNorm, LayerNormConfig, Linear,
        LinearConfig, LockedDropout, Lstm, Module, ModuleState, MseLoss, MultiheadAttention,
        PoolOverTime, RecurrentConfig, Reduction, Relu, RmsNorm, Rnn, Sequential, Sigmoid,
        SinusoidalPositions, StateDict, Tanh, TransformerConfig, TransformerDecoder,
        TransformerEncoder, WordDropout, bce_with_logits, cross_entropy,
        cross_entropy_probabilities, cross_entropy_with, mse,
    };
    pub use lexigrad_optim::{
        Adadelta, Adagrad, Adam, AdamW, Adamax, Average, Build, Lion, NAdam, Optimizer, RAdam,
        RmsProp, RowWiseAdagrad, Rule, Schedule, Sgd, SparseAdam, SparseMode, clip_grad_norm,
        clip_grad_value,
    };
    pub use lexigrad_tensor::{
        Element, Error, Grad, Gradients, Ids, Mask, Param, Result, RowSparse, Shape, Tape, Tensor,
        cat, data_parallel, dropout, stack,
    };
}
