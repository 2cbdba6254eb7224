//! Infinities and NaN: what each operation gives, and that the fused gradient and the composed one agree.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{
    CrossEntropyOptions, Nonlinearity, RecurrentConfig, Reduction, Rnn,
    cross_entropy_probabilities, cross_entropy_with,
};
use lexigrad_tensor::{
    Element, Ids, Norm, PoolOptions, Result, Tape, Tensor, max_pool1d, segment_max,
};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

/// The value of `f` at x, and its gradient under the cotangent 1, 2, 3, ..: by the fused kernels and by tensor operations.
fn differentiate<T: Element>(
    x: &Tensor<T>,
    f: impl Fn(&Tensor<T>) -> Result<Tensor<T>>,
) -> (Vec<T>, [Vec<T>; 2]) {
    let cotangent = |y: &Tensor<T>| {
        let numbers = (1..=y.elements()).map(|i| T::from_f64(i as f64));
        Tensor::from_slice(&numbers.collect::<Vec<T>>(), y.shape()).unwrap()
    };
    let tape = Tape::new();
    let leaf = tape.watch(x);
    let y = f(&leaf).unwrap();
    let gradients = tape.grad_with(&y, &cotangent(&y), &[&leaf]).unwrap();
    let composed = gradients[0].to_vec();
    let tape = Tape::new();
    let leaf = tape.watch(x);
    let y = f(&leaf).unwrap();
    let gradients = tape.backward_with(&y, &cotangent(&y)).unwrap();
    let fused = gradients.of(&leaf).unwrap().to_dense().unwrap().to_vec();
    (y.to_vec(), [fused, composed])
}

/// Rows whose elements are numbers, for the most part, infinities and NaN.
fn rows() -> impl Strategy<Value = Vec<Vec<f64>>> {
    let any = prop_oneof![
        4 => -3.0..3.0f64,
        4 => Just(f64::NEG_INFINITY),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NAN),
    ];
    let masked = prop_oneof![1 => -3.0..3.0f64, 5 => Just(f64::NEG_INFINITY)];
    (1..40usize).prop_flat_map(move |columns| {
        let row = prop_oneof![
            prop::collection::vec(any.clone(), columns),
            prop::collection::vec(masked.clone(), columns),
            Just(vec![f64::NEG_INFINITY; columns]),
        ];
        prop::collection::vec(row, 1..4)
    })
}

/// What a row is told by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// It holds NaN or +inf: no limit.
    Lost,
    /// It is -inf throughout: no distribution.
    Nothing,
    Finite,
}

fn kind(row: &[f64]) -> Kind {
    if row.iter().any(|&x| x.is_nan() || x == f64::INFINITY) {
        Kind::Lost
    } else if row.iter().all(|&x| x == f64::NEG_INFINITY) {
        Kind::Nothing
    } else {
        Kind::Finite
    }
}

/// Asserts that the numbers of a row of this kind are NaN, `nothing` or anything but NaN.
fn assert_row<T: Element>(name: &str, kind: Kind, nothing: f64, numbers: &[T]) {
    for number in numbers.iter().map(|number| number.as_f64()) {
        let right = match kind {
            Kind::Lost => number.is_nan(),
            Kind::Nothing => number == nothing,
            Kind::Finite => !number.is_nan(),
        };
        assert!(right, "{name} of a row {kind:?}: {number}");
    }
}

fn softmax_and_its_kin<T: Element>(rows: &[Vec<f64>], smoothing: f64) {
    let columns = rows[0].len();
    let numbers = rows.iter().flatten().map(|&x| T::from_f64(x));
    let x = Tensor::from(numbers.collect::<Vec<T>>());
    let x = x.reshape([rows.len(), columns]).unwrap();
    let targets = Ids::new(vec![columns as u32 - 1; rows.len()]).unwrap();
    let options = CrossEntropyOptions {
        label_smoothing: smoothing,
        reduction: Reduction::None,
        ..CrossEntropyOptions::default()
    };
    let infinite = f64::INFINITY;
    let check = |name, nothing, f: &dyn Fn(&Tensor<T>) -> Result<Tensor<T>>| {
        let (value, gradients) = differentiate(&x, f);
        let width = value.len() / rows.len();
        for (index, row) in rows.iter().enumerate() {
            let value = &value[index * width..][..width];
            if name == "logsumexp" && kind(row) == Kind::Lost {
                let is_nan = row.iter().any(|x| x.is_nan());
                assert!(value[0].is_nan() == is_nan && !value[0].is_finite());
            } else {
                assert_row(name, kind(row), nothing, value);
            }
            for gradient in &gradients {
                assert_row(
                    name,
                    kind(row),
                    0.0,
                    &gradient[index * columns..][..columns],
                );
            }
        }
    };
    check("softmax", 0.0, &|x| x.softmax(-1));
    check("log_softmax", -infinite, &|x| x.log_softmax(-1));
    check("logsumexp", -infinite, &|x| x.logsumexp(-1));
    check("cross_entropy", infinite, &|x| {
        cross_entropy_with(x, &targets, &options)
    });
    let likely = targets.one_hot(columns).unwrap();
    check("cross_entropy of probabilities", infinite, &|x| {
        cross_entropy_probabilities(x, &likely, &options)
    });
    // The first class does not count, unless it is the only one.
    let weight = (0..columns).map(|class| if class > 0 || columns == 1 { 1.0 } else { 0.0 });
    let weighted = CrossEntropyOptions {
        weight: Some(Tensor::from(weight.map(T::from_f64).collect::<Vec<T>>())),
        ..options.clone()
    };
    check("weighted cross_entropy", infinite, &|x| {
        cross_entropy_with(x, &targets, &weighted)
    });
}

/// Rows of three elements, the last of them NaN.
fn rows_with_nan() -> impl Strategy<Value = Vec<Vec<f64>>> {
    let first = prop_oneof![2 => -1.0..1.0f64, 1 => Just(f64::NAN)];
    let row = (first, -1.0..1.0f64).prop_map(|(first, second)| vec![first, second, f64::NAN]);
    prop::collection::vec(row, 1..40)
}

proptest! {
    #[test]
    fn a_row_of_minus_infinity_and_a_row_with_infinity_follow_one_rule(rows in rows(), smoothing in prop_oneof![Just(0.0), Just(0.25)]) {
        softmax_and_its_kin::<f64>(&rows, smoothing);
        softmax_and_its_kin::<f32>(&rows, smoothing);
    }

    #[test]
    fn the_gradient_of_an_extremum_goes_to_nan(rows in rows_with_nan()) {
        // Along the last axis, the first, and two that are apart.
        for rank in 0..3 {
            let x = Tensor::from(rows.iter().flatten().copied().collect::<Vec<f64>>());
            let (shape, axes): (Vec<usize>, &[isize]) = match rank {
                0 => (vec![rows.len(), 3], &[1]),
                1 => (vec![rows.len() * 3, 1], &[0]),
                _ => (vec![rows.len(), 1, 3], &[0, 2]),
            };
            let x = x.reshape(shape).unwrap();
            for minimum in [false, true] {
                let (value, gradients) = differentiate(&x, |x| if minimum { x.min_axes(axes) } else { x.max_axes(axes) });
                prop_assert!(value.iter().all(|y| y.is_nan()));
                let group = x.elements() / value.len();
                for gradient in gradients {
                    for (index, (x, gradients)) in x.to_vec().chunks(group).zip(gradient.chunks(group)).enumerate() {
                        let count = x.iter().filter(|x| x.is_nan()).count() as f64;
                        for (x, gradient) in x.iter().zip(gradients) {
                            let share = if x.is_nan() { (index + 1) as f64 / count } else { 0.0 };
                            prop_assert!((gradient - share).abs() < 1e-12, "{gradient} is not {share}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_nan_passes_its_gradient_on() {
    let nan = f32::NAN;
    let (x, y) = (
        Tensor::new([nan, 1.0, nan, 2.0]),
        Tensor::new([1.0, nan, nan, 2.0]),
    );
    for minimum in [false, true] {
        let f = |x: &Tensor, y: &Tensor| if minimum { x.minimum(y) } else { x.maximum(y) };
        let (value, first) = differentiate(&x, |x| f(x, &y));
        let (_, second) = differentiate(&y, |y| f(&x, y));
        assert!(value[..3].iter().all(|z| z.is_nan()) && value[3] == 2.0);
        assert_eq!(first, [[1.0, 0.0, 1.5, 2.0], [1.0, 0.0, 1.5, 2.0]]);
        assert_eq!(second, [[0.0, 2.0, 1.5, 2.0], [0.0, 2.0, 1.5, 2.0]]);
    }
    type Function = fn(&Tensor) -> Result<Tensor>;
    let alone: [Function; 7] = [
        |x| Ok(x.relu()),
        |x| Ok(x.leaky_relu(0.5)),
        |x| Ok(x.elu(1.0)),
        |x| x.clamp(-1.0, 1.0),
        |x| Ok(x.abs()),
        |x| x.norm(Norm::Infinity, &[-1]),
        |x| Ok(x.sort(0, false)?.0),
    ];
    for f in alone {
        let (value, gradients) = differentiate(&Tensor::new([nan]), f);
        assert!(value[0].is_nan() && gradients.iter().all(|gradient| gradient[0] != 0.0));
    }
    let x = Tensor::new([[[0.5, nan, 0.25, 0.75]]]);
    let (value, gradients) = differentiate(&x, |x| max_pool1d(x, &PoolOptions::new(2)));
    assert!(value[0].is_nan() && value[1] == 0.75);
    assert_eq!(gradients, [[0.0, 1.0, 0.0, 2.0], [0.0, 1.0, 0.0, 2.0]]);
    let x = Tensor::new([[0.5], [nan], [1.0]]);
    let (value, gradients) = differentiate(&x, |x| segment_max(x, &Ids::new([0, 0, 0])?, 1));
    assert!(value[0].is_nan());
    assert_eq!(gradients, [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]);
}

/// An RNN whose nonlinearity is relu runs on a kernel of its own.
#[test]
fn a_nan_passes_its_gradient_through_a_relu_rnn() {
    let rng = &mut StdRng::seed_from_u64(1);
    let rnn: Rnn = RecurrentConfig::new(1, 1)
        .rnn(Nonlinearity::Relu, rng)
        .unwrap();
    let (value, gradients) = differentiate(&Tensor::new([[[f32::NAN]]]), |x| Ok(rnn.forward(x)?.0));
    assert!(value[0].is_nan() && gradients.iter().all(|gradient| gradient[0] != 0.0));
}

/// A deviation or norm of 0 has a gradient of 0 at the first and second order.
#[test]
fn what_does_not_vary_has_no_gradient() {
    type Function = fn(&Tensor<f64>) -> Result<Tensor<f64>>;
    let functions: [Function; 4] = [
        |x| x.std_axes(&[-1], 0),
        |x| x.std_axes(&[-1], 1),
        |x| x.std_keep(&[0, 1], 1),
        |x| x.sub(&x.detach())?.norm(Norm::L2, &[-1]),
    ];
    for f in functions {
        let tape = Tape::new();
        let x = tape.watch(&Tensor::new([[3.0, 3.0, 3.0]]));
        let y = f(&x).unwrap();
        assert_eq!(y.sum().item().unwrap(), 0.0);
        let first = tape.grad(&y.sum(), &[&x]).unwrap().remove(0);
        assert_eq!(first.to_vec(), [0.0; 3]);
        let second = tape.grad(&first.sum(), &[&x]).unwrap().remove(0);
        assert_eq!(second.to_vec(), [0.0; 3]);
    }
}
