//! The fused form against the composed one, and its bits.

use super::*;
use crate::{Gradients, Tape};
use rand::{SeedableRng, rngs::StdRng};

/// 70 queries and 90 keys, so that there are several blocks and a rest; of time first, so that no input is dense.
fn draw() -> [Tensor<f64>; 4] {
    let mut rng = StdRng::seed_from_u64(1);
    [[70, 5], [90, 5], [90, 7], [70, 7]].map(|[length, size]| {
        let drawn = Tensor::uniform([length, 3, 2, size], -1.0, 1.0, &mut rng);
        drawn.permute(&[1, 2, 0, 3]).unwrap()
    })
}

/// All that attention may be asked for, and a mask for each axis.
fn settings() -> impl Iterator<Item = Attend> {
    let masks = [
        None,
        Some(Mask::new(Mask::from_lengths(&[90, 0, 40], 90).to_vec(), [3, 1, 1, 90]).unwrap()),
        Some(Mask::new((0..70 * 90).map(|i| i % 7 > 2).collect(), [70, 90]).unwrap()),
    ];
    masks.into_iter().flat_map(|visible| {
        [(None, 0.0), (Some(0), 0.0), (Some(30), 0.4)].map(|(causal, dropout)| Attend {
            scale: 0.3,
            visible: visible.clone(),
            causal,
            dropout,
        })
    })
}

/// The output and the gradients of all inputs; `recorded` takes the composed way back.
fn run(attend: &Attend, recorded: bool) -> Vec<Tensor<f64>> {
    let [q, k, v, cotangent] = draw();
    let tape = Tape::seeded(3);
    let inputs = [q, k, v].map(|x| tape.watch(&x));
    let [q, k, v] = &inputs;
    let output = attention(q, k, v, attend).unwrap();
    let constant = output.constant();
    let gradients = if recorded {
        tape.grad_with(&output, &cotangent, &[q, k, v]).unwrap()
    } else {
        let gradients: Gradients<f64> = tape.backward_with(&output, &cotangent).unwrap();
        let of = |x| gradients.of(x).unwrap().to_dense().unwrap();
        inputs.iter().map(of).collect()
    };
    std::iter::once(constant).chain(gradients).collect()
}

#[test]
fn the_fused_way_back_is_the_composed_one() {
    for attend in settings() {
        let (fused, composed) = (run(&attend, false), run(&attend, true));
        for (index, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
            let difference = fused.sub(composed).unwrap().abs().sum().item().unwrap();
            assert!(difference < 1e-9, "{index} {attend:?}: {difference}");
        }
    }
}

#[test]
fn without_a_tape_the_output_is_the_same() {
    for attend in settings().filter(|attend| attend.dropout == 0.0) {
        let [q, k, v, _] = draw();
        let output = attention(&q, &k, &v, &attend).unwrap();
        assert_eq!(output.to_vec(), run(&attend, false)[0].to_vec());
    }
}

#[test]
fn side_by_side_is_the_same_as_apart() {
    let mut rng = StdRng::seed_from_u64(1);
    let packed: Tensor<f64> = Tensor::uniform([2, 40, 3 * 4 * 5], -1.0, 1.0, &mut rng);
    let attend = Attend {
        scale: 0.5,
        visible: None,
        causal: Some(0),
        dropout: 0.1,
    };
    let gradient = |forward: &dyn Fn(&Tensor<f64>) -> Tensor<f64>| {
        let tape = Tape::seeded(1);
        let x = tape.watch(&packed);
        let loss = forward(&x).square().sum();
        let gradients = tape.backward(&loss).unwrap();
        gradients.of(&x).unwrap().to_dense().unwrap().to_vec()
    };
    let joined = gradient(&|x| self_attention(x, 4, &attend).unwrap());
    let apart = gradient(&|x| {
        let split = x.reshape([2, 40, 3, 4, 5]).unwrap();
        let split = split.permute(&[2, 0, 3, 1, 4]).unwrap();
        let part = |index| split.narrow(0, index, 1).unwrap().squeeze(0).unwrap();
        attention(&part(0), &part(1), &part(2), &attend).unwrap()
    });
    let pairs = joined.iter().zip(&apart);
    assert!(pairs.fold(0.0, |worst: f64, (x, y)| worst.max((x - y).abs())) < 1e-12);
}

#[test]
fn a_gradient_that_is_a_view_is_read_from_where_it_begins() {
    let mut rng = StdRng::seed_from_u64(1);
    let packed: Tensor<f64> = Tensor::uniform([2, 3, 3 * 4], -1.0, 1.0, &mut rng);
    let weights: Tensor<f64> = Tensor::uniform([4, 3, 4], -1.0, 1.0, &mut rng);
    let attend = settings().next().unwrap();
    let tape = Tape::new();
    let (x, y) = (tape.watch(&packed), tape.watch(&packed));
    let outputs = [&x, &y].map(|x| self_attention(x, 2, &attend).unwrap());
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
        let attend = Attend {
            scale: 0.2,
            visible: None,
            causal: Some(0),
            dropout: 0.1,
        };
        let tape = Tape::seeded(1);
        let x = tape.watch(&x);
        let output = self_attention(&x, 2, &attend).unwrap();
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
