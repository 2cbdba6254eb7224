//! Tensors by the domain of an operation.

use lexigrad_tensor::{Shape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::gradcheck::shaped;

/// Where the elements of a tensor lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Between -3 and 3.
    Any,
    /// Between 0.2 and 3.
    Positive,
    /// Between 0.05 and 0.95.
    Unit,
    /// Between -3 and 3, at least 0.1 from 0 and 0.01 from each other: no kink of `abs`, `relu` or `max` is near.
    AwayFromKinks,
}

/// A tensor of this shape with elements in `domain`.
pub fn tensor(shape: Shape, domain: Domain) -> BoxedStrategy<Tensor<f64>> {
    let count = shape.elements();
    let values = match domain {
        Domain::Any => vec(-3.0..3.0, count).boxed(),
        Domain::Positive => vec(0.2..3.0, count).boxed(),
        Domain::Unit => vec(0.05..0.95, count).boxed(),
        Domain::AwayFromKinks => distinct(count).boxed(),
    };
    values
        .prop_map(move |values| shaped(values, &shape))
        .boxed()
}

/// Numbers that are apart from each other and from 0, on both sides of it.
fn distinct(count: usize) -> impl Strategy<Value = Vec<f64>> {
    let ranks: Vec<usize> = (0..count).collect();
    (Just(ranks).prop_shuffle(), vec(0.0..0.5, count)).prop_map(move |(ranks, jitter)| {
        let step = 6.0 / count.max(1) as f64;
        let place = |(rank, jitter): (usize, f64)| {
            let value = -3.0 + (rank as f64 + 0.25 + jitter) * step;
            if value.abs() < 0.1 {
                value + 0.2_f64.copysign(value)
            } else {
                value
            }
        };
        ranks.into_iter().zip(jitter).map(place).collect()
    })
}

/// A matrix `[size, size]` that is far from singular: the identity, and at most 0.5 spread over each row.
pub fn well_conditioned(size: usize) -> impl Strategy<Value = Tensor<f64>> {
    let bound = 0.5 / size.max(1) as f64;
    vec(-bound..bound, size * size).prop_map(move |mut values| {
        (0..size).for_each(|place| values[place * (size + 1)] += 1.0);
        shaped(values, &Shape::from([size, size]))
    })
}
