//! Elements by index, in order, and in windows. A square follows each, so that the second derivative is not zero.

use lexigrad_check::strategies::{Domain, ids_of, shape, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_tensor::{Shape, segment_max, segment_mean, segment_sum};
use proptest::prelude::*;

use crate::cube;

#[test]
fn indexing() {
    crate::run(&rows());
}

/// A cube, and any number of ids into its middle axis.
fn selected() -> impl Strategy<Value = Case> {
    (shape(3, 1..=3), 0..=4usize).prop_flat_map(|(shape, count)| {
        let ids = ids_of(Shape::from([count]), shape[1]);
        (tensor(shape, Domain::Any), ids).prop_map(Case::with_ids)
    })
}

/// A cube, values, and ids of the values' shape into its middle axis.
fn gathered() -> impl Strategy<Value = Case> {
    (shape(3, 1..=3), 0..=4usize).prop_flat_map(|(whole, count)| {
        let part = Shape::from([whole[0], count, whole[2]]);
        let ids = ids_of(part.clone(), whole[1]);
        let parts = (tensor(whole, Domain::Any), tensor(part, Domain::Any), ids);
        parts.prop_map(|(x, values, ids)| Case {
            tensors: vec![x, values],
            ids,
        })
    })
}

/// Values `[N, ..]`, none near another, and a segment below 3 for each.
fn segmented() -> impl Strategy<Value = Case> {
    (0..=5usize, shape(0..=2, 1..=3)).prop_flat_map(|(count, inner)| {
        let whole: Shape = std::iter::once(count)
            .chain(inner.iter().copied())
            .collect();
        let values = tensor(whole, Domain::AwayFromKinks);
        (values, ids_of(Shape::from([count]), 3)).prop_map(Case::with_ids)
    })
}

/// A cube whose middle axis holds at least 3 elements.
fn long() -> impl Strategy<Value = Case> {
    let shapes = (1..=2usize, 3..=6usize, 1..=2usize).prop_map(|(a, b, c)| Shape::from([a, b, c]));
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::Any))
        .prop_map(|x| Case::of(vec![x]))
}

/// A batch in both tensors and the ids.
const BOTH: Batch = Batch {
    tensors: &[0, 1],
    ids: true,
};

pub fn rows() -> Vec<Row> {
    use Domain::{Any, AwayFromKinks};
    vec![
        row!("index_select", selected(), |x, ids| {
            Ok(x[0].index_select(1, ids)?.square())
        })
        .batched(crate::FIRST),
        row!("gather", gathered(), |x, ids| x[0]
            .gather(1, ids)?
            .mul(&x[1]))
        .batched(BOTH),
        row!("scatter_add", gathered(), |x, ids| {
            Ok(x[0].scatter_add(1, ids, &x[1])?.square())
        })
        .batched(BOTH),
        row!("one_hot", selected(), |x, ids| {
            let hot = ids.one_hot(x[0].shape()[1])?;
            Ok(hot.matmul(&x[0])?.square())
        }),
        row!("flip", cube(Any), |x, _ids| {
            x[0].flip(&[0, -1])?.mul(&x[0].square())
        }),
        row!("roll", cube(Any), |x, _ids| x[0].roll(-1, 1)?.mul(&x[0])),
        row!("repeat", cube(Any), |x, _ids| {
            Ok(x[0].repeat(&[2, 1, 0, 3])?.square())
        }),
        row!("repeat in front", cube(Any), |x, _ids| {
            Ok(x[0].repeat(&[2, 1, 2, 3])?.square())
        }),
        row!("cumsum", cube(Any), |x, _ids| Ok(x[0].cumsum(1)?.square())).batched(crate::FIRST),
        row!("sort", cube(AwayFromKinks), |x, _ids| {
            Ok(x[0].sort(1, false)?.0.cumsum(1)?.square())
        })
        .batched(crate::FIRST),
        row!("sort descending", cube(AwayFromKinks), |x, _ids| {
            Ok(x[0].sort(-1, true)?.0.cumsum(-1)?.square())
        })
        .batched(crate::FIRST),
        row!("topk", cube(AwayFromKinks), |x, _ids| {
            let k = x[0].shape()[1].div_ceil(2);
            Ok(x[0].topk(k, 1)?.0.cumsum(1)?.square())
        })
        .batched(crate::FIRST),
        row!("segment_sum", segmented(), |x, ids| {
            Ok(segment_sum(&x[0], ids, 3)?.square())
        }),
        row!("segment_mean", segmented(), |x, ids| {
            Ok(segment_mean(&x[0], ids, 3)?.square())
        }),
        row!("segment_max", segmented(), |x, ids| {
            Ok(segment_max(&x[0], ids, 3)?.square())
        }),
        row!("split", long(), |x, _ids| {
            let length = x[0].shape()[1];
            let parts = x[0].split(&[1, 0, length.saturating_sub(1)], 1)?;
            parts[0].mul(&parts[2].square())
        })
        .batched(crate::FIRST),
        row!("chunk", long(), |x, _ids| {
            let parts = x[0].chunk(2, 1)?;
            let last = &parts[parts.len() - 1];
            parts[0].sum_keep(&[1])?.mul(&last.square())
        }),
        row!("pad", cube(Any), |x, _ids| {
            x[0].pad(1, 2, 1, 0.5)?.square().cumsum(1)
        })
        .batched(crate::FIRST),
        row!("unfold", long(), |x, _ids| Ok(x[0]
            .unfold(1, 3, 1)?
            .square()))
        .batched(crate::FIRST),
        row!("unfold with steps", long(), |x, _ids| {
            Ok(x[0].unfold(1, 2, 2)?.square())
        })
        .batched(crate::FIRST),
        row!("unfold of a view", long(), |x, _ids| {
            Ok(x[0].transpose(0, 1)?.unfold(0, 2, 1)?.square())
        }),
    ]
}
