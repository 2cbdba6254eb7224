//! Layers of sizes that no machine has: the `build` of a config returns an error that names the layer, its `new` panics with it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{
    AdaptiveSoftmaxConfig, BatchNorm1dConfig, BilinearConfig, CellConfig, Conv1dConfig,
    EmbeddingBagConfig, EmbeddingConfig, HierarchicalSoftmax, LayerNormConfig,
    LearnedPositionsConfig, Linear, LinearChainCrf, LinearConfig, MultiheadAttentionConfig,
    NegativeSamplingConfig, Nonlinearity, RecurrentConfig, RmsNormConfig, SampledSoftmaxConfig,
    SharedNegativesConfig, TransformerConfig, init,
};
use lexigrad_tensor::{Error, Result, Shape};
use rand::SeedableRng;
use rand::rngs::StdRng;

const HUGE: [usize; 4] = [1 << 45, (1 << 60) + 2, 1 << 62, usize::MAX - 1];

/// `build` fails with every huge size, and says for whom.
#[track_caller]
fn refuses<L>(name: &str, build: impl Fn(usize, &mut StdRng) -> Result<L>) {
    for size in HUGE {
        let result = build(size, &mut StdRng::seed_from_u64(1));
        let error: Option<Error> = result.err();
        assert!(
            error
                .as_ref()
                .is_some_and(|error| error.operation() == name),
            "{name}, size {size}: {error:?}"
        );
    }
}

#[test]
fn of_tables() {
    refuses("embedding", |n, rng| {
        EmbeddingConfig::new(n, 3).build::<f32>(rng)
    });
    refuses("embedding", |n, rng| {
        EmbeddingConfig::new(3, n).build::<f32>(rng)
    });
    refuses("embedding_bag", |n, rng| {
        EmbeddingBagConfig::new(n, 3).build::<f32>(rng)
    });
    refuses("learned_positions", |n, rng| {
        let config = LearnedPositionsConfig { longest: n, dim: 3 };
        config.build::<f32>(rng)
    });
}

#[test]
fn of_maps_and_norms() {
    refuses("linear", |n, rng| LinearConfig::new(n, 3).build::<f32>(rng));
    refuses("linear", |n, rng| LinearConfig::new(0, n).build::<f32>(rng));
    refuses("bilinear", |n, rng| {
        BilinearConfig::new(n, n, 2).build::<f64>(rng)
    });
    refuses("conv1d", |n, rng| {
        Conv1dConfig::new(n, 1, n).build::<f32>(rng)
    });
    refuses("layer_norm", |n, _| LayerNormConfig::new(n).build::<f32>());
    refuses("rms_norm", |n, _| RmsNormConfig::new([n, 2]).build::<f32>());
    refuses("batch_norm1d", |n, _| {
        let config = BatchNorm1dConfig {
            affine: false,
            ..BatchNorm1dConfig::new(n)
        };
        config.build::<f32>()
    });
}

#[test]
fn of_recurrent_layers() {
    let wide = |n| RecurrentConfig::new(2, n);
    let deep = |n| RecurrentConfig {
        num_layers: n,
        ..RecurrentConfig::new(2, 2)
    };
    refuses("lstm", |n, rng| wide(n).lstm::<f32>(rng));
    refuses("lstm", |n, rng| deep(n).lstm::<f32>(rng));
    refuses("gru", |n, rng| wide(n).gru::<f32>(rng));
    refuses("rnn", |n, rng| wide(n).rnn::<f32>(Nonlinearity::Relu, rng));
    refuses("lstm_cell", |n, rng| CellConfig::new(n, 2).lstm::<f32>(rng));
}

#[test]
fn of_attention() {
    refuses("multihead_attention", |n, rng| {
        MultiheadAttentionConfig::new(n, 1).build::<f32>(rng)
    });
    refuses("multihead_attention", |n, rng| {
        let config = MultiheadAttentionConfig {
            kdim: Some(n),
            ..MultiheadAttentionConfig::new(4, 2)
        };
        config.build::<f32>(rng)
    });
    let narrow = TransformerConfig::new(4, 2);
    refuses("linear", |n, rng| {
        let config = TransformerConfig {
            dim_feedforward: n,
            ..narrow.clone()
        };
        config.encoder::<f32>(1, true, rng)
    });
    refuses("transformer", |n, rng| narrow.encoder::<f32>(n, true, rng));
    refuses("transformer", |n, rng| narrow.decoder::<f32>(n, true, rng));
}

#[test]
fn of_heads() {
    let counts = [3, 2, 1];
    refuses("negative_sampling", |n, _| {
        NegativeSamplingConfig::new(n).build::<f32>(&counts)
    });
    refuses("shared_negatives", |n, _| {
        SharedNegativesConfig::new(n).build::<f32>(&counts)
    });
    refuses("sampled_softmax", |n, rng| {
        SampledSoftmaxConfig::new(n, 2).build::<f32>(rng)
    });
    refuses("hierarchical_softmax", |n, _| {
        HierarchicalSoftmax::<f32>::new(n, &counts)
    });
    refuses("linear", |n, rng| {
        AdaptiveSoftmaxConfig::new(n, 6, [2, 4]).build::<f32>(rng)
    });
    refuses("linear_chain_crf", |n, rng| {
        LinearChainCrf::<f32>::build(n, rng)
    });
}

#[test]
fn of_initial_values() {
    let shape = |n| Shape::from([n, 2, 3]);
    refuses("xavier_uniform", |n, rng| {
        init::xavier_uniform::<f32>(&shape(n), 1.0, rng)
    });
    refuses("constant", |n, _| init::constant::<f32>(&shape(n), 1.0));
    refuses("orthogonal", |n, rng| {
        init::orthogonal::<f32>(&shape(n), 1.0, rng)
    });
    refuses("truncated_normal", |n, rng| {
        init::truncated_normal::<f32>(&shape(n), 0.0, 1.0, -2.0..2.0, rng)
    });
    refuses("sparse", |n, rng| {
        init::sparse::<f32>(&Shape::from([n, 2]), 0.5, 1.0, rng)
    });
}

#[test]
#[should_panic = "linear: a result of shape [3, 35184372088832] is too large"]
fn of_a_constructor_without_a_result() {
    Linear::new(1 << 45, 3, &mut StdRng::seed_from_u64(1));
}
