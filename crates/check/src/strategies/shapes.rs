//! Shapes, alone and in pairs that fit.

use lexigrad_tensor::Shape;
use proptest::collection::vec;
use proptest::prelude::*;

/// A shape of `rank` axes with sizes in `size`.
pub fn shape(
    rank: impl Into<proptest::collection::SizeRange>,
    size: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Shape> {
    vec(size, rank).prop_map(Shape::from)
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

/// Shapes `[.., m, k]` and `[.., k, n]` whose batch axes broadcast.
pub fn matmul_shapes() -> impl Strategy<Value = (Shape, Shape)> {
    (broadcast_pair(), matmul_sizes()).prop_map(|((left, right), (m, k, n))| {
        let with =
            |batch: &Shape, matrix: [usize; 2]| batch.iter().copied().chain(matrix).collect();
        (with(&left, [m, k]), with(&right, [k, n]))
    })
}
