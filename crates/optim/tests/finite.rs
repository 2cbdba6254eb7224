//! A gradient that is not finite is refused before anything moves, and told by its parameter and place.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use lexigrad_optim::{
    Adam, Average, Build, Optimizer, Rule, Sgd, SparseAdam, SparseMode, clip_grad_norm,
};
use lexigrad_tensor::{Entry, Grad, Gradients, Module, Param, Tape, Tensor, Visitor};
use proptest::prelude::*;
use proptest::sample::select;
use support::{WithRule, dense, every_rule, of, sparse, table};

const ROWS: u32 = 5;

/// Where the number stands that is not finite, and what it is.
#[derive(Clone, Debug)]
struct Fault {
    /// In the vector, or else in the table.
    in_vector: bool,
    row: u32,
    column: usize,
    value: f64,
    by_rows: bool,
    mode: SparseMode,
    clips: bool,
}

fn faults() -> impl Strategy<Value = Fault> {
    let values = select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let forms = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (0..ROWS, 0..2_usize, values, forms).prop_map(|(row, column, value, forms)| Fault {
        in_vector: forms.0,
        row,
        column,
        value,
        by_rows: forms.1,
        mode: if forms.2 {
            SparseMode::Exact
        } else {
            SparseMode::Lazy
        },
        clips: forms.3,
    })
}

/// A table and a vector, each in a group of its own.
struct Training<R: Rule<f64>> {
    model: Vec<Param<f64>>,
    optimizer: Optimizer<R, f64>,
}

impl<R: Rule<f64>> Training<R> {
    fn new(rule: &R, mode: SparseMode) -> Self {
        let vector = Param::new(Tensor::new([0.5, -0.25]));
        let model = vec![table(ROWS as usize, 2), vector];
        let builder = rule.clone().builder().group("1", rule.clone());
        let builder = builder.sparse_mode(mode).check_finite();
        let optimizer = builder.build(&model).unwrap();
        Self { model, optimizer }
    }

    /// The gradients of a step; every row of the table has entries, row 1 several.
    fn gradients(&self, step: f64, by_rows: bool, fault: Option<&Fault>) -> Gradients<f64> {
        let ids: Vec<u32> = (0..ROWS).chain([1, 1]).collect();
        let mut values: Vec<f64> = (0..ids.len() * 2)
            .map(|i| (i as f64 + step).sin())
            .collect();
        let mut vector = [0.25, step];
        match fault {
            Some(fault) if fault.in_vector => vector[fault.column] = fault.value,
            Some(fault) => values[fault.row as usize * 2 + fault.column] = fault.value,
            None => {}
        }
        let gradient = sparse(&self.model[0], &ids, &values);
        let gradient = if by_rows { gradient } else { dense(&gradient) };
        let pairs = [
            (&self.model[0], gradient),
            (&self.model[1], Grad::Dense(Tensor::new(vector))),
        ];
        pairs.into_iter().collect()
    }

    fn step(&mut self, step: f64, fault: &Fault) {
        let mut gradients = self.gradients(step, fault.by_rows, None);
        if fault.clips {
            clip_grad_norm(&mut gradients, 0.5).unwrap();
        }
        self.optimizer.step(&gradients).unwrap();
    }

    /// The bits of weights, state, step counts and rates.
    fn bits(&self) -> Vec<u64> {
        let mut bits = Vec::new();
        let mut see = |_: &str, entry: Entry<'_, f64>| {
            let value = match entry {
                Entry::Param(param) => param.value(),
                Entry::Buffer(buffer) => buffer.value(),
            };
            bits.extend(value.to_vec().into_iter().map(f64::to_bits));
        };
        self.model.visit(&mut Visitor::new(&mut see));
        self.optimizer.visit(&mut Visitor::new(&mut see));
        bits
    }
}

struct RefusedWithoutATrace<'a>(&'a Fault);

impl WithRule<f64> for RefusedWithoutATrace<'_> {
    fn run<R: Rule<f64> + std::fmt::Debug>(&mut self, rule: R) {
        let fault = self.0;
        let [mut plain, mut tried] = [(); 2].map(|()| Training::new(&rule, fault.mode));
        for training in [&mut plain, &mut tried] {
            training.step(1.0, fault);
            training.step(2.0, fault);
        }
        let mut gradients = tried.gradients(3.0, fault.by_rows, Some(fault));
        if fault.clips {
            assert!(clip_grad_norm(&mut gradients, 0.5).is_err());
        }
        let text = tried.optimizer.step(&gradients).unwrap_err().to_string();
        let place = match fault.in_vector {
            true => format!(
                "the gradient of 1 holds {} at [{}]",
                fault.value, fault.column
            ),
            false => format!(
                "the gradient of 0 holds {} at [{}, {}]",
                fault.value, fault.row, fault.column
            ),
        };
        assert_eq!(text, format!("{}: {place}; it must be finite", R::NAME));
        assert_eq!(tried.bits(), plain.bits(), "{rule:?}");
        plain.step(4.0, fault);
        tried.step(4.0, fault);
        assert_eq!(tried.bits(), plain.bits(), "{rule:?}");
        assert_eq!(tried.optimizer.steps(), 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_rule_refuses_what_is_not_finite(fault in faults()) {
        every_rule(0.1, 0.1, &mut RefusedWithoutATrace(&fault));
        let lazy = Fault { by_rows: true, mode: SparseMode::Lazy, in_vector: false, ..fault };
        let table = table::<f64>(ROWS as usize, 2);
        let mut optimizer = SparseAdam::new(0.1).builder().check_finite().build(&table).unwrap();
        let values = [1.0, lazy.value];
        prop_assert!(optimizer.step(&of(&table, sparse(&table, &[lazy.row], &values))).is_err());
        prop_assert!(table.value().to_vec().iter().all(|x| x.is_finite()));
    }
}

/// What counts is the sum of a row's entries.
#[test]
fn entries_that_add_up_to_an_infinity_are_refused() {
    let table = table::<f32>(9, 1);
    let mut optimizer = Sgd::new(1e-3)
        .builder()
        .check_finite()
        .build(&table)
        .unwrap();
    let mut step =
        |ids: &[u32], values: &[f64]| optimizer.step(&of(&table, sparse(&table, ids, values)));
    let error = step(&[2, 7, 7], &[1.0, 3e38, 3e38]).unwrap_err();
    let text = "sgd: the gradient holds inf at [7, 0]; it must be finite";
    assert_eq!(error.to_string(), text);
    step(&[2, 7, 7], &[3e38, 3e38, -3e38]).unwrap();
    step(&[], &[]).unwrap();
    assert!(table.value().to_vec().iter().all(|x| x.is_finite()));
}

/// `Σ √w`, whose slope at 0 is infinite.
fn slopes(weight: &Param, tape: Tape) -> Gradients {
    tape.backward(&weight.value().sqrt().sum()).unwrap()
}

#[test]
fn gradients_that_a_tape_looked_at_are_known() {
    let (flat, steep): (Param, Param) = (
        Param::new(Tensor::new([1.0, 4.0])),
        Param::new(Tensor::new([0.0, 4.0])),
    );
    assert!(!slopes(&flat, Tape::new()).are_known_to_be_finite());
    assert!(!slopes(&steep, Tape::new().inspect_gradients()).are_known_to_be_finite());
    let known = slopes(&flat, Tape::new().inspect_gradients());
    assert!(known.are_known_to_be_finite());
    let mut merged = known.clone();
    merged.merge(known.clone()).unwrap();
    assert!(!merged.are_known_to_be_finite());
    let mut scaled = known.clone();
    scaled.scale(f32::INFINITY);
    assert!(!scaled.are_known_to_be_finite());
    let mut optimizer = Adam::new(0.1)
        .builder()
        .check_finite()
        .build(&flat)
        .unwrap();
    assert!(optimizer.step(&scaled).is_err());
    optimizer.step(&known).unwrap();
    let mut optimizer = Adam::new(0.1)
        .builder()
        .check_finite()
        .build(&steep)
        .unwrap();
    let found = optimizer.step(&slopes(&steep, Tape::new().inspect_gradients()));
    let text = "adam: the gradient holds inf at [0]; it must be finite";
    assert_eq!(found.unwrap_err().to_string(), text);
}

#[test]
fn an_average_is_as_it_was_after_a_refused_step() {
    let weight: Param = Param::new(Tensor::new([0.0, 4.0]));
    let mut optimizer = Adam::new(0.1)
        .builder()
        .check_finite()
        .build(&weight)
        .unwrap();
    let mut average = Average::new(&weight, 0.5).unwrap();
    let steep = slopes(&weight, Tape::new());
    assert!(average.step(&mut optimizer, &steep).is_err());
    assert_eq!(average.value(&weight).unwrap().to_vec(), [0.0, 4.0]);
}

/// Not asked, a step takes what it is given, as PyTorch's does.
#[test]
fn a_step_that_was_not_asked_does_not_look() {
    let weight: Param = Param::new(Tensor::new([0.0, 4.0]));
    let mut optimizer = Sgd::new(0.5).build(&weight);
    let steep = slopes(&weight, Tape::new());
    assert!(optimizer.check_finite(&steep).is_err());
    optimizer.step(&steep).unwrap();
    assert_eq!(weight.value().to_vec(), [f32::NEG_INFINITY, 3.875]);
}
