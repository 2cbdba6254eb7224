//! Ids with what they index, class targets, lengths and masks.

use lexigrad_tensor::{Bags, Ids, Mask, Shape, Tensor};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Domain, shape, tensor};

/// Ids of this shape below `below`.
pub fn ids_of(shape: Shape, below: usize) -> impl Strategy<Value = Ids> {
    let values = vec(0..below.max(1) as u32, shape.elements());
    values.prop_filter_map("ids fill their shape", move |values| {
        Ids::from_vec(values, shape.clone()).ok()
    })
}

/// A table of 1 to 6 rows of 1 to 4 numbers, and ids of `rank` axes in its range: often repeated, sometimes none.
pub fn table_with_ids(
    rank: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = (Tensor<f64>, Ids)> {
    (1..=6usize, 1..=4usize, shape(rank, 0..=3)).prop_flat_map(|(rows, dim, shape)| {
        let table = tensor(Shape::from([rows, dim]), Domain::AwayFromKinks);
        (table, ids_of(shape, rows))
    })
}

/// Sequences of ids `[batch, length]` below `below` that end in runs of `padding`, some of nothing else.
pub fn padded_ids(below: usize, padding: u32) -> impl Strategy<Value = Ids> {
    let sizes = (0..=3usize, 0..=4usize);
    sizes.prop_flat_map(move |(batch, length)| {
        let rows = vec((vec(0..below.max(1) as u32, length), 0..=length), batch);
        rows.prop_filter_map("ids fill their shape", move |rows| {
            let padded = rows.into_iter().flat_map(|(mut ids, kept)| {
                ids[kept..].fill(padding);
                ids
            });
            Ids::from_vec(padded.collect(), [batch, length]).ok()
        })
    })
}

/// A table of 1 to 6 rows, and bags of its ids, some of them empty.
pub fn table_with_bags() -> impl Strategy<Value = (Tensor<f64>, Bags)> {
    (1..=6usize, 1..=4usize).prop_flat_map(|(rows, dim)| {
        let table = tensor(Shape::from([rows, dim]), Domain::AwayFromKinks);
        let lists = vec(vec(0..rows as u32, 0..=4), 0..=4);
        let bags =
            lists.prop_filter_map("ids fill their bags", |lists| Bags::from_lists(&lists).ok());
        (table, bags)
    })
}

/// Logits `[rows, classes]` and a class for each row.
pub fn logits_with_targets() -> impl Strategy<Value = (Tensor<f64>, Ids)> {
    (1..=4usize, 1..=5usize).prop_flat_map(|(rows, classes)| {
        let logits = tensor(Shape::from([rows, classes]), Domain::Any);
        (logits, ids_of(Shape::from([rows]), classes))
    })
}

/// Logits `[rows, classes]`, a target for each row, and the target that is to be ignored, which is no class; about a third of the
/// rows have it, sometimes all.
pub fn logits_with_ignored_targets() -> impl Strategy<Value = (Tensor<f64>, Ids, u32)> {
    (1..=4usize, 1..=5usize).prop_flat_map(|(rows, classes)| {
        let ignored = classes as u32;
        let target = prop_oneof![2 => 0..ignored, 1 => Just(ignored)];
        let targets = vec(target, rows);
        let targets = targets.prop_filter_map("targets fill their rows", move |targets| {
            Ids::from_vec(targets, [rows]).ok()
        });
        let logits = tensor(Shape::from([rows, classes]), Domain::Any);
        (logits, targets, Just(ignored))
    })
}

/// Lengths of up to 4 sequences of up to 5 elements, some of none, and the mask `[batch, longest]` of what is there.
pub fn lengths_with_mask() -> impl Strategy<Value = (Vec<usize>, Mask)> {
    vec(0..=5usize, 1..=4).prop_map(|lengths| {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mask = Mask::from_lengths(&lengths, longest);
        (lengths, mask)
    })
}
