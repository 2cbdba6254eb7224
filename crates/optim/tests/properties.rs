//! What holds of every optimizer: sparse equals dense restricted to rows, and a refused step changes nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use lexigrad_optim::{
    AdamW, Build, Rule, Sgd, SparseAdam, clip_grad_norm, clip_grad_norm_with, clip_grad_value,
};
use lexigrad_tensor::{Element, Grad, Module, Param, Tape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{WithRule, dense, every_rule, of, sparse, table};

const ROWS: usize = 5;
const DIM: usize = 2;

/// For each step the ids looked up, and a gradient for each.
type Steps = Vec<(Vec<u32>, Vec<f64>)>;

fn steps() -> impl Strategy<Value = Steps> {
    let step = vec(0..ROWS as u32, 0..6).prop_flat_map(|ids| {
        let values = vec(-2.0..2.0, ids.len() * DIM);
        (Just(ids), values)
    });
    vec(step, 1..6)
}

fn values<T: Element>(table: &Param<T>) -> Vec<T> {
    table.value().to_vec()
}

fn assert_close(one: &[f64], other: &[f64], what: &dyn std::fmt::Debug) {
    let close = |(x, y): (&f64, &f64)| (x - y).abs() < 1e-12;
    assert!(
        one.iter().zip(other).all(close),
        "{what:?}: {one:?} {other:?}"
    );
}

/// Trains a table by the gradients that `form` makes of each step's.
fn train<R: Rule<f64>>(rule: &R, steps: &Steps, form: impl Fn(Grad<f64>) -> Grad<f64>) -> Vec<f64> {
    let table = table(ROWS, DIM);
    let mut optimizer = rule.clone().build(&table);
    for (ids, values) in steps {
        let gradient = form(sparse(&table, ids, values));
        optimizer.step(&of(&table, gradient)).unwrap();
    }
    values(&table)
}

/// Each step on every row once at least, so that no row is left behind by a sparse step: then it is the dense one.
struct SparseIsDense<'a>(&'a Steps);

impl WithRule<f64> for SparseIsDense<'_> {
    fn run<R: Rule<f64> + std::fmt::Debug>(&mut self, rule: R) {
        let all = |(ids, values): &(Vec<u32>, Vec<f64>)| {
            let ids = ids.iter().copied().chain(0..ROWS as u32).collect();
            let more = (0..ROWS * DIM).map(|i| (i as f64).cos());
            (ids, values.iter().copied().chain(more).collect())
        };
        let steps: Steps = self.0.iter().map(all).collect();
        let by_rows = train(&rule, &steps, |gradient| gradient);
        assert_close(&by_rows, &train(&rule, &steps, |g| dense(&g)), &rule);
    }
}

/// The same bits whether or not the gradient was coalesced before, and again; rows in another order move the same.
struct FormsAgree<'a>(&'a Steps);

impl WithRule<f64> for FormsAgree<'_> {
    fn run<R: Rule<f64> + std::fmt::Debug>(&mut self, rule: R) {
        let first = train(&rule, self.0, |gradient| gradient);
        assert_eq!(train(&rule, self.0, |gradient| gradient), first);
        assert_eq!(train(&rule, self.0, |gradient| gradient.coalesce()), first);
        let reversed = |(ids, values): &(Vec<u32>, Vec<f64>)| {
            let rows = values.chunks(DIM).rev();
            (
                ids.iter().rev().copied().collect(),
                rows.flatten().copied().collect(),
            )
        };
        let steps: Steps = self.0.iter().map(reversed).collect();
        assert_close(&train(&rule, &steps, |gradient| gradient), &first, &rule);
    }
}

/// Rows without a gradient stand still.
struct OthersStandStill<'a>(&'a Steps);

impl WithRule<f64> for OthersStandStill<'_> {
    fn run<R: Rule<f64> + std::fmt::Debug>(&mut self, rule: R) {
        let before = values(&table::<f64>(ROWS, DIM));
        let after = train(&rule, self.0, |gradient| gradient);
        let touched = |row: usize| self.0.iter().any(|(ids, _)| ids.contains(&(row as u32)));
        for row in (0..ROWS).filter(|&row| !touched(row)) {
            assert_eq!(
                after[row * DIM..][..DIM],
                before[row * DIM..][..DIM],
                "{rule:?}"
            );
        }
    }
}

/// The fixed row does not move by gradient, momentum or decay; the others do.
struct FixedRowStays;

impl WithRule<f64> for FixedRowStays {
    fn run<R: Rule<f64> + std::fmt::Debug>(&mut self, rule: R) {
        let table = table::<f64>(ROWS, DIM).with_fixed_row(2).unwrap();
        let before = values(&table);
        let mut optimizer = rule.clone().build(&table);
        let gradient = sparse(&table, &[1, 2], &[1.0; 4]);
        optimizer.step(&of(&table, dense(&gradient))).unwrap();
        optimizer.step(&of(&table, gradient)).unwrap();
        let after = values(&table);
        assert_eq!(after[4..6], before[4..6], "{rule:?}");
        assert_ne!(after[2..4], before[2..4], "{rule:?}");
    }
}

/// A step that is refused leaves no trace: the next one is as if it had not been.
struct RefusedStepsLeaveNoTrace;

impl WithRule<f64> for RefusedStepsLeaveNoTrace {
    fn run<R: Rule<f64> + std::fmt::Debug>(&mut self, rule: R) {
        let step = |table: &Param<f64>| of(table, sparse(table, &[1, 3], &[0.5, -1.0, 2.0, 0.1]));
        let (plain, tried) = (table(ROWS, DIM), table(ROWS, DIM));
        let mut unspoilt = rule.clone().build(&plain);
        let mut spoilt = rule.clone().build(&tried);
        unspoilt.step(&step(&plain)).unwrap();
        spoilt.step(&step(&tried)).unwrap();
        let before = values(&tried);
        let misshapen = of(&tried, Grad::Dense(Tensor::ones([ROWS, DIM + 1])));
        let text = spoilt.step(&misshapen).unwrap_err().to_string();
        assert!(
            text.ends_with("has shape [5, 3]; its parameter has shape [5, 2]"),
            "{text}"
        );
        let mut not_finite = of(&tried, sparse(&tried, &[1], &[f64::NAN, 1.0]));
        assert!(clip_grad_norm(&mut not_finite, 1.0).is_err());
        assert_eq!(values(&tried), before);
        unspoilt.step(&step(&plain)).unwrap();
        spoilt.step(&step(&tried)).unwrap();
        assert_eq!(values(&tried), values(&plain), "{rule:?}");
        assert_eq!(spoilt.steps(), 2);
    }
}

proptest! {
    #[test]
    fn sparse_is_dense_by_rows(steps in steps(), decay in 0.0..0.2) {
        every_rule(0.1, decay, &mut SparseIsDense(&steps));
    }

    #[test]
    fn the_form_of_a_gradient_does_not_matter(steps in steps(), decay in 0.0..0.2) {
        every_rule(0.1, decay, &mut FormsAgree(&steps));
    }

    #[test]
    fn a_step_touches_the_rows_of_its_gradient_alone(steps in steps(), decay in 0.0..0.2) {
        every_rule(0.1, decay, &mut OthersStandStill(&steps));
        OthersStandStill(&steps).run(SparseAdam::new(0.1));
    }

    #[test]
    fn clipping_is_the_same_for_sparse_and_dense(steps in steps(), limit in 0.1..3.0f64, p in 1.0..4.0f64) {
        let table = table::<f64>(ROWS, DIM);
        let gradient = sparse(&table, &steps[0].0, &steps[0].1);
        let both = || (of(&table, gradient.clone()), of(&table, dense(&gradient)));
        let (mut sparse, mut whole) = both();
        let norm = clip_grad_norm_with(&mut sparse, limit, p).unwrap();
        let dense_norm = clip_grad_norm_with(&mut whole, limit, p).unwrap();
        prop_assert!((norm - dense_norm).abs() < 1e-9);
        let clipped = sparse.dense(&table).unwrap().unwrap();
        let total = clipped.to_vec().iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p);
        prop_assert!(total <= limit + 1e-9);

        let (mut sparse, mut whole) = both();
        let largest = clip_grad_value(&mut sparse, limit).unwrap();
        prop_assert!((largest - clip_grad_value(&mut whole, limit).unwrap()).abs() < 1e-12);
        let (sparse, whole) = (sparse.dense(&table).unwrap(), whole.dense(&table).unwrap());
        let (sparse, whole) = (sparse.unwrap().to_vec(), whole.unwrap().to_vec());
        assert_close(&sparse, &whole, &limit);
        prop_assert!(sparse.iter().all(|x| x.abs() <= limit));
    }
}

#[test]
fn the_padding_row_never_moves() {
    every_rule(0.1, 0.5, &mut FixedRowStays);
}

#[test]
fn a_step_after_a_refused_one_works() {
    every_rule(0.1, 0.1, &mut RefusedStepsLeaveNoTrace);
}

#[test]
fn an_empty_gradient_counts_as_a_step_and_none_does_not() {
    let (table, unused) = (table::<f64>(ROWS, DIM), table::<f64>(ROWS, DIM));
    let model = vec![table.clone(), unused];
    let mut optimizer = SparseAdam::new(0.1).build(&model);
    let before = values(&table);
    optimizer
        .step(&of(&table, sparse(&table, &[], &[])))
        .unwrap();
    assert_eq!(values(&table), before);
    let mut counts = Vec::new();
    let mut see = |path: &str, entry: lexigrad_tensor::Entry<'_, f64>| {
        if let (true, lexigrad_tensor::Entry::Buffer(count)) = (path.ends_with("steps"), entry) {
            counts.push((path.to_owned(), count.value().to_vec()[0]));
        }
    };
    optimizer.visit(&mut lexigrad_tensor::Visitor::new(&mut see));
    let expected = [
        ("v1.sparse_adam.steps", 1.0),
        ("v1.sparse_adam.parameters.0.steps", 1.0),
        ("v1.sparse_adam.parameters.1.steps", 0.0),
    ];
    assert_eq!(
        counts,
        expected.map(|(path, count)| (path.to_owned(), count))
    );
}

#[test]
fn a_frozen_parameter_gets_no_gradient_and_stands_still() {
    let (frozen, trained) = (table::<f64>(ROWS, DIM), table::<f64>(ROWS, DIM));
    frozen.set_requires_grad(false);
    let model = vec![frozen.clone(), trained.clone()];
    let mut optimizer = Sgd::new(0.1).build(&model);
    let before = values(&frozen);
    let tape = Tape::new();
    let loss = frozen.value().mul(&trained.value()).unwrap().sum();
    let grads = tape.backward(&loss).unwrap();
    assert!(grads.get(&frozen).is_none() && grads.missing(&model).is_empty());
    optimizer.step(&grads).unwrap();
    assert_eq!(values(&frozen), before);
    assert_ne!(values(&trained), before);
}

#[test]
fn errors_name_the_option_its_value_and_the_rule() {
    let table = table::<f64>(ROWS, DIM);
    let step = of(&table, sparse(&table, &[1], &[1.0, f64::NAN]));
    let refused = |rule: Sgd, text: &str| {
        let error = rule.builder().build(&table).unwrap_err();
        assert_eq!(error.to_string(), text);
    };
    refused(
        Sgd::new(-1.0),
        "sgd: the learning rate is -1; it must be finite and not negative",
    );
    refused(
        Sgd {
            momentum: f64::NAN,
            ..Sgd::new(0.1)
        },
        "sgd: momentum is NaN; it must be finite and not negative",
    );
    refused(
        Sgd {
            nesterov: true,
            ..Sgd::new(0.1)
        },
        "sgd: nesterov with momentum 0 and dampening 0; it needs a momentum and no dampening",
    );
    let before = values(&table);
    let mut optimizer = Sgd::new(0.1).build(&table);
    optimizer.set_learning_rate(-1.0);
    assert_eq!(
        optimizer.step(&step).unwrap_err().to_string(),
        "sgd: the learning rate is -1; it must be finite and not negative"
    );
    assert_eq!(values(&table), before);
    let error = clip_grad_norm(&mut step.clone(), 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "clip_grad_norm: the norm of the gradients is NaN; it must be finite"
    );
    let error = clip_grad_value(&mut step.clone(), 1.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "clip_grad_value: the largest gradient is NaN; it must be finite"
    );
    let error = AdamW {
        betas: (0.9, 1.0),
        ..AdamW::default()
    }
    .builder()
    .build(&table)
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "adamw: beta2 is 1; it must be from 0 to below 1"
    );
}
