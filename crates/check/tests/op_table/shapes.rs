//! Views, rearrangements and joins. A square follows each, so that the second derivative is not zero.

use lexigrad_check::strategies::{Domain, shape, tensor};
use lexigrad_check::{Case, Row, row};
use lexigrad_tensor::{Shape, cat, stack};
use proptest::prelude::*;

use crate::cube;

#[test]
fn shapes() {
    crate::run(&rows());
}

fn with_unit_axis() -> impl Strategy<Value = Case> {
    let sizes = (0..=3usize, 1..=3usize);
    let shapes = sizes.prop_map(|(first, last)| Shape::from([first, 1, last]));
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::Any))
        .prop_map(|x| Case::of(vec![x]))
}

/// Two tensors that differ in axis 1 alone.
fn joinable() -> impl Strategy<Value = Case> {
    (1..=3usize, 0..=3usize, 1..=3usize, 1..=3usize).prop_flat_map(|(outer, left, right, inner)| {
        let parts = (
            tensor(Shape::from([outer, left, inner]), Domain::Any),
            tensor(Shape::from([outer, right, inner]), Domain::Any),
        );
        parts.prop_map(|(x, y)| Case::of(vec![x, y]))
    })
}

fn alike() -> impl Strategy<Value = Case> {
    shape(0..=2, 1..=3).prop_flat_map(|shape| {
        let parts = (
            tensor(shape.clone(), Domain::Any),
            tensor(shape, Domain::Any),
        );
        parts.prop_map(|(x, y)| Case::of(vec![x, y]))
    })
}

pub fn rows() -> Vec<Row> {
    vec![
        row!("reshape", cube(Domain::Any), |x, _ids| Ok(x[0]
            .reshape([x[0].elements()])?
            .square())),
        row!("transpose", cube(Domain::Any), |x, _ids| Ok(x[0]
            .transpose(0, -1)?
            .square())),
        row!("permute", cube(Domain::Any), |x, _ids| Ok(x[0]
            .permute(&[2, 0, 1])?
            .square())),
        row!("expand", with_unit_axis(), |x, _ids| {
            let sizes = x[0].shape();
            Ok(x[0].expand([2, sizes[0], 3, sizes[2]])?.square())
        }),
        row!("sum_to", cube(Domain::Any), |x, _ids| {
            let columns = x[0].shape()[1];
            Ok(x[0].sum_to(&[columns, 1].into())?.square())
        }),
        row!("narrow", cube(Domain::Any), |x, _ids| {
            let last = x[0].shape()[1].saturating_sub(1);
            Ok(x[0].narrow(1, last, 1)?.square())
        }),
        row!("narrow to nothing", cube(Domain::Any), |x, _ids| Ok(x[0]
            .narrow(0, 0, 0)?
            .square())),
        row!("squeeze", with_unit_axis(), |x, _ids| Ok(x[0]
            .squeeze(1)?
            .square())),
        row!("unsqueeze", cube(Domain::Any), |x, _ids| Ok(x[0]
            .unsqueeze(-1)?
            .square())),
        row!("cat", joinable(), |x, _ids| Ok(cat(
            &[&x[0], &x[1], &x[0]],
            1
        )?
        .square())),
        row!("stack", alike(), |x, _ids| Ok(
            stack(&[&x[0], &x[1]], -1)?.square()
        )),
        row!("stack in front", alike(), |x, _ids| Ok(stack(
            &[&x[0], &x[1], &x[1]],
            0
        )?
        .square())),
    ]
}
