//! proptest strategies: shapes that belong together, and tensors by the domain of an operation.

use lexigrad_tensor::{Ids, Shape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;

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

/// A shape of `rank` axes with sizes in `size`.
pub fn shape(
    rank: impl Into<proptest::collection::SizeRange>,
    size: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Shape> {
    vec(size, rank).prop_map(Shape::from)
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
    values.prop_map(move |values| build(values, &shape)).boxed()
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

fn build(values: Vec<f64>, shape: &Shape) -> Tensor<f64> {
    let flat = Tensor::from(values);
    flat.reshape(shape).unwrap_or(flat)
}

/// Two shapes that broadcast, either of which may have size 1 where the other has more, or fewer axes.
pub fn broadcast_pair() -> impl Strategy<Value = (Shape, Shape)> {
    let axis = (1..=3usize, 0..3u8);
    (vec(axis, 0..=3), 0..=2usize, any::<bool>()).prop_map(|(axes, dropped, swapped)| {
        let left: Shape = axes
            .iter()
            .map(|&(size, side)| if side == 1 { 1 } else { size })
            .collect();
        let right: Vec<usize> = axes
            .iter()
            .map(|&(size, side)| if side == 2 { 1 } else { size })
            .collect();
        let right = Shape::from(&right[dropped.min(right.len())..]);
        if swapped {
            (right, left)
        } else {
            (left, right)
        }
    })
}

/// Sizes m, k and n of a matrix product.
pub fn matmul_sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    (1..=4usize, 1..=6usize, 1..=4usize)
}

/// A table of 1 to 6 rows of 1 to 4 numbers, and ids of `rank` axes in its range, often repeated.
pub fn table_with_ids(
    rank: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = (Tensor<f64>, Ids)> {
    (1..=6usize, 1..=4usize, shape(rank, 0..=3)).prop_flat_map(|(rows, dim, shape)| {
        let table = tensor(Shape::from([rows, dim]), Domain::AwayFromKinks);
        (table, ids_of(shape, rows))
    })
}

/// Ids of this shape below `below`.
pub fn ids_of(shape: Shape, below: usize) -> impl Strategy<Value = Ids> {
    let values = vec(0..below.max(1) as u32, shape.elements());
    values.prop_filter_map("ids fill their shape", move |values| {
        Ids::from_vec(values, shape.clone()).ok()
    })
}

/// Logits `[rows, classes]` and a class for each row.
pub fn logits_with_targets() -> impl Strategy<Value = (Tensor<f64>, Ids)> {
    (1..=4usize, 1..=5usize).prop_flat_map(|(rows, classes)| {
        let logits = tensor(Shape::from([rows, classes]), Domain::Any);
        (logits, ids_of(Shape::from([rows]), classes))
    })
}
