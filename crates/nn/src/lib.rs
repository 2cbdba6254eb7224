//! Layers, losses and state dicts.
//!
//! A model is a struct of layers with `#[derive(Module)]`; its `forward` is a method of your own, typed as the model needs.
//!
//! ```
//! use lexigrad_nn::{Embedding, Linear, Module, cross_entropy};
//! use lexigrad_tensor::{Ids, Result, Tape, Tensor};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! struct NextWord { embed: Embedding, out: Linear }
//!
//! impl NextWord {
//!     fn forward(&self, words: &Ids) -> Result<Tensor> {
//!         self.out.forward(&self.embed.forward(words)?)
//!     }
//! }
//!
//! let mut rng = StdRng::seed_from_u64(1);
//! let model = NextWord { embed: Embedding::new(100, 8, &mut rng), out: Linear::new(8, 100, &mut rng) };
//! let names: Vec<String> = model.named_parameters().into_iter().map(|(name, _)| name).collect();
//! assert_eq!(names, ["embed.weight", "out.weight", "out.bias"]);
//!
//! let tape = Tape::new();
//! let loss = cross_entropy(&model.forward(&Ids::new([4, 7])?)?, &Ids::new([7, 9])?)?;
//! let grads = tape.backward(&loss)?;
//! assert!(grads.missing(&model).is_empty());
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```
//!
//! The `new` of a layer panics if there is no memory for its parameters; the `build` of its config returns an error.

#![warn(unreachable_pub)]

extern crate self as lexigrad_nn;

mod activation;
mod attention;
mod batch_norm;
mod bilinear;
mod conv1d;
mod crf;
mod dropout;
mod embedding;
mod embedding_bag;
pub mod guide;
mod heads;
pub mod init;
mod layer_norm;
mod linear;
mod loss;
mod pool;
mod positions;
mod recurrent;
mod rms_norm;
mod sequence;
mod sequential;
mod start;
mod state;
mod table;
mod transformer;

pub use activation::{
    Elu, Gelu, GeluTanh, LeakyRelu, LogSigmoid, LogSoftmax, Relu, Sigmoid, Silu, Softmax, Softplus,
    Tanh,
};
pub use attention::{InProjection, KeyValueCache, MultiheadAttention, MultiheadAttentionConfig};
pub use batch_norm::{BatchNorm1d, BatchNorm1dConfig, RunningStatistics};
pub use bilinear::{Bilinear, BilinearConfig};
pub use conv1d::{Conv1d, Conv1dConfig};
pub use crf::{LinearChainCrf, Tagging};
pub use dropout::{Dropout, LockedDropout, WordDropout};
pub use embedding::{Embedding, EmbeddingConfig};
pub use embedding_bag::{EmbeddingBag, EmbeddingBagConfig};
pub use heads::{
    AdaptiveSoftmax, AdaptiveSoftmaxConfig, AliasTable, HierarchicalSoftmax, NegativeSampling,
    NegativeSamplingConfig, SampledSoftmax, SampledSoftmaxConfig, SharedNegatives,
    SharedNegativesConfig,
};
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use lexigrad_macros::Module;
pub use lexigrad_tensor::attention as scaled_dot_product_attention;
pub use lexigrad_tensor::{
    AttentionMask, AttentionOptions, BagMode, Bags, Buffer, Conv1dOptions, CrossEntropyOptions,
    Domain, Entry, Module, Reduction, Visitor, cross_entropy, cross_entropy_with,
};
pub use linear::{Linear, LinearConfig};
pub use loss::absolute::{HuberLoss, L1Loss, SmoothL1Loss, huber, l1, smooth_l1};
pub use loss::bce_with_logits::{BceWithLogitsLoss, BceWithLogitsOptions, bce_with_logits};
pub use loss::cross_entropy::{CrossEntropyLoss, cross_entropy_probabilities};
pub use loss::ctc::{CtcLoss, ctc};
pub use loss::divergence::{BceLoss, KlDivLoss, bce, kl_div};
pub use loss::margin::{
    HingeEmbeddingLoss, MarginRankingLoss, MultiMarginLoss, hinge_embedding, margin_ranking,
    multi_margin,
};
pub use loss::mse::{MseLoss, mse};
pub use loss::multi_label::{MultiLabelSoftMarginLoss, multi_label_soft_margin};
pub use loss::nll::{NllLoss, NllOptions, nll};
pub use loss::similarity::{
    CosineEmbeddingLoss, TripletMarginLoss, cosine_embedding, triplet_margin,
};
pub use pool::PoolOverTime;
pub use positions::{
    LearnedPositions, LearnedPositionsConfig, RotaryConfig, RotaryPairs, RotaryPositions,
    SinusoidalPositions,
};
pub use recurrent::{
    CellConfig, CellParameters, Gru, GruCell, Lstm, LstmCell, LstmState, Nonlinearity,
    RecurrentConfig, Rnn, RnnCell,
};
pub use rms_norm::{RmsNorm, RmsNormConfig};
pub use sequential::{Layer, Sequential};
pub use state::{Archive, LoadReport, ModuleState, StateDict, StoredTensor, describe, write_whole};
pub use transformer::{
    DecoderCache, EncoderCache, FeedForwardActivation, TransformerConfig, TransformerDecoder,
    TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer,
};
