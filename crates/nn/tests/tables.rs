//! Tables: bags against lookups, ties, equal maxima, conventions of the layers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::strategies::{table_with_bags, table_with_ids};
use lexigrad_check::{Options, check_conventions};
use lexigrad_nn::{BagMode, Embedding, EmbeddingBag, EmbeddingBagConfig, EmbeddingConfig};
use lexigrad_tensor::{
    Bags, EmbeddingOptions, Grad, Ids, Param, Tape, Tensor, embedding, value_and_grad,
};
use proptest::prelude::*;

fn bag(table: &Tensor<f64>, mode: BagMode) -> EmbeddingBag<f64> {
    let config = EmbeddingBagConfig {
        mode,
        ..EmbeddingBagConfig::new(0, 0)
    };
    let bag = config.from_pretrained(table).unwrap();
    bag.weight.set_requires_grad(true);
    bag
}

/// The rows of each bag looked up and then reduced; zeros of an empty one.
fn by_lookup(table: &Tensor<f64>, bags: &Bags, mode: BagMode) -> Vec<f64> {
    let embed = Embedding::from_pretrained(table).unwrap();
    let mut found = Vec::new();
    for pair in bags.offsets().windows(2) {
        let ids = Ids::new(&bags.ids().as_slice()[pair[0]..pair[1]]).unwrap();
        if ids.is_empty() {
            found.extend(vec![0.0; table.shape()[1]]);
            continue;
        }
        let rows = embed.forward(&ids).unwrap();
        let reduced = match mode {
            BagMode::Sum => rows.sum_axes(&[0]),
            BagMode::Mean => rows.mean_axes(&[0]),
            BagMode::Max => rows.max_axes(&[0]),
        };
        found.extend(reduced.unwrap().to_vec());
    }
    found
}

fn close(x: &[f64], y: &[f64]) -> bool {
    x.len() == y.len() && x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-12)
}

proptest! {
    #[test]
    fn a_bag_equals_lookup_and_reduction((table, bags) in table_with_bags()) {
        for mode in [BagMode::Sum, BagMode::Mean, BagMode::Max] {
            let found = bag(&table, mode).forward(&bags).unwrap().to_vec();
            prop_assert!(close(&found, &by_lookup(&table, &bags, mode)), "{mode:?}");
        }
    }

    #[test]
    fn the_gradient_of_a_tied_table_is_the_sum_of_its_uses((table, ids) in table_with_ids(1..=1)) {
        let weight = Param::new(table);
        let first = Embedding::with_weight(weight.clone());
        let second = Embedding::with_weight(weight.clone());
        let gradient = |uses: &[&Embedding<f64>]| {
            let tape = Tape::new();
            let mut loss = Tensor::zeros([]);
            for embed in uses {
                loss = loss.add(&embed.forward(&ids).unwrap().square().sum()).unwrap();
            }
            let grads = tape.backward(&loss).unwrap();
            grads.get(&weight).unwrap().clone()
        };
        let (one, both) = (gradient(&[&first]), gradient(&[&first, &second]));
        prop_assert!(matches!(both, Grad::RowSparse(_)));
        let twice = one.to_dense().unwrap().mul_scalar(2.0).to_vec();
        prop_assert!(close(&both.to_dense().unwrap().to_vec(), &twice));
    }
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() {
    let embed = bag(&Tensor::new([[5.0, 1.0], [5.0, 2.0]]), BagMode::Max);
    let tape = Tape::new();
    let bags = Bags::from_lists(&[vec![1_u32, 0]]).unwrap();
    let grads = tape.backward(&embed.forward(&bags).unwrap().sum());
    let gradient = grads.unwrap().dense(&embed.weight).unwrap().unwrap();
    assert_eq!(gradient.to_vec(), [0.0, 0.0, 1.0, 1.0]);
}

/// A layer's gradient is that of the definition, whatever its options.
#[test]
fn a_layer_keeps_the_conventions_it_is_asked_for() {
    let ids = Ids::new([[0, 2], [2, 1]]).unwrap();
    let table = Tensor::new([[0.1, 0.9], [-0.4, 0.6], [0.3, -0.8]]);
    for (padding, scale) in [
        (None, false),
        (Some(0), false),
        (None, true),
        (Some(2), true),
    ] {
        let config = EmbeddingConfig {
            padding_idx: padding.map(i64::from),
            scale_grad_by_freq: scale,
            ..EmbeddingConfig::new(0, 0)
        };
        let embed = config.from_pretrained(&table).unwrap();
        embed.weight.set_requires_grad(true);
        let tape = Tape::new();
        let loss = embed.forward(&ids).unwrap().square().sum();
        let found = tape
            .backward(&loss)
            .unwrap()
            .dense(&embed.weight)
            .unwrap()
            .unwrap();
        let conventions = EmbeddingOptions {
            padding,
            scale_grad_by_freq: scale,
            ..EmbeddingOptions::default()
        };
        let f = |table: &Tensor<f64>| Ok(embedding(table, &ids, &conventions)?.square().sum());
        check_conventions(
            "embedding",
            f,
            &table,
            &ids,
            &conventions,
            &Options::default(),
        )
        .unwrap();
        let expected = value_and_grad(f, &table).unwrap().1;
        assert!(close(&found.to_vec(), &expected.to_vec()));
    }
}
