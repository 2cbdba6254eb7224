//! The exact mode: training by sparse gradients gives what training by dense ones gives, whatever is read in between.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use lexigrad_optim::schedule::{Cosine, Linear, Sequential};
use lexigrad_optim::{Adam, AdamW, Build, Optimizer, Rule, Sgd, SparseMode};
use lexigrad_tensor::{
    Element, EmbeddingOptions, Entry, Ids, Module, Param, Visitor, data_parallel, embedding,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{WithRule, every_rule, of, pull, sparse, table};

const ROWS: usize = 9;
const DIM: usize = 3;
const STEPS: usize = 200;

/// What a step looks up, and what is looked at after it.
#[derive(Clone, Debug)]
struct Step {
    ids: Vec<u32>,
    target: f64,
    look: Look,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Look {
    Nothing,
    Whole,
    Row(u32),
    Save,
    ChangeRow(u32),
    DenseStep,
}

fn step() -> impl Strategy<Value = Step> {
    let row = 0..ROWS as u32;
    // Ids are skewed, so that some rows wait for long.
    let id = (row.clone(), 0..ROWS as u32).prop_map(|(a, b)| a.min(b));
    let look = prop_oneof![
        60 => Just(Look::Nothing),
        1 => Just(Look::Whole),
        4 => row.clone().prop_map(Look::Row),
        1 => Just(Look::Save),
        2 => row.prop_map(Look::ChangeRow),
        1 => Just(Look::DenseStep),
    ];
    (vec(id, 0..4), -1.0..1.0, look).prop_map(|(ids, target, look)| Step { ids, target, look })
}

fn schedule(rate: f64) -> Sequential {
    let warm_up = Linear {
        start_factor: 0.1,
        end_factor: 1.0,
        steps: 20,
    };
    let cosine = Cosine {
        steps: 150,
        minimum: rate / 10.0,
    };
    Sequential::new(warm_up).then_at(20, cosine)
}

/// Two tables that are trained alike, one by sparse and one by dense gradients.
struct Pair<R: Rule<T>, T: Element> {
    exact: (Param<T>, Optimizer<R, T>),
    dense: (Param<T>, Optimizer<R, T>),
    /// Relative to the largest number of a comparison, if that is above 1.
    tolerance: f64,
}

impl<R: Rule<T>, T: Element> Pair<R, T> {
    fn new(rule: R, tolerance: f64) -> Self {
        let tables = [(); 2].map(|()| table(ROWS, DIM).with_fixed_row(1).unwrap());
        let [one, other] = tables;
        let builder = rule.builder();
        let exact = builder.clone().sparse_mode(SparseMode::Exact);
        Self {
            exact: (one.clone(), exact.build(&one).unwrap()),
            dense: (other.clone(), builder.build(&other).unwrap()),
            tolerance,
        }
    }

    fn train(&mut self, steps: &[Step], rate: f64) {
        let schedule = schedule(rate);
        for step in steps {
            self.exact.1.follow(&schedule);
            self.dense.1.follow(&schedule);
            let sparse = pull(
                &self.exact.0,
                &step.ids,
                step.target,
                step.look == Look::DenseStep,
            );
            self.exact.1.step(&sparse).unwrap();
            let dense = pull(&self.dense.0, &step.ids, step.target, true);
            self.dense.1.step(&dense).unwrap();
            self.look(step.look);
        }
        self.compare(
            &self.exact.0.value().to_vec(),
            &self.dense.0.value().to_vec(),
        );
    }

    fn look(&self, look: Look) {
        let (exact, dense) = (&self.exact.0, &self.dense.0);
        match look {
            Look::Nothing | Look::DenseStep => {}
            Look::Whole => self.compare(&exact.value().to_vec(), &dense.value().to_vec()),
            Look::Save => {
                exact.value();
                let [one, other] = [states(&self.exact.1), states(&self.dense.1)];
                self.compare(&one, &other);
            }
            Look::Row(row) => {
                let ids = Ids::new([row]).unwrap();
                let read = |table: &Param<T>| {
                    let rows = table.rows("look", &ids).unwrap();
                    rows.values()[row as usize * DIM..][..DIM].to_vec()
                };
                self.compare(&read(exact), &read(dense));
            }
            Look::ChangeRow(row) => {
                let ids = Ids::new([row]).unwrap();
                let half = T::from_f64(0.5);
                let halve = |_: usize, row: &mut [T]| row.iter_mut().for_each(|x| *x *= half);
                exact.update_rows(&ids, halve).unwrap();
                dense.update_rows(&ids, halve).unwrap();
            }
        }
    }

    fn compare(&self, one: &[T], other: &[T]) {
        let sizes = other.iter().map(|x| x.as_f64().abs());
        let tolerance = self.tolerance * sizes.fold(1.0, f64::max);
        for (one, other) in one.iter().zip(other) {
            let error = (one.as_f64() - other.as_f64()).abs();
            assert!(error <= tolerance, "{one} is {error:e} from {other}");
        }
    }
}

/// The moments and momenta of an optimizer.
fn states<R: Rule<T>, T: Element>(optimizer: &Optimizer<R, T>) -> Vec<T> {
    let mut numbers = Vec::new();
    let mut see = |path: &str, entry: Entry<'_, T>| {
        if let (true, Entry::Buffer(state)) = (path.ends_with("state"), entry) {
            numbers.extend(state.value().to_vec());
        }
    };
    optimizer.visit(&mut Visitor::new(&mut see));
    numbers
}

struct Trains<'a> {
    steps: &'a [Step],
    rate: f64,
    tolerance: f64,
}

impl<T: Element> WithRule<T> for Trains<'_> {
    fn run<R: Rule<T> + std::fmt::Debug>(&mut self, rule: R) {
        Pair::new(rule, self.tolerance).train(self.steps, self.rate);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn exact_is_dense_in_f64(
        steps in vec(step(), STEPS),
        rate in 1e-4..0.05f64,
        decay in prop_oneof![Just(0.0), 0.0..0.1f64],
    ) {
        let mut trains = Trains { steps: &steps, rate, tolerance: 1e-12 };
        every_rule::<f64>(rate, decay, &mut trains);
    }

    #[test]
    fn exact_is_dense_in_f32(steps in vec(step(), STEPS), decay in 0.0..0.1f64) {
        // A dense step of f32 rounds by up to 6e-8 each time, and often in the same direction.
        let mut trains = Trains { steps: &steps, rate: 1e-3, tolerance: 4e-6 };
        trains_usual_rules(decay, &mut trains);
    }
}

/// The rules whose missed steps have a closed form.
fn trains_usual_rules(weight_decay: f64, trains: &mut Trains<'_>) {
    let rate = trains.rate;
    let sgd = Sgd {
        momentum: 0.9,
        weight_decay,
        ..Sgd::new(rate)
    };
    WithRule::<f32>::run(trains, sgd);
    WithRule::<f32>::run(trains, Adam::new(rate));
    WithRule::<f32>::run(
        trains,
        AdamW {
            weight_decay,
            ..AdamW::new(rate)
        },
    );
}

/// A row that waited since its second step, in the closed form of f32 against dense steps in f64: moved by up to 0.1 in all.
#[test]
fn a_row_that_missed_thousands_of_steps_is_where_dense_steps_have_it() {
    for betas in [
        (0.9, 0.999),
        (0.9, 0.98),
        (0.0, 0.999),
        (0.9, 0.95),
        (0.9, 0.9),
    ] {
        for size in [1.0, 1e-3, 1e-6, 1e-8] {
            let rule = Adam {
                betas,
                ..Adam::new(1e-3)
            };
            let (exact, dense) = (table::<f32>(ROWS, DIM), table::<f64>(ROWS, DIM));
            let mut by_rows = rule
                .clone()
                .builder()
                .sparse_mode(SparseMode::Exact)
                .build(&exact)
                .unwrap();
            let mut whole = rule.build(&dense);
            let touching = [1.0, -0.5, 0.1, 1e-3, 2.0, 0.0].map(|g| g * size);
            for step in 0..1_500 {
                let (rows, values): (&[u32], &[f64]) = match step {
                    1 | 20 => (&[3, 4], &touching),
                    _ => (&[0], &[0.0; 3]),
                };
                by_rows
                    .step(&of(&exact, sparse(&exact, rows, values)))
                    .unwrap();
                let gradient = support::dense(&sparse(&dense, rows, values));
                whole.step(&of(&dense, gradient)).unwrap();
                if [2, 5, 50, 200].contains(&step) {
                    drop(exact.rows("look", &Ids::new([4]).unwrap()));
                }
            }
            for (one, other) in exact.value().to_vec().iter().zip(dense.value().to_vec()) {
                let error = (f64::from(*one) - other).abs();
                assert!(
                    error < 3e-7,
                    "{betas:?} {size}: {one} is {error:e} from {other}"
                );
            }
        }
    }
}

#[test]
fn every_way_of_reading_sees_rows_up_to_date() {
    let rule = Sgd {
        weight_decay: 0.5,
        ..Sgd::new(1.0)
    };
    let behind = || {
        let table = table::<f64>(ROWS, DIM);
        let mut optimizer = rule
            .clone()
            .builder()
            .sparse_mode(SparseMode::Exact)
            .build(&table)
            .unwrap();
        let expected: Vec<f64> = table.value().to_vec().iter().map(|x| x * 0.5).collect();
        let nothing = sparse(&table, &[], &[]);
        optimizer.step(&of(&table, nothing)).unwrap();
        (table, optimizer, expected)
    };
    let (table, optimizer, expected) = behind();
    assert_eq!(table.value().to_vec(), expected);
    drop(optimizer);

    let (table, optimizer, expected) = behind();
    drop(optimizer);
    assert_eq!(
        table.value().to_vec(),
        expected,
        "an optimizer that ends leaves nothing behind"
    );

    let (table, _optimizer, expected) = behind();
    assert_eq!(format!("{table:?}"), format!("Param {}", table.value()));
    table.update(|values| assert_eq!(values, expected));

    let (table, _optimizer, expected) = behind();
    let ids = Ids::new([2]).unwrap();
    table
        .update_rows(&ids, |_, row| assert_eq!(row, &expected[2 * DIM..3 * DIM]))
        .unwrap();

    let (table, _optimizer, expected) = behind();
    let mut other = Sgd::new(0.1)
        .builder()
        .sparse_mode(SparseMode::Exact)
        .build(&table)
        .unwrap();
    other.step(&of(&table, sparse(&table, &[], &[]))).unwrap();
    assert_eq!(
        table.value().to_vec(),
        expected,
        "a second optimizer takes over a table that is up to date"
    );
}

#[test]
fn a_table_that_many_steps_passed_by_forgets_them() {
    let mut pair = Pair::<_, f64>::new(AdamW::new(0.01), 1e-12);
    for step in 0..2_500_u32 {
        let (one, other) = (&pair.exact.0, &pair.dense.0);
        let ids = [step % 2 * 7];
        let gradient =
            |table: &Param<f64>| sparse(table, &ids, &[1.0, f64::from(step).sin(), -0.3]);
        pair.exact.1.step(&of(one, gradient(one))).unwrap();
        pair.dense
            .1
            .step(&of(other, support::dense(&gradient(other))))
            .unwrap();
    }
    pair.compare(
        &pair.exact.0.value().to_vec(),
        &pair.dense.0.value().to_vec(),
    );
}

/// Shards on several threads look rows up, and so bring them up to date, at the same time.
#[test]
fn shards_of_a_batch_see_rows_up_to_date() {
    let mut pair = Pair::<_, f64>::new(AdamW::new(0.01), 1e-12);
    for step in 0..40_u32 {
        let shards: Vec<[u32; 3]> = (0..4)
            .map(|shard| [0, 1, 2].map(|i| (step * 5 + shard * 3 + i) % 7))
            .collect();
        let gradients = |table: &Param<f64>| {
            let loss = |ids: &[u32; 3]| {
                let ids = Ids::new(*ids)?;
                let rows = embedding(
                    &table.rows("embedding", &ids)?,
                    &ids,
                    &EmbeddingOptions::default(),
                )?;
                Ok(rows.square().sum())
            };
            data_parallel(&shards[..1 + step as usize % 4], loss)
                .unwrap()
                .1
        };
        let (one, other) = (&pair.exact.0, &pair.dense.0);
        let (sparse, whole) = (gradients(one), gradients(other));
        pair.exact.1.step(&sparse).unwrap();
        let whole = support::dense(whole.get(other).unwrap());
        pair.dense.1.step(&of(other, whole)).unwrap();
    }
    pair.compare(
        &pair.exact.0.value().to_vec(),
        &pair.dense.0.value().to_vec(),
    );
}

#[test]
fn what_has_no_exact_mode_says_so() {
    let table = table::<f64>(ROWS, DIM);
    let step = of(&table, sparse(&table, &[1], &[1.0; 3]));
    let exact = |rule: AdamW| rule.builder().sparse_mode(SparseMode::Exact).build(&table);
    let rule = AdamW {
        weight_decay: 2.0,
        ..AdamW::new(0.5)
    };
    let expected = "adamw: the learning rate times the weight decay is 1; it must be below 1 in the exact mode";
    assert_eq!(exact(rule.clone()).unwrap_err().to_string(), expected);
    let mut optimizer = exact(AdamW {
        learning_rate: 0.1,
        ..rule
    })
    .unwrap();
    optimizer.set_learning_rate(0.5);
    assert_eq!(optimizer.step(&step).unwrap_err().to_string(), expected);
}
