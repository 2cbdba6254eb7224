//! Attention with nothing to see, its cache, and positions.

use lexigrad_nn::{
    AttentionMask, AttentionOptions, EncoderCache, KeyValueCache, MultiheadAttentionConfig,
    RotaryConfig, RotaryPairs, TransformerConfig, scaled_dot_product_attention,
};
use lexigrad_tensor::{Mask, Tape, Tensor, cat};
use proptest::prelude::*;

use super::{assert_close, redraw, rng, uniform};

/// Parts of a sequence, given by their lengths.
fn parts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..3_usize, 1..4)
}

fn transformer(norm_first: bool, batch_first: bool) -> TransformerConfig {
    TransformerConfig {
        dim_feedforward: 5,
        norm_first,
        batch_first,
        ..TransformerConfig::new(4, 2)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_query_without_keys_gets_zeros_and_gives_zero_gradients(
        visible in prop::collection::vec(any::<bool>(), 6),
        hidden_by_bias in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let rng = &mut rng(seed);
        let mask = Mask::new([visible, vec![false; 3]].concat(), [3, 3]).unwrap();
        let bias = mask.to_tensor().ln();
        let tape = Tape::new();
        let [q, k, v] = [0, 1, 2].map(|_| tape.watch(&uniform(&[2, 3, 4], rng)));
        let mask = if hidden_by_bias { AttentionMask::bias(&bias) } else { AttentionMask::pairs(&mask) };
        let options = AttentionOptions { mask, ..AttentionOptions::default() };
        let y = scaled_dot_product_attention(&q, &k, &v, &options).unwrap();
        let hidden = y.narrow(1, 2, 1).unwrap();
        prop_assert_eq!(hidden.to_vec(), [0.0; 8]);
        let first = tape.grad(&y.square().sum(), &[&q, &k, &v]).unwrap();
        let second = tape.grad(&first[0].square().sum(), &[&q, &k, &v]).unwrap();
        for gradient in first.iter().chain(&second) {
            prop_assert!(gradient.to_vec().iter().all(|g| g.is_finite()));
        }
        for gradient in [&first[0], &second[0]] {
            prop_assert_eq!(gradient.narrow(1, 2, 1).unwrap().to_vec(), [0.0; 8]);
        }
    }

    #[test]
    fn a_sequence_without_keys_gets_the_bias_of_the_output(seed in any::<u64>()) {
        let config = MultiheadAttentionConfig { batch_first: true, ..MultiheadAttentionConfig::new(4, 2) };
        let attention = config.build::<f64>(&mut rng(seed)).unwrap();
        redraw(&attention, &mut rng(seed));
        let keys = Mask::from_lengths(&[0, 3], 3);
        let mask = AttentionMask::keys(&keys);
        let tape = Tape::new();
        let x = tape.watch(&uniform(&[2, 3, 4], &mut rng(seed ^ 1)));
        let (y, weights) = attention.forward_with_weights(&x, &x, &x, &mask).unwrap();
        prop_assert_eq!(weights.narrow(0, 0, 1).unwrap().to_vec(), [0.0; 18]);
        let bias = attention.out_proj.bias.as_ref().unwrap().value().detach();
        assert_close(
            &y.narrow(0, 0, 1).unwrap().detach(),
            &bias.expand([1, 3, 4]).unwrap(),
            "the output",
        );
        let grads = tape.backward(&y.square().sum()).unwrap();
        let gradient = grads.of(&x).unwrap().to_dense().unwrap();
        prop_assert_eq!(gradient.narrow(0, 0, 1).unwrap().to_vec(), [0.0; 12]);
        prop_assert!(gradient.to_vec().iter().all(|g| g.is_finite()));
    }

    #[test]
    fn a_cache_gives_what_the_whole_sequence_gives(
        parts in parts(),
        (norm_first, batch_first) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let config = transformer(norm_first, batch_first);
        let rng = &mut rng(seed);
        let (length, time) = (parts.iter().sum::<usize>(), isize::from(batch_first));
        let sequence = |length: usize| if batch_first { [2, length, 4] } else { [length, 2, 4] };
        let (x, memory) = (uniform(&sequence(length), rng), uniform(&sequence(3), rng));
        // The first sequence is padded in front, as a prompt of another length is.
        let present = |length: usize| {
            let places = (0..2).flat_map(|row| (0..length).map(move |place| row == 1 || place > 0));
            Mask::new(places.collect(), [2, length]).unwrap()
        };
        let all = present(length);
        let whole_mask = AttentionMask::keys(&all).and(AttentionMask::causal());
        let memory_mask = AttentionMask::lengths([3, 1]);

        let encoder = config.encoder::<f64>(2, norm_first, rng).unwrap();
        let decoder = config.decoder::<f64>(2, norm_first, rng).unwrap();
        let mut encoder_cache = EncoderCache::new(&encoder);
        let mut decoder_cache = decoder.start(&memory).unwrap();
        let (mut encoded, mut decoded) = (Vec::new(), Vec::new());
        for part in x.split(&parts, time).unwrap() {
            let so_far = present(encoder_cache.len() + part.shape()[time as usize]);
            let mask = AttentionMask::keys(&so_far);
            encoded.push(encoder.extend(&part, &mut encoder_cache, &mask).unwrap());
            let y = decoder.extend(&part, &mut decoder_cache, &mask, &memory_mask);
            decoded.push(y.unwrap());
        }
        prop_assert_eq!((encoder_cache.len(), decoder_cache.len()), (length, length));
        let joined = |parts: &[Tensor<f64>]| cat(&parts.iter().collect::<Vec<_>>(), time).unwrap();
        assert_close(&joined(&encoded), &encoder.forward(&x, &whole_mask).unwrap(), "encoder");
        let whole = decoder.forward(&x, &memory, &whole_mask, &memory_mask).unwrap();
        assert_close(&joined(&decoded), &whole, "decoder");
    }

    #[test]
    fn rotated_products_depend_on_the_distance_alone(
        (first, distance, shift) in (0..50_usize, 0..50_usize, 0..50_usize),
        halves in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let pairs = if halves { RotaryPairs::Halves } else { RotaryPairs::Neighbours };
        let rotary = RotaryConfig { pairs, ..RotaryConfig::new(6) }.build().unwrap();
        let (q, k) = (uniform(&[1, 6], &mut rng(seed)), uniform(&[1, 6], &mut rng(seed ^ 1)));
        let product = |at: usize| {
            let q = rotary.forward(&q, at).unwrap();
            q.mul(&rotary.forward(&k, at + distance).unwrap()).unwrap().sum()
        };
        assert_close(&product(first + shift), &product(first), "the product");
        let length = |x: &Tensor<f64>| x.square().sum();
        assert_close(&length(&rotary.forward(&q, first).unwrap()), &length(&q), "the length");
    }
}

#[test]
fn a_rotation_by_hand() {
    let config = RotaryConfig {
        base: 100.0,
        ..RotaryConfig::new(4)
    };
    let x: Tensor<f64> = Tensor::new([[1.0, 2.0, 3.0, 4.0]]);
    let turn = |a: f64, b: f64, angle: f64| {
        let (sine, cosine) = angle.sin_cos();
        [a * cosine - b * sine, a * sine + b * cosine]
    };
    // At position 5 the first pair turns by 5, the second by 5 / √100.
    let ([a, c], [b, d]) = (turn(1.0, 3.0, 5.0), turn(2.0, 4.0, 0.5));
    let halves = config.build().unwrap().forward(&x, 5).unwrap();
    assert_close(&halves, &Tensor::new([[a, b, c, d]]), "halves");
    let neighbours = RotaryConfig {
        pairs: RotaryPairs::Neighbours,
        ..config
    };
    let ([a, b], [c, d]) = (turn(1.0, 2.0, 5.0), turn(3.0, 4.0, 0.5));
    let found = neighbours.build().unwrap().forward(&x, 5).unwrap();
    assert_close(&found, &Tensor::new([[a, b, c, d]]), "neighbours");
}

#[test]
fn no_keys_at_all() {
    let (q, k, v) = (
        Tensor::<f64>::ones([2, 3]),
        Tensor::zeros([0, 3]),
        Tensor::zeros([0, 4]),
    );
    let y = scaled_dot_product_attention(&q, &k, &v, &AttentionOptions::default()).unwrap();
    assert_eq!((y.shape().to_vec(), y.to_vec()), (vec![2, 4], vec![0.0; 8]));
}

#[test]
fn an_error_leaves_the_cache_as_it_was() {
    let attention = MultiheadAttentionConfig::new(4, 2)
        .build::<f64>(&mut rng(1))
        .unwrap();
    let mut cache = KeyValueCache::new();
    let x = Tensor::ones([2, 1, 4]);
    attention
        .extend(&x, &mut cache, &AttentionMask::default())
        .unwrap();
    let wrong = Mask::from_lengths(&[3], 3);
    let mask = AttentionMask::keys(&wrong);
    let error = attention.extend(&x, &mut cache, &mask).unwrap_err();
    assert_eq!(
        error.to_string(),
        "attention: the mask of the keys has shape [1, 3]; it must be [1, 4], one row for each sequence"
    );
    assert_eq!(cache.len(), 2);
}
