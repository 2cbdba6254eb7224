//! Attention by heads, of three tensors and of one that holds all three, with keys that are hidden.

use lexigrad_check::strategies::{Domain, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_tensor::{Attend, Element, Mask, Result, Shape, Tensor, attention, self_attention};
use proptest::prelude::*;

#[test]
fn attentions() {
    crate::run(&rows());
}

/// Queries, keys and values of a batch of one or two heads.
fn heads() -> impl Strategy<Value = Case> {
    let sizes = (
        0..=2usize,
        1..=2usize,
        0..=4usize,
        0..=3usize,
        0..=3usize,
        0..=2usize,
    );
    sizes.prop_flat_map(|(batch, heads, queries, keys, size, value_size)| {
        let shapes = [[queries, size], [keys, size], [keys, value_size]];
        let parts = shapes
            .map(|[length, size]| tensor(Shape::from([batch, heads, length, size]), Domain::Any));
        parts.to_vec().prop_map(Case::of)
    })
}

/// Positions `[B, L, 3 H E]` of two heads.
fn positions() -> impl Strategy<Value = Case> {
    (0..=2usize, 0..=4usize, 1..=2usize).prop_flat_map(|(batch, length, size)| {
        let packed = tensor(Shape::from([batch, length, 3 * 2 * size]), Domain::Any);
        packed.prop_map(|x| Case::of(vec![x]))
    })
}

fn plain() -> Attend {
    Attend {
        scale: 0.7,
        visible: None,
        causal: None,
        dropout: 0.0,
    }
}

/// Of three keys each query misses one, the first query all.
fn hidden<T: Element>(x: &[Tensor<T>]) -> Result<Attend> {
    let (queries, keys) = (x[0].shape()[2], x[1].shape()[2]);
    let places = (0..queries).flat_map(|i| (0..keys).map(move |j| (i, j)));
    let visible = places.map(|(i, j)| i > 0 && (i + j) % 3 > 0).collect();
    Ok(Attend {
        visible: Some(Mask::new(visible, [queries, keys])?),
        ..plain()
    })
}

fn causal(first: usize) -> Attend {
    Attend {
        causal: Some(first),
        ..plain()
    }
}

/// A batch in all three tensors.
const ALL: Batch = Batch {
    tensors: &[0, 1, 2],
    ids: false,
};

pub fn rows() -> Vec<Row> {
    vec![
        row!("attention", heads(), |x, _ids| {
            attention(&x[0], &x[1], &x[2], &plain())
        })
        .batched(ALL),
        row!("attention with hidden keys", heads(), |x, _ids| {
            attention(&x[0], &x[1], &x[2], &hidden(x)?)
        })
        .batched(ALL),
        row!("attention, causal", heads(), |x, _ids| {
            attention(&x[0], &x[1], &x[2], &causal(1))
        })
        .batched(ALL),
        row!("self_attention", positions(), |x, _ids| {
            self_attention(&x[0], 2, &plain())
        })
        .batched(crate::FIRST),
        row!("self_attention causal", positions(), |x, _ids| {
            self_attention(&x[0], 2, &causal(0))
        })
        .batched(crate::FIRST),
    ]
}
