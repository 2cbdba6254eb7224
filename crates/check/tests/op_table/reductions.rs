//! Sums, extrema, softmax and normalisation.

use lexigrad_check::strategies::{Domain, shape, tensor};
use lexigrad_check::{Case, Row, row};
use lexigrad_tensor::{Shape, Tensor, layer_norm};
use proptest::prelude::*;

use crate::cube;

#[test]
fn reductions() {
    crate::run(&rows());
}

fn maybe_empty() -> impl Strategy<Value = Case> {
    let shapes = shape(3, 0..=3);
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::Any))
        .prop_map(|x| Case::of(vec![x]))
}

/// Rows `[.., columns]` with a weight and a bias `[columns]`; more than two columns, since two are always ±1.
fn affine() -> impl Strategy<Value = Case> {
    (shape(1..=2, 1..=3), 3..=5usize).prop_flat_map(|(outer, columns)| {
        let whole: Shape = outer.iter().copied().chain([columns]).collect();
        let vector = Shape::from([columns]);
        let parts = (
            tensor(whole, Domain::AwayFromKinks),
            tensor(vector.clone(), Domain::Any),
            tensor(vector, Domain::Any),
        );
        parts.prop_map(|(x, weight, bias)| Case::of(vec![x, weight, bias]))
    })
}

/// Elements that are apart by at least 0.5, so that no deviation is near 0.
fn pairs() -> impl Strategy<Value = Case> {
    let cubes = (1..=3usize, 1..=3usize)
        .prop_flat_map(|(outer, middle)| tensor(Shape::from([outer, middle, 2]), Domain::Unit));
    cubes.prop_map(|x| {
        let apart: Tensor<f64> = Tensor::new([0.0, 2.0]);
        Case::of(vec![x.add(&apart).unwrap()])
    })
}

pub fn rows() -> Vec<Row> {
    use Domain::{Any, AwayFromKinks};
    vec![
        row!("sum", maybe_empty(), |x, _ids| Ok(x[0].square().sum())),
        row!("sum over outer axes", maybe_empty(), |x, _ids| x[0]
            .square()
            .sum_axes(&[0, 2])),
        row!("sum kept", maybe_empty(), |x, _ids| x[0]
            .square()
            .sum_keep(&[-2])),
        row!("mean", cube(Any), |x, _ids| Ok(x[0].square().mean())),
        row!("mean over an axis", cube(Any), |x, _ids| x[0]
            .square()
            .mean_axes(&[1]))
        .batched(crate::FIRST),
        row!("mean kept", cube(Any), |x, _ids| x[0]
            .square()
            .mean_keep(&[0, 1])),
        row!("max", cube(AwayFromKinks), |x, _ids| x[0].max_axes(&[-1])).batched(crate::FIRST),
        row!("max kept over two axes", cube(AwayFromKinks), |x, _ids| x
            [0]
        .square()
        .add(&x[0])?
        .max_keep(&[0, 2])),
        row!("min", cube(AwayFromKinks), |x, _ids| x[0].min_axes(&[0])),
        row!("min kept over all axes", cube(AwayFromKinks), |x, _ids| x
            [0]
        .min_keep(&[0, 1, 2])),
        row!("var", cube(Any), |x, _ids| x[0].var_axes(&[0, 2], 0)),
        row!("var kept and corrected", affine(), |x, _ids| x[0]
            .var_keep(&[-1], 1))
        .batched(crate::FIRST),
        row!("std", affine(), |x, _ids| x[0].std_axes(&[-1], 1)).batched(crate::FIRST),
        row!("std kept over two axes", pairs(), |x, _ids| x[0]
            .std_keep(&[0, 2], 0)),
        row!("softmax", cube(Any), |x, _ids| x[0].softmax(-1)).batched(crate::FIRST),
        row!("softmax along another axis", cube(Any), |x, _ids| x[0]
            .softmax(1))
        .batched(crate::FIRST),
        row!("log_softmax", cube(Any), |x, _ids| x[0].log_softmax(-1)).batched(crate::FIRST),
        row!("log_softmax along another axis", cube(Any), |x, _ids| x[0]
            .log_softmax(0)),
        row!("logsumexp", cube(Any), |x, _ids| x[0].logsumexp(-1)).batched(crate::FIRST),
        row!("logsumexp along another axis", cube(Any), |x, _ids| x[0]
            .logsumexp(0)),
        row!("layer_norm", affine(), |x, _ids| layer_norm(
            &x[0],
            1,
            Some(&x[1]),
            Some(&x[2]),
            1e-2
        ))
        .batched(crate::FIRST),
        row!("layer_norm without bias", affine(), |x, _ids| layer_norm(
            &x[0],
            1,
            Some(&x[1]),
            None,
            1e-2
        ))
        .batched(crate::FIRST),
        row!("layer_norm plain over all axes", affine(), |x, _ids| {
            layer_norm(&x[0], x[0].rank(), None, None, 1e-2)
        }),
    ]
}
