//! What does not fit is refused in words that name it.

use lexigrad_nn::{
    AttentionMask, AttentionOptions, BatchNorm1dConfig, Bilinear, CellConfig, Conv1dConfig,
    Conv1dOptions, KeyValueCache, LearnedPositions, LockedDropout, MultiheadAttentionConfig,
    PoolOverTime, RecurrentConfig, RmsNorm, RotaryPositions, SinusoidalPositions,
    TransformerConfig, WordDropout, scaled_dot_product_attention,
};
use lexigrad_tensor::{Ids, Mask, Result, Tape, Tensor};

use super::rng;

#[track_caller]
fn refuses<T>(result: Result<T>, text: &str) {
    let error = result.err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some(text));
}

#[test]
fn of_recurrent_layers() {
    let config = RecurrentConfig::new(3, 2);
    let none = RecurrentConfig {
        num_layers: 0,
        ..config.clone()
    };
    refuses(
        none.gru::<f32>(&mut rng(0)),
        "gru: num_layers is 0; it must be at least 1",
    );
    let all = RecurrentConfig {
        dropout: 1.5,
        ..config.clone()
    };
    refuses(
        all.lstm::<f32>(&mut rng(0)),
        "lstm: dropout is 1.5; it must be between 0 and 1",
    );

    let gru = config.gru::<f32>(&mut rng(0)).unwrap();
    refuses(
        gru.forward(&Tensor::ones([4, 2, 5])),
        "gru: the input has shape [4, 2, 5]; it must be [length, batch, 3]",
    );
    let x = Tensor::ones([4, 2, 3]);
    refuses(
        gru.forward_with(&x, Some(&[1]), None),
        "gru: 1 lengths for 2 sequences",
    );
    refuses(
        gru.forward_with(&x, Some(&[4, 5]), None),
        "gru: length 5 at [1] is beyond the input; lengths are at most the input's 4 steps",
    );
    refuses(
        gru.forward_with(&x, None, Some(&Tensor::zeros([2, 2, 2]))),
        "gru: the state has shape [2, 2, 2]; it must be [1, 2, 2]",
    );
    let cell = CellConfig::new(3, 2).gru::<f32>(&mut rng(0)).unwrap();
    refuses(
        cell.forward(&x, None),
        "gru: the input has shape [4, 2, 3]; it must be [batch, inputs]",
    );
    refuses(
        cell.forward(&Tensor::ones([4, 3]), Some(&Tensor::zeros([1, 2]))),
        "gru: the state has shape [1, 2]; it must be [4, 2]",
    );
}

#[test]
fn of_attention() {
    let config = MultiheadAttentionConfig::new(6, 4);
    refuses(
        config.build::<f32>(&mut rng(0)),
        "multihead_attention: num_heads is 4; it must be a divisor of embed_dim, 6",
    );
    let attention = MultiheadAttentionConfig::new(4, 2)
        .build::<f32>(&mut rng(0))
        .unwrap();
    let x = Tensor::ones([3, 2, 4]);
    let no_mask = AttentionMask::default();
    refuses(
        attention.forward(&x, &Tensor::ones([3, 2, 5]), &x, &no_mask),
        "multihead_attention: the key has shape [3, 2, 5]; it must be [length, batch, 4]",
    );
    refuses(
        attention.forward(&x, &Tensor::ones([5, 2, 4]), &x, &no_mask),
        "multihead_attention: the value has shape [3, 2, 4]; there must be one for each key of [5, 2, 4]",
    );
    let other = Tensor::ones([3, 1, 4]);
    refuses(
        attention.forward(&x, &other, &other, &no_mask),
        "multihead_attention: a batch of 2 queries for a batch of 1 keys",
    );
    let mut cache = attention.remember(&x, &x).unwrap();
    refuses(
        attention.extend(&other, &mut cache, &no_mask),
        "multihead_attention: a batch of 1 queries for a batch of 2 keys",
    );
    refuses(
        attention.recall(&x, &KeyValueCache::new(), &no_mask),
        "multihead_attention: the cache is empty; remember or extend it first",
    );
    let pairs = Mask::lower_triangle(2, 3, 0);
    let mask = AttentionMask::pairs(&pairs);
    refuses(
        attention.forward(&x, &x, &x, &mask),
        "attention: the mask of the pairs has shape [2, 3]; it must broadcast to [3, 3], [2, 3, 3] or [2, 2, 3, 3]",
    );
    let (q, k) = (Tensor::<f32>::ones([2, 3]), Tensor::ones([4, 3]));
    let function = |k: &Tensor, v: &Tensor, mask: Option<&Mask>| {
        let mask = mask.map(AttentionMask::pairs).unwrap_or_default();
        let options = AttentionOptions {
            mask,
            ..AttentionOptions::default()
        };
        scaled_dot_product_attention(&q, k, v, &options)
    };
    let name = "attention";
    refuses(
        function(&Tensor::ones([4, 2]), &k, None),
        &format!(
            "{name}: the key has shape [4, 2]; its last axis must be that of the query [2, 3]"
        ),
    );
    refuses(
        function(&k, &Tensor::ones([5, 3]), None),
        &format!(
            "{name}: the value has shape [5, 3]; it must have a row for each of the key [4, 3]"
        ),
    );
    refuses(
        function(&k, &k, Some(&Mask::lower_triangle(3, 4, 0))),
        &format!(
            "{name}: the mask of the pairs has shape [3, 4]; it must broadcast to [2, 4], [1, 2, 4] or [1, 1, 2, 4]"
        ),
    );
}

#[test]
fn of_caches() {
    let config = TransformerConfig {
        dim_feedforward: 3,
        ..TransformerConfig::new(4, 2)
    };
    let one = config.decoder::<f32>(1, false, &mut rng(0)).unwrap();
    let two = config.decoder::<f32>(2, false, &mut rng(0)).unwrap();
    let x = Tensor::ones([1, 1, 4]);
    let mut cache = one.start(&x).unwrap();
    let no_mask = AttentionMask::default();
    refuses(
        two.extend(&x, &mut cache, &no_mask, &no_mask),
        "transformer_decoder: the cache is for 1 layers; there are 2",
    );
    assert!(cache.is_empty());
}

#[test]
fn of_positions() {
    refuses(
        RotaryPositions::new(3),
        "rotary_positions: dim is 3; it must be even",
    );
    refuses(
        SinusoidalPositions::new(4).forward(&Tensor::<f32>::ones([5, 3]), 0),
        "sinusoidal_positions: the input has shape [5, 3]; it must be [.., length, 4]",
    );
    let learned = LearnedPositions::new(6, 4, &mut rng(0));
    refuses(
        learned.forward(&Tensor::ones([5, 4]), 2),
        "learned_positions: the input has shape [5, 4]; its length must be at most 4, the positions from 2 on",
    );
}

#[test]
fn of_the_rest() {
    refuses(
        RmsNorm::new(3).forward(&Tensor::ones([3, 4])),
        "rms_norm: the input has shape [3, 4]; its last axes must be [3]",
    );
    let norm = BatchNorm1dConfig::new(3).build::<f32>().unwrap();
    refuses(
        norm.forward(&Tensor::ones([2, 4])),
        "batch_norm1d: the input has shape [2, 4]; it must be [batch, 3] or [batch, 3, length]",
    );
    let tape = Tape::new();
    refuses(
        norm.forward(&Tensor::ones([1, 3])),
        "batch_norm1d: the input has shape [1, 3]; in training it must hold at least two numbers for each channel",
    );
    drop(tape);
    let tracked = norm.statistics.unwrap().num_batches_tracked;
    assert_eq!(tracked.value().to_vec(), [0.0]);
    let groups = Conv1dOptions {
        groups: 3,
        ..Conv1dOptions::default()
    };
    let config = Conv1dConfig {
        options: groups,
        ..Conv1dConfig::new(4, 6, 2)
    };
    refuses(
        config.build::<f32>(&mut rng(0)),
        "conv1d: groups is 3; it must be a divisor of in_channels, 4, and out_channels, 6",
    );
    let bilinear = Bilinear::new(2, 3, 4, &mut rng(0));
    refuses(
        bilinear.forward(&Tensor::ones([5, 2]), &Tensor::ones([4, 3])),
        "bilinear: x2 has shape [4, 3]; before its last axis it must equal x1, [5, 2]",
    );
    refuses(
        PoolOverTime::Max.forward(&Tensor::<f32>::ones([1, 2, 3]), Some(&[3])),
        "pool_over_time: length 3 at [0] is beyond the input; lengths are at most the input's 2 steps",
    );
    refuses(
        LockedDropout::new(-1.0, 1),
        "dropout: p is -1; it must be between 0 and 1",
    );
    refuses(
        WordDropout::new(0.5)
            .unwrap()
            .forward(&Tensor::<f32>::ones([2, 3]), &Ids::new([1]).unwrap()),
        "word_dropout: the input has shape [2, 3]; it must be [1] and an axis of features",
    );
}
