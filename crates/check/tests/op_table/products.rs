//! Matrix products, and dropout, which multiplies too.

use lexigrad_check::strategies::{Domain, matmul_sizes, shape, tensor};
use lexigrad_check::{Case, Row, row};
use lexigrad_tensor::{Shape, linear};
use proptest::prelude::*;

#[test]
fn products() {
    crate::run(&rows());
}

fn matrices(left: &'static [usize], right: &'static [usize]) -> impl Strategy<Value = Case> {
    matmul_sizes().prop_flat_map(move |(m, k, n)| {
        let batched = |batch: &[usize], rows, columns| {
            let sizes = batch.iter().copied().chain([rows, columns]);
            tensor(sizes.collect::<Shape>(), Domain::Any)
        };
        (batched(left, m, k), batched(right, k, n)).prop_map(|(a, b)| Case::of(vec![a, b]))
    })
}

fn layer(outer: usize) -> impl Strategy<Value = Case> {
    (shape(outer, 0..=3), 1..=4usize, 1..=4usize).prop_flat_map(|(outer, inputs, outputs)| {
        let x: Shape = outer.iter().copied().chain([inputs]).collect();
        let parts = (
            tensor(x, Domain::Any),
            tensor(Shape::from([outputs, inputs]), Domain::Any),
            tensor(Shape::from([outputs]), Domain::Any),
        );
        parts.prop_map(|(x, weight, bias)| Case::of(vec![x, weight, bias]))
    })
}

fn any_tensor() -> impl Strategy<Value = Case> {
    let shapes = shape(1..=2, 1..=4);
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::Any))
        .prop_map(|x| Case::of(vec![x]))
}

pub fn rows() -> Vec<Row> {
    vec![
        row!("matmul", matrices(&[], &[]), |x, _ids| x[0].matmul(&x[1])),
        row!(
            "matmul of batches",
            matrices(&[2, 1], &[1, 3]),
            |x, _ids| x[0].matmul(&x[1])
        ),
        row!(
            "matmul of a batch with one",
            matrices(&[3], &[]),
            |x, _ids| x[0].matmul(&x[1])
        ),
        row!(
            "matmul of one with a batch",
            matrices(&[], &[2]),
            |x, _ids| x[0].matmul(&x[1])
        ),
        row!("matmul transposed", matrices(&[], &[]), |x, _ids| {
            let (a, b) = (x[0].transpose(0, 1)?, x[1].transpose(0, 1)?);
            b.matmul(&a)
        }),
        row!("linear", layer(1), |x, _ids| linear(
            &x[0],
            &x[1],
            Some(&x[2])
        )),
        row!("linear without bias", layer(1), |x, _ids| linear(
            &x[0], &x[1], None
        )),
        row!("linear on a vector", layer(0), |x, _ids| linear(
            &x[0],
            &x[1],
            Some(&x[2])
        )),
        row!("linear on a cube", layer(2), |x, _ids| linear(
            &x[0],
            &x[1],
            Some(&x[2])
        )),
        row!("dropout", any_tensor(), |x, _ids| dropout_by_a_fixed_mask(
            &x[0].square()
        )),
    ]
}

/// Dropout draws another mask at each call and none without a tape, so that a difference quotient cannot see it. What is left is
/// linear: here it stands as a product with one mask, and `conventions.rs` shows that dropout is one.
fn dropout_by_a_fixed_mask<T: lexigrad_tensor::Element>(
    x: &lexigrad_tensor::Tensor<T>,
) -> lexigrad_tensor::Result<lexigrad_tensor::Tensor<T>> {
    let mask: Vec<T> = (0..x.elements())
        .map(|i| T::from_f64((i % 3) as f64))
        .collect();
    x.mul(&lexigrad_tensor::Tensor::from(mask).reshape(x.shape())?)
}
