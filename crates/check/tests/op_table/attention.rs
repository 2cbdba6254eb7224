//! Attention by heads, of three tensors and of one that holds all three, with keys that are hidden.

use lexigrad_check::strategies::{Domain, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_tensor::{
    AttentionMask, AttentionOptions, Element, Mask, Result, Shape, Tensor, attention,
    attention_with_weights, self_attention,
};
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

fn plain<T: Element>() -> AttentionOptions<T> {
    masked(AttentionMask::default())
}

fn masked<T: Element>(mask: AttentionMask<T>) -> AttentionOptions<T> {
    AttentionOptions {
        mask,
        scale: Some(0.7),
        ..AttentionOptions::default()
    }
}

/// Of three keys each query misses one, the first query all.
fn hidden<T: Element>(x: &[Tensor<T>]) -> Result<AttentionOptions<T>> {
    let (queries, keys) = (x[0].shape()[2], x[1].shape()[2]);
    let places = (0..queries).flat_map(|i| (0..keys).map(move |j| (i, j)));
    let visible = places.map(|(i, j)| i > 0 && (i + j) % 3 > 0).collect();
    let visible = Mask::new(visible, [queries, keys])?;
    Ok(masked(AttentionMask::pairs(&visible)))
}

fn causal<T: Element>(first: usize) -> AttentionOptions<T> {
    AttentionOptions {
        first,
        ..masked(AttentionMask::causal())
    }
}

/// Four heads that share two of keys and values, with a bias `[1, 4, Lq, Lk]`.
fn biased() -> impl Strategy<Value = Case> {
    let sizes = (0..=2usize, 0..=3usize, 0..=3usize, 1..=2usize);
    sizes.prop_flat_map(|(batch, queries, keys, size)| {
        let shapes = [
            [batch, 4, queries, size],
            [batch, 2, keys, size],
            [batch, 2, keys, size],
            [1, 4, queries, keys],
        ];
        let parts = shapes.map(|shape| tensor(Shape::from(shape), Domain::Any));
        parts.to_vec().prop_map(Case::of)
    })
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
        row!(
            "attention of shared keys, with a bias",
            biased(),
            |x, _ids| {
                let mask = AttentionMask::bias(&x[3]).and(AttentionMask::window(1, 1));
                attention(&x[0], &x[1], &x[2], &masked(mask))
            }
        )
        .batched(ALL),
        row!("attention_with_weights", heads(), |x, _ids| {
            let (y, weights) = attention_with_weights(&x[0], &x[1], &x[2], &hidden(x)?)?;
            let share = weights.square().sum_axes(&[-1])?;
            y.mul(&share.unsqueeze(-1)?)
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
