//! What is frozen and thawed again moves, and options out of their range are refused when the optimizer is made.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lexigrad_optim::{Adam, Average, Build, Optimizer, RmsProp, Rule, Sgd, SparseAdam, SparseMode};
use lexigrad_tensor::{Element, Entry, Grad, Gradients, Module, Param, Tape, Tensor, Visitor};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{WithRule, every_rule, pull, table};

const ROWS: usize = 6;

/// For each step the ids looked up, where to, and whether the gradient is dense.
type Steps = Vec<(Vec<u32>, f64, bool)>;

fn steps() -> impl Strategy<Value = Steps> {
    vec(
        (vec(0..ROWS as u32, 1..4), -1.0..1.0f64, any::<bool>()),
        1..8,
    )
}

/// A parameter that was frozen for some steps moves as one does whose optimizer is new.
struct Thaws<'a>(&'a Steps);

impl<T: Element> WithRule<T> for Thaws<'_> {
    fn run<R: Rule<T> + Debug>(&mut self, rule: R) {
        for mode in [SparseMode::Lazy, SparseMode::Exact] {
            for by_builder in [true, false] {
                self.thaws(&rule, mode, by_builder);
            }
        }
    }
}

impl Thaws<'_> {
    fn thaws<T: Element, R: Rule<T> + Debug>(&self, rule: &R, mode: SparseMode, by_builder: bool) {
        let model = [table::<T>(ROWS, 2), table(ROWS, 2)];
        let fresh = table::<T>(ROWS, 2);
        let builder = || rule.clone().builder().sparse_mode(mode);
        let mut optimizer = if by_builder {
            builder().freeze("0").build(&model).unwrap()
        } else {
            model[0].set_requires_grad(false);
            builder().build(&model).unwrap()
        };
        for (ids, target, dense) in self.0 {
            optimizer
                .step(&pull(&model[1], ids, *target, *dense))
                .unwrap();
        }
        assert_eq!(
            model[0].value().to_vec(),
            fresh.value().to_vec(),
            "{rule:?}"
        );
        model[0].set_requires_grad(true);
        let mut newer = builder().build(&fresh).unwrap();
        for (ids, target, dense) in self.0 {
            optimizer
                .step(&pull(&model[0], ids, *target, *dense))
                .unwrap();
            newer.step(&pull(&fresh, ids, *target, *dense)).unwrap();
        }
        assert_eq!(
            model[0].value().to_vec(),
            fresh.value().to_vec(),
            "{rule:?}"
        );
        assert_ne!(
            model[0].value().to_vec(),
            table::<T>(ROWS, 2).value().to_vec(),
            "{rule:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_thawed_parameter_moves_as_with_a_new_optimizer(steps in steps(), decay in 0.0..0.1f64) {
        every_rule::<f32>(0.1, decay, &mut Thaws(&steps));
    }

    /// The average of a parameter that is thawed late is the one of every step: as long as it was frozen, it was its own average.
    #[test]
    fn the_average_of_a_thawed_parameter_is_that_of_all_steps(
        frozen in steps(),
        thawed in steps(),
        looks in vec(any::<bool>(), 16),
    ) {
        let model = [table::<f64>(ROWS, 2), table(ROWS, 2)];
        let mut optimizer = Adam::new(0.1).builder().freeze("0").build(&model).unwrap();
        let mut average = Average::new(&model, 0.7).unwrap();
        let mut expected = model[0].value().to_vec();
        for (ids, target, dense) in frozen {
            average.step(&mut optimizer, &pull(&model[1], &ids, target, dense)).unwrap();
        }
        model[0].set_requires_grad(true);
        for ((ids, target, dense), look) in thawed.into_iter().zip(looks) {
            average.step(&mut optimizer, &pull(&model[0], &ids, target, dense)).unwrap();
            let now = model[0].value().to_vec();
            expected.iter_mut().zip(now).for_each(|(a, w)| *a = 0.7 * *a + 0.3 * w);
            if look {
                average.value(&model[1]).unwrap();
                average.value(&model[0]).unwrap();
            }
        }
        let found = average.value(&model[0]).unwrap().to_vec();
        let is_close = |(x, y): (&f64, &f64)| (x - y).abs() < 1e-12;
        prop_assert!(found.iter().zip(&expected).all(is_close), "{:?} {:?}", found, expected);
    }
}

/// How many numbers the optimizer remembers of each parameter.
fn remembered<R: Rule<f32>>(optimizer: &Optimizer<R>) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut see = |path: &str, entry: Entry<'_>| {
        if let (true, Entry::Buffer(state)) = (path.ends_with("state"), entry) {
            sizes.push(state.value().elements());
        }
    };
    optimizer.visit(&mut Visitor::new(&mut see));
    sizes
}

#[test]
fn nothing_is_remembered_of_what_is_frozen_until_it_moves() {
    let model = [table::<f32>(4, 2), table(4, 2)];
    let mut optimizer = Adam::new(0.1).builder().freeze("0").build(&model).unwrap();
    assert_eq!(remembered(&optimizer), [0, 16]);
    model[0].set_requires_grad(true);
    optimizer.step(&pull(&model[1], &[1], 0.5, false)).unwrap();
    assert_eq!(remembered(&optimizer), [0, 16]);
    optimizer.step(&pull(&model[0], &[1], 0.5, false)).unwrap();
    assert_eq!(remembered(&optimizer), [16, 16]);
}

#[test]
fn a_frozen_table_grows_and_is_thawed() {
    let model = [table::<f32>(4, 2)];
    let mut optimizer = Adam::new(0.1).builder().freeze("*").build(&model).unwrap();
    model[0].append_rows(&Tensor::ones([2, 2])).unwrap();
    optimizer.step(&Gradients::default()).unwrap();
    model[0].set_requires_grad(true);
    optimizer.step(&pull(&model[0], &[5], 0.5, false)).unwrap();
    assert_eq!(remembered(&optimizer), [24]);
    assert!(model[0].value().to_vec()[10] < 1.0);
}

#[test]
fn a_thawed_parameter_moves_by_the_group_that_it_fits() {
    let model = [(); 3].map(|()| Param::<f32>::new(Tensor::ones([1])));
    let builder = Sgd::new(0.5).builder().freeze("0").freeze("1");
    let builder = builder
        .group("1", Sgd::new(0.25))
        .group("2", Sgd::new(0.125))
        .freeze("2");
    let mut optimizer = builder.build(&model).unwrap();
    assert_eq!(
        model.each_ref().map(Param::requires_grad),
        [false, false, true]
    );
    model.iter().for_each(|param| param.set_requires_grad(true));
    let tape = Tape::new();
    let loss = model.iter().map(|param| param.value().sum());
    let loss = loss.reduce(|sum, one| sum.add(&one).unwrap()).unwrap();
    optimizer.step(&tape.backward(&loss).unwrap()).unwrap();
    assert_eq!(
        model.each_ref().map(|param| param.value().to_vec()[0]),
        [0.5, 0.75, 0.875]
    );
}

/// The text of a panic of `build`, which is that of the builder's error.
fn refusal<R: Rule<f32> + Debug>(rule: R) -> String {
    let model = [Param::new(Tensor::zeros([2]))];
    let error = rule
        .clone()
        .builder()
        .build(&model)
        .unwrap_err()
        .to_string();
    let panics = catch_unwind(AssertUnwindSafe(|| rule.clone().build(&model)));
    let text = *panics.err().unwrap().downcast::<String>().unwrap();
    assert_eq!(text, error);
    let grouped = rule.clone().builder().group("0", rule).build(&model);
    assert_eq!(grouped.unwrap_err().to_string(), error);
    text
}

#[test]
fn options_out_of_their_range_are_refused_when_the_optimizer_is_made() {
    let momentum = |momentum: f64| Sgd {
        momentum,
        ..Sgd::new(0.1)
    };
    assert_eq!(
        refusal(momentum(-1.0)),
        "sgd: momentum is -1; it must be finite and not negative"
    );
    assert_eq!(
        refusal(Sgd::new(f64::NAN)),
        "sgd: the learning rate is NaN; it must be finite and not negative"
    );
    assert_eq!(
        refusal(Adam {
            betas: (0.9, 1.0),
            ..Adam::new(0.1)
        }),
        "adam: beta2 is 1; it must be from 0 to below 1"
    );
    refusal(Adam::new(-1.0));
    refusal(RmsProp {
        eps: f64::INFINITY,
        ..RmsProp::new(0.1)
    });
    let exact = SparseAdam::new(0.1)
        .builder()
        .sparse_mode(SparseMode::Exact);
    assert_eq!(
        exact.build(&table::<f32>(3, 2)).unwrap_err().to_string(),
        "sparse_adam: it is lazy by definition; use Adam for the exact mode"
    );
}

#[test]
fn a_gradient_given_by_hand_moves_a_frozen_parameter() {
    let param = Param::<f32>::new(Tensor::ones([1]));
    param.set_requires_grad(false);
    let mut optimizer = Sgd::new(0.5).build(&param);
    let gradient = Grad::Dense(Tensor::ones([1]));
    optimizer
        .step(&[(&param, gradient)].into_iter().collect())
        .unwrap();
    assert_eq!(param.value().to_vec(), [0.5]);
}
