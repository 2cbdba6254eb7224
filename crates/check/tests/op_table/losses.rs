//! Cross-entropy with each option.

use lexigrad_check::strategies::logits_with_targets;
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_tensor::{
    CrossEntropyOptions, Element, Ids, Reduction, Result, Tensor, cross_entropy, cross_entropy_with,
};
use proptest::prelude::*;

#[test]
fn losses() {
    crate::run(&rows());
}

fn labelled() -> impl Strategy<Value = Case> {
    logits_with_targets().prop_map(Case::with_ids)
}

/// The loss with a weight for each class, one of them 0, if `weighted`.
fn loss<T: Element>(
    logits: &Tensor<T>,
    targets: &Ids,
    weighted: bool,
    options: CrossEntropyOptions<T>,
) -> Result<Tensor<T>> {
    let classes = logits.shape()[1];
    let weights: Vec<T> = (0..classes)
        .map(|class| T::from_f64(((class + 1) % 3) as f64))
        .collect();
    let weight = weighted.then(|| Tensor::from(weights));
    cross_entropy_with(logits, targets, &CrossEntropyOptions { weight, ..options })
}

fn ignoring<T: Element>() -> CrossEntropyOptions<T> {
    CrossEntropyOptions {
        ignore_index: Some(0),
        ..CrossEntropyOptions::default()
    }
}

fn smoothed<T: Element>(reduction: Reduction) -> CrossEntropyOptions<T> {
    CrossEntropyOptions {
        ignore_index: Some(1),
        label_smoothing: 0.2,
        reduction,
        ..CrossEntropyOptions::default()
    }
}

/// A batch of rows, each with its target.
const ROWS: Batch = Batch {
    tensors: &[0],
    ids: true,
};

pub fn rows() -> Vec<Row> {
    vec![
        row!("cross_entropy", labelled(), |x, ids| cross_entropy(
            &x[0], ids
        )),
        row!("cross_entropy weighted", labelled(), |x, ids| loss(
            &x[0],
            ids,
            true,
            CrossEntropyOptions::default()
        )),
        row!("cross_entropy ignoring", labelled(), |x, ids| loss(
            &x[0],
            ids,
            false,
            ignoring()
        )),
        row!(
            "cross_entropy weighted and ignoring",
            labelled(),
            |x, ids| loss(&x[0], ids, true, ignoring())
        ),
        row!("cross_entropy smoothed", labelled(), |x, ids| loss(
            &x[0],
            ids,
            false,
            smoothed(Reduction::None)
        ))
        .batched(ROWS),
        row!(
            "cross_entropy smoothed and weighted",
            labelled(),
            |x, ids| { loss(&x[0], ids, true, smoothed(Reduction::Sum)) }
        ),
    ]
}
