//! Groups of parameters, frozen ones, micro-batches, and the average of the weights.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use lexigrad_optim::schedule::Exponential;
use lexigrad_optim::{Adam, Average, Build, Optimizer, Sgd, SparseMode};
use lexigrad_tensor::{Element, Grad, Gradients, Param, Tape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{of, pull, table};

fn ones(params: &[Param]) -> Gradients {
    let ones = |param: &Param| Grad::Dense(Tensor::ones(param.shape()));
    params.iter().map(|param| (param, ones(param))).collect()
}

fn first(param: &Param) -> f32 {
    param.value().to_vec()[0]
}

#[test]
fn each_group_has_its_rate_and_decay_and_schedules_change_them_all() {
    let model = vec![vec![
        Param::new(Tensor::ones([2])),
        Param::new(Tensor::ones([2])),
    ]];
    let mut optimizer = Sgd::new(0.5)
        .builder()
        .group(
            "0.1",
            Sgd {
                weight_decay: 1.0,
                ..Sgd::new(0.25)
            },
        )
        .group("*", Sgd::new(0.125))
        .build(&model)
        .unwrap();
    optimizer.step(&ones(&model[0])).unwrap();
    assert_eq!((first(&model[0][0]), first(&model[0][1])), (0.875, 0.5));
    optimizer.follow(&Exponential { factor: 0.5 });
    assert_eq!(optimizer.learning_rate(), 0.25);
    optimizer.step(&ones(&model[0])).unwrap();
    assert_eq!((first(&model[0][0]), first(&model[0][1])), (0.8125, 0.3125));
}

#[test]
fn a_frozen_group_gets_no_gradient() {
    let model = vec![table::<f32>(4, 2), table(4, 2)];
    let _optimizer: Optimizer<Adam> = Adam::new(0.1).builder().freeze("0").build(&model).unwrap();
    let tape = Tape::new();
    let loss = model[0].value().mul(&model[1].value()).unwrap().sum();
    let grads = tape.backward(&loss).unwrap();
    assert!(grads.get(&model[0]).is_none() && grads.get(&model[1]).is_some());
}

#[test]
fn a_pattern_that_fits_nothing_freezes_nothing() {
    let model = vec![table::<f32>(4, 2)];
    let builder = Sgd::new(0.1)
        .builder()
        .freeze("0")
        .group("*.bias", Sgd::new(1.0));
    let error = builder.build(&model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sgd: no parameter fits *.bias; the model has 0"
    );
    assert!(model[0].requires_grad());
}

/// Two halves of a batch, their gradients merged, are the batch; sparse ones stay sparse.
#[test]
fn micro_batches_are_the_batch() {
    for mode in [SparseMode::Lazy, SparseMode::Exact] {
        let tables = [(); 2].map(|()| table::<f64>(6, 2));
        let [mut whole, mut halves] = [0, 1].map(|i: usize| {
            Adam::new(0.1)
                .builder()
                .sparse_mode(mode)
                .build(&tables[i])
                .unwrap()
        });
        for ids in [[0_u32, 3, 3, 5], [1, 0, 3, 1], [2, 2, 2, 5]] {
            whole.step(&pull(&tables[0], &ids, 0.5, false)).unwrap();
            let mut grads = pull(&tables[1], &ids[..2], 0.5, false);
            grads
                .merge(pull(&tables[1], &ids[2..], 0.5, false))
                .unwrap();
            assert!(grads.get(&tables[1]).unwrap().as_row_sparse().is_some());
            halves.step(&grads).unwrap();
        }
        let [one, other] = tables.map(|table| table.value().to_vec());
        assert!(one.iter().zip(&other).all(|(x, y)| (x - y).abs() < 1e-13));
    }
}

proptest! {
    /// The average of rows that are brought up to date late is that of whole tables, whatever is read in between.
    #[test]
    fn the_sparse_average_is_the_average(
        steps in vec((vec(0..6_u32, 0..4), -1.0..1.0f64, any::<bool>(), 0..10), 1..60),
        decay in 0.0..0.999f64,
    ) {
        let table = table::<f64>(6, 2);
        let mut optimizer = Adam::new(0.1).build(&table);
        let mut average = Average::new(&table, decay).unwrap();
        let mut expected = Vec::new();
        for (ids, target, dense, look) in steps {
            average.step(&mut optimizer, &pull(&table, &ids, target, dense)).unwrap();
            let now = table.value().to_vec();
            let mixed = |(a, w): (f64, f64)| decay * a + (1.0 - decay) * w;
            expected = if expected.is_empty() {
                now
            } else {
                expected.into_iter().zip(now).map(mixed).collect()
            };
            if look == 0 {
                assert_close(&average.value(&table).unwrap(), &expected);
            }
        }
        let trained = table.value().to_vec();
        average.exchange().unwrap();
        assert_close(&table.value(), &expected);
        average.exchange().unwrap();
        prop_assert_eq!(table.value().to_vec(), trained);
    }
}

fn assert_close<T: Element>(found: &Tensor<T>, expected: &[T]) {
    let pairs = found.to_vec().into_iter().zip(expected);
    pairs.for_each(|(x, y)| assert!((x.as_f64() - y.as_f64()).abs() < 1e-12, "{x} {y}"));
}

#[test]
fn a_refused_step_leaves_the_average() {
    let table = table::<f32>(3, 2);
    let mut optimizer = Sgd::new(0.1).build(&table);
    let mut average = Average::new(&table, 0.5).unwrap();
    let before = average.value(&table).unwrap().to_vec();
    let misshapen = of(&table, Grad::Dense(Tensor::ones([3])));
    let error = average.step(&mut optimizer, &misshapen).unwrap_err();
    assert_eq!(
        error.to_string(),
        "average: the gradient has shape [3]; its parameter has shape [3, 2]"
    );
    optimizer.set_learning_rate(f64::NAN);
    assert!(average.step(&mut optimizer, &Gradients::default()).is_err());
    assert_eq!(average.value(&table).unwrap().to_vec(), before);
    let error = Average::new(&table, 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "average: decay is 1; it must be from 0 to below 1"
    );
}
