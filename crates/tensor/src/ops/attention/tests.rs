//! The fused form against the composed one, and its bits.

use rand::{SeedableRng, rngs::StdRng};

use super::*;
use crate::op::{Needs, Op, Saved};
use crate::{Gradients, Mask, Tape};

/// 70 queries and 90 keys, so that there are several blocks and a rest; of time first, so that no input is dense.
fn draw() -> [Tensor<f64>; 4] {
    let mut rng = StdRng::seed_from_u64(1);
    [[70, 5], [90, 5], [90, 7], [70, 7]].map(|[length, size]| {
        let drawn = Tensor::uniform([length, 3, 2, size], -1.0, 1.0, &mut rng);
        drawn.permute(&[1, 2, 0, 3]).unwrap()
    })
}

/// All that attention may be asked for, and a mask for each axis.
fn settings() -> Vec<AttentionOptions<f64>> {
    let mut rng = StdRng::seed_from_u64(2);
    let mut bias = |shape: [usize; 4]| {
        AttentionMask::bias(&Tensor::uniform(Shape::from(shape), -1.0, 1.0, &mut rng))
    };
    let pairs = Mask::new((0..70 * 90).map(|i| i % 7 > 2).collect(), [70, 90]).unwrap();
    let masks = [
        AttentionMask::default(),
        AttentionMask::lengths([90, 0, 40]),
        AttentionMask::keys(&Mask::from_lengths(&[90, 0, 40], 90)),
        AttentionMask::pairs(&pairs).and(bias([1, 2, 70, 90])),
        bias([3, 1, 1, 90]).and(AttentionMask::lengths([90, 20, 40])),
    ];
    let windows = [
        (AttentionMask::default(), 0, 0.0),
        (AttentionMask::causal(), 0, 0.0),
        (AttentionMask::causal(), 30, 0.4),
        (AttentionMask::window(20, 3), 5, 0.2),
        (AttentionMask::window(0, 50), 60, 0.0),
    ];
    let all = masks.iter().flat_map(|mask| {
        windows
            .iter()
            .map(|(window, first, dropout)| AttentionOptions {
                mask: mask.clone().and(window.clone()),
                first: *first,
                dropout: *dropout,
                scale: Some(0.3),
            })
    });
    all.collect()
}

/// The output, the weights, and the gradients of all inputs; `recorded` takes the composed way back.
fn run(options: &AttentionOptions<f64>, shows: bool, recorded: bool) -> Vec<Tensor<f64>> {
    let [q, k, v, cotangent] = draw();
    let tape = Tape::seeded(3);
    let inputs = [q, k, v].map(|x| tape.watch(&x));
    let [q, k, v] = &inputs;
    let (output, weights) = match shows {
        true => attention_with_weights(q, k, v, options).unwrap(),
        false => (attention(q, k, v, options).unwrap(), Tensor::zeros([1])),
    };
    let constants = [output.constant(), weights.constant()];
    let loss = output.mul(&cotangent).unwrap().sum();
    let loss = loss.add(&weights.square().sum()).unwrap();
    let gradients = if recorded {
        tape.grad(&loss, &[q, k, v]).unwrap()
    } else {
        let gradients: Gradients<f64> = tape.backward(&loss).unwrap();
        let of = |x| gradients.of(x).unwrap().to_dense().unwrap();
        inputs.iter().map(of).collect()
    };
    constants.into_iter().chain(gradients).collect()
}

fn assert_close(left: &Tensor<f64>, right: &Tensor<f64>, what: &dyn std::fmt::Debug) {
    let difference = left.sub(right).unwrap().abs().sum().item().unwrap();
    assert!(difference < 1e-9, "{what:?}: {difference}");
}

#[test]
fn the_fused_way_back_is_the_composed_one() {
    for options in settings() {
        for shows in [false, true] {
            let (fused, composed) = (run(&options, shows, false), run(&options, shows, true));
            for (fused, composed) in fused.iter().zip(&composed) {
                assert_close(fused, composed, &options);
            }
        }
    }
}

#[test]
fn without_a_tape_the_output_is_the_same() {
    for options in settings() {
        if options.dropout == 0.0 {
            let [q, k, v, _] = draw();
            let (output, weights) = attention_with_weights(&q, &k, &v, &options).unwrap();
            let recorded = run(&options, true, false);
            assert_eq!(output.to_vec(), recorded[0].to_vec());
            assert_eq!(weights.to_vec(), recorded[1].to_vec());
            assert_close(&weights.matmul(&v).unwrap(), &output, &options);
        }
    }
}

#[test]
fn weights_that_are_computed_again_have_the_same_bits() {
    for options in settings() {
        let [q, k, v, cotangent] = draw();
        let spread = Spread::of(&q, &k, &v).unwrap();
        let (mask, bias) = options.mask.resolve(NAME, &spread.sizes).unwrap();
        let mut operation = Attention {
            sizes: spread.sizes,
            form: Form::Separate,
            scores: Shape::from([3, 2, 70, 90]),
            mask,
            has_bias: bias.is_some(),
            first: options.first,
            scale: 0.3,
            dropout: Some((7, 0.8)),
            shows: false,
            kept: None,
        };
        let inputs: Vec<&Tensor<f64>> = [&q, &k, &v].into_iter().chain(bias.as_ref()).collect();
        let needs = (0..inputs.len()).fold(Needs::NONE, Needs::with);
        operation.forward(&inputs, needs).unwrap();
        let tensors: Vec<Tensor<f64>> = inputs.iter().map(|&input| input.clone()).collect();
        let gradients = |operation: &Attention<f64>| {
            let saved = Saved {
                saves: operation.saves(needs),
                tensors: &tensors,
                needs,
            };
            let gradients = operation.fused_vjp(&saved, cotangent.clone()).unwrap().0;
            let dense = |gradient: Option<crate::Grad<f64>>| gradient.unwrap().to_dense().unwrap();
            gradients
                .into_iter()
                .map(|g| dense(g).to_vec())
                .collect::<Vec<_>>()
        };
        let kept = gradients(&operation);
        operation.kept = None;
        assert_eq!(kept, gradients(&operation));
    }
}

#[test]
fn a_bias_of_any_shape_has_a_gradient() {
    let mut rng = StdRng::seed_from_u64(1);
    for shape in [
        vec![90],
        vec![70, 1],
        vec![3, 70, 90],
        vec![1, 2, 1, 90],
        vec![3, 2, 70, 90],
    ] {
        let bias: Tensor<f64> = Tensor::uniform(&shape[..], -1.0, 1.0, &mut rng);
        let gradient = |recorded: bool| {
            let [q, k, v, cotangent] = draw();
            let tape = Tape::seeded(1);
            let bias = tape.watch(&bias);
            let options = AttentionOptions {
                mask: AttentionMask::bias(&bias).and(AttentionMask::window(30, 40)),
                ..AttentionOptions::default()
            };
            let output = attention(&q, &k, &v, &options).unwrap();
            match recorded {
                true => tape
                    .grad_with(&output, &cotangent, &[&bias])
                    .unwrap()
                    .remove(0),
                false => {
                    let gradients = tape.backward_with(&output, &cotangent).unwrap();
                    gradients.of(&bias).unwrap().to_dense().unwrap()
                }
            }
        };
        assert_eq!(gradient(false).shape()[..], shape[..]);
        assert_close(&gradient(false), &gradient(true), &shape);
    }
}

#[test]
fn weights_alone_have_a_gradient_though_the_values_have_no_numbers() {
    let [q, k, _, _] = draw();
    let v: Tensor<f64> = Tensor::zeros([3, 2, 90, 0]);
    let gradients = |recorded: bool| {
        let tape = Tape::new();
        let [q, k] = [&q, &k].map(|x| tape.watch(x));
        let (_, weights) = attention_with_weights(&q, &k, &v, &Default::default()).unwrap();
        let loss = weights.square().sum();
        if recorded {
            return tape.grad(&loss, &[&q, &k]).unwrap();
        }
        let gradients = tape.backward(&loss).unwrap();
        [q, k]
            .map(|x| gradients.of(&x).unwrap().to_dense().unwrap())
            .to_vec()
    };
    for (fused, composed) in gradients(false).iter().zip(&gradients(true)) {
        assert!(composed.abs().sum().item().unwrap() > 0.0);
        assert_close(fused, composed, &"weights");
    }
}

#[test]
fn a_block_that_no_memory_holds_is_an_error() {
    let q: Tensor = Tensor::ones([1, 1, 3]);
    let k = Tensor::ones([1, 1, 3]).expand([1, 1 << 48, 3]).unwrap();
    let error = attention(&q, &k, &k, &Default::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("attention: a result of shape [1, 1, 1, 281474976710656]"),
        "{error}"
    );
}

#[test]
fn leading_axes_broadcast() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut draw = |shape: &[usize]| -> Tensor<f64> { Tensor::uniform(shape, -1.0, 1.0, &mut rng) };
    for (q, k, y) in [
        (vec![4, 3], vec![5, 3], vec![4, 2]),
        (vec![7, 4, 3], vec![5, 3], vec![7, 4, 2]),
        (vec![1, 4, 3], vec![7, 5, 3], vec![7, 4, 2]),
        (vec![2, 6, 4, 3], vec![5, 3], vec![2, 6, 4, 2]),
        (vec![2, 1, 4, 3], vec![6, 5, 3], vec![2, 6, 4, 2]),
        (vec![2, 3, 6, 4, 3], vec![3, 6, 5, 3], vec![2, 3, 6, 4, 2]),
    ] {
        let mut values = k.clone();
        values[k.len() - 1] = 2;
        let (q, k, v) = (draw(&q), draw(&k), draw(&values));
        let (output, weights) = attention_with_weights(&q, &k, &v, &Default::default()).unwrap();
        let scores = q.matmul(&k.transpose(-2, -1).unwrap()).unwrap();
        let expected = scores.mul_scalar(1.0 / 3.0_f64.sqrt()).softmax(-1).unwrap();
        assert_eq!(output.shape()[..], y[..]);
        assert_close(&weights, &expected, &y);
        assert_close(&output, &expected.matmul(&v).unwrap(), &y);
    }
}

#[test]
fn side_by_side_is_the_same_as_apart() {
    let mut rng = StdRng::seed_from_u64(1);
    let packed: Tensor<f64> = Tensor::uniform([2, 40, 3 * 4 * 5], -1.0, 1.0, &mut rng);
    let options = AttentionOptions {
        mask: AttentionMask::causal(),
        dropout: 0.1,
        scale: Some(0.5),
        ..AttentionOptions::default()
    };
    let gradient = |forward: &dyn Fn(&Tensor<f64>) -> Tensor<f64>| {
        let tape = Tape::seeded(1);
        let x = tape.watch(&packed);
        let loss = forward(&x).square().sum();
        let gradients = tape.backward(&loss).unwrap();
        gradients.of(&x).unwrap().to_dense().unwrap().to_vec()
    };
    let joined = gradient(&|x| self_attention(x, 4, &options).unwrap());
    let apart = gradient(&|x| {
        let split = x.reshape([2, 40, 3, 4, 5]).unwrap();
        let split = split.permute(&[2, 0, 3, 1, 4]).unwrap();
        let part = |index| split.narrow(0, index, 1).unwrap().squeeze(0).unwrap();
        attention(&part(0), &part(1), &part(2), &options).unwrap()
    });
    let pairs = joined.iter().zip(&apart);
    assert!(pairs.fold(0.0, |worst: f64, (x, y)| worst.max((x - y).abs())) < 1e-12);
}

#[test]
fn a_gradient_that_is_a_view_is_read_from_where_it_begins() {
    let mut rng = StdRng::seed_from_u64(1);
    let packed: Tensor<f64> = Tensor::uniform([2, 3, 3 * 4], -1.0, 1.0, &mut rng);
    let weights: Tensor<f64> = Tensor::uniform([4, 3, 4], -1.0, 1.0, &mut rng);
    let options = settings().remove(0);
    let tape = Tape::new();
    let (x, y) = (tape.watch(&packed), tape.watch(&packed));
    let outputs = [&x, &y].map(|x| self_attention(x, 2, &options).unwrap());
    let joined = crate::cat(&[&outputs[0], &outputs[1]], 0).unwrap();
    let loss = joined.mul(&weights).unwrap().sum();
    let composed = tape.grad(&loss, &[&x, &y]).unwrap();
    let fused = tape.backward(&loss).unwrap();
    for (x, composed) in [&x, &y].into_iter().zip(composed) {
        let fused = fused.of(x).unwrap().to_dense().unwrap();
        let difference = fused.sub(&composed).unwrap().abs().sum();
        assert!(difference.item().unwrap() < 1e-12);
    }
}

#[test]
fn threads_never_change_the_bits() {
    let bits = || {
        let mut rng = StdRng::seed_from_u64(1);
        let x: Tensor = Tensor::uniform([8, 64, 3 * 2 * 32], -1.0, 1.0, &mut rng);
        let options = AttentionOptions {
            mask: AttentionMask::causal(),
            dropout: 0.1,
            scale: Some(0.2),
            ..AttentionOptions::default()
        };
        let tape = Tape::seeded(1);
        let x = tape.watch(&x);
        let output = self_attention(&x, 2, &options).unwrap();
        let mut bits = output.to_vec();
        let gradients = tape.backward(&output.square().sum()).unwrap();
        bits.extend(gradients.of(&x).unwrap().to_dense().unwrap().to_vec());
        bits.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(bits)
    };
    assert!([2, 3, 4, 8].map(on).iter().all(|bits| *bits == on(1)));
}
