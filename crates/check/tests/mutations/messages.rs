//! What a failure says: what, where, how much, how to see it again, and the smallest input that shows it.

use lexigrad_check::strategies::{Domain, shape, table_with_ids, tensor};
use lexigrad_check::{Batch, Case, Failure, Options, Row, gradcheck, gradcheck_module, row};
use lexigrad_tensor::{Param, Result, Tensor, apply, gather_rows, scatter_rows};
use proptest::prelude::*;

use crate::{Planted, matrix, one};

fn wrong_cube(x: &[Tensor<f64>]) -> Result<Tensor<f64>> {
    let op = Planted {
        inputs: 1,
        forward: |x| Ok(x[0].powf(3.0)),
        vjp: |x, _, g| one(g.mul(&x[0].square())?),
    };
    apply(op, &[&x[0]])
}

#[test]
fn a_failure_says_what_where_and_how_much() {
    let failure = gradcheck("cube", wrong_cube, &[matrix()], &Options::default()).unwrap_err();
    let text = failure.to_string();
    assert!(
        text.starts_with("cube: gradient by input 0 at [0, 0] is 2.5e-1, numerically 7."),
        "{text}"
    );
    assert!(
        text.ends_with("seed 0)") && text.contains("tolerance 7.6e-6"),
        "{text}"
    );
}

#[test]
fn a_large_input_is_checked_along_random_directions() {
    let large = Tensor::full([40, 30], 0.5);
    let seeded = Options {
        seed: 5,
        ..Options::default()
    };
    let failure = gradcheck("cube", wrong_cube, &[large], &seeded).unwrap_err();
    assert!(
        failure
            .to_string()
            .contains(" along a random direction is ")
    );
    assert!(
        matches!(failure, Failure::Mismatch(found) if found.coordinate.is_none() && found.seed == 5)
    );
}

#[test]
fn a_parameter_is_named_by_its_path_and_has_its_value_back() {
    let model = vec![Param::new(matrix()), Param::new(matrix())];
    let f = |_: &[Tensor<f64>]| model[0].value().add(&wrong_cube(&[model[1].value()])?);
    let failure = gradcheck_module("pair", &model, f, &[], &Options::default()).unwrap_err();
    assert!(
        failure
            .to_string()
            .starts_with("pair: gradient by 1 at [0, 0] is "),
        "{failure}"
    );
    assert!(
        model
            .iter()
            .all(|param| param.value().to_vec() == matrix().to_vec())
    );
}

#[test]
fn a_kink_is_told_from_a_wrong_gradient() {
    let kink = |x: Tensor<f64>| {
        let relu = |x: &[Tensor<f64>]| Ok(x[0].relu());
        let failure = gradcheck("relu", relu, &[x], &Options::default()).unwrap_err();
        let Failure::Mismatch(found) = &failure else {
            panic!("{failure}");
        };
        (found.kink, failure.to_string())
    };
    let (slopes, text) = kink(Tensor::new([1.0, 0.0]));
    let (left, right) = slopes.unwrap();
    assert!(left.abs() < 1e-6 && (right - 1.0).abs() < 1e-6);
    let told = "the point lies on a kink: the slope is 0.0000 to the left and 1.0000 to the right";
    assert!(text.contains(told), "{text}");
    let failure = gradcheck("cube", wrong_cube, &[matrix()], &Options::default()).unwrap_err();
    assert!(matches!(failure, Failure::Mismatch(found) if found.kink.is_none()));
}

#[test]
fn inputs_may_be_empty_unused_or_cut_off() {
    let empty = Tensor::zeros([0, 3]);
    let no_ids = lexigrad_tensor::Ids::new(Vec::<u32>::new()).unwrap();
    let scatter = |x: &[Tensor<f64>]| scatter_rows(&x[0], &no_ids, 2);
    gradcheck("scatter", scatter, &[empty], &Options::default()).unwrap();
    let ignores = |x: &[Tensor<f64>]| Ok(x[0].exp());
    let report = gradcheck(
        "first of two",
        ignores,
        &[matrix(), matrix()],
        &Options::default(),
    )
    .unwrap();
    assert_eq!(report.derivatives, 2 * 4 * 8);
    let constant = |x: &[Tensor<f64>]| Ok(x[0].detach().mul_scalar(0.0));
    gradcheck("constant", constant, &[matrix()], &Options::default()).unwrap();
    let cut = |x: &[Tensor<f64>]| Ok(x[0].detach().exp());
    assert!(gradcheck("a path cut off", cut, &[matrix()], &Options::default()).is_err());
    let fails = |x: &[Tensor<f64>]| x[0].reshape([3]);
    let failure = gradcheck("reshape", fails, &[matrix()], &Options::default()).unwrap_err();
    assert!(matches!(failure, Failure::Error(error) if error.operation() == "reshape"));
}

#[test]
fn a_bug_shrinks_to_the_smallest_input_that_shows_it() {
    // Wrong wherever there are two columns or more: the smallest is one row of two.
    let inputs = shape(2, 1..=5).prop_flat_map(|shape| tensor(shape, Domain::Any));
    let row = Row::new(
        "wide",
        inputs.prop_map(|x| Case::of(vec![x])),
        |x, _| {
            if x[0].shape()[1] > 1 {
                wrong_cube(x)
            } else {
                Ok(x[0].powf(3.0))
            }
        },
        |x, _| Ok(x[0].powf(3.0)),
    );
    let failure = row.try_run(64).unwrap_err();
    let case = failure.case.as_ref().unwrap();
    assert_eq!(*case.tensors[0].shape(), [1, 2]);
    assert!(
        failure
            .reason
            .starts_with("gradcheck: wide: gradient by input 0"),
        "{failure}"
    );
    assert!(
        failure.to_string().contains("smallest failing input"),
        "{failure}"
    );
}

#[test]
fn a_bug_with_repeated_ids_shrinks_to_one_id_twice() {
    let table = table_with_ids(1..=1).prop_map(Case::with_ids);
    let row = row!("repeats", table, |x, ids| {
        let mut distinct = ids.as_slice().to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let rows = gather_rows(&x[0], ids)?;
        if distinct.len() < ids.len() {
            rows.mul(&x[0].detach().sum())
        } else {
            Ok(rows)
        }
    });
    let failure = row.try_run(256).unwrap_err();
    let case = failure.case.as_ref().unwrap();
    assert_eq!(
        (case.ids.as_slice(), case.tensors[0].shape()[0]),
        (&[0, 0][..], 1),
        "{failure}"
    );
}

#[test]
fn an_operation_whose_batch_elements_see_each_other_is_found() {
    let batch = Batch {
        tensors: &[0],
        ids: false,
    };
    let inputs = || {
        let tensors = shape(2, 0..=3).prop_flat_map(|shape| tensor(shape, Domain::Any));
        tensors.prop_map(|x| Case::of(vec![x]))
    };
    let mixed = row!("mixed", inputs(), |x, _ids| x[0].softmax(0)).batched(batch);
    let failure = mixed.try_run(64).unwrap_err();
    assert!(
        failure
            .reason
            .starts_with("batch: element 0 of 2, 1 alone: the output holds 1"),
        "{failure}"
    );
    let apart = row!("apart", inputs(), |x, _ids| x[0].softmax(1)).batched(batch);
    assert_eq!(apart.try_run(64).unwrap().cases, 64);
}
