//! Models checked as a whole: every parameter by its path, sparse and dense, at both orders.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::{MaxNorm, Options, check_max_norm, gradcheck_module, gradgradcheck_module};
use lexigrad_nn::{
    Dropout, Embedding, EmbeddingBag, EmbeddingBagConfig, EmbeddingConfig, LayerNorm,
    LayerNormConfig, Linear, LinearConfig, Module,
};
use lexigrad_tensor::{
    Bags, EmbeddingOptions, Ids, Mask, Result, Tensor, cross_entropy, embedding,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

#[derive(Module)]
#[module(element = f64)]
struct Model {
    embed: Embedding<f64>,
    bags: EmbeddingBag<f64>,
    norm: LayerNorm<f64>,
    dropout: Dropout,
    out: Linear<f64>,
}

impl Model {
    fn new() -> Self {
        let rng = &mut StdRng::seed_from_u64(3);
        let padded = EmbeddingConfig {
            padding_idx: Some(0),
            ..EmbeddingConfig::new(4, 3)
        };
        Self {
            embed: padded.build(rng).unwrap(),
            bags: EmbeddingBagConfig::new(4, 3).build(rng).unwrap(),
            norm: LayerNormConfig::new([3]).build().unwrap(),
            dropout: Dropout::new(0.4).unwrap(),
            out: LinearConfig::new(3, 2).build(rng).unwrap(),
        }
    }

    fn forward(&self, scale: &Tensor<f64>) -> Result<Tensor<f64>> {
        let words = self
            .embed
            .forward(&Ids::new([[1, 3], [3, 0]])?)?
            .mean_axes(&[1])?;
        let bags = self
            .bags
            .forward(&Bags::from_lists(&[vec![2_u32, 2, 1], vec![]])?)?;
        let hidden = self.norm.forward(&words.add(&bags)?.mul(scale)?)?;
        let logits = self.out.forward(&self.dropout.forward(&hidden.tanh())?)?;
        cross_entropy(&logits, &Ids::new([1, 0])?)
    }
}

#[test]
fn a_model_with_sparse_tables_dropout_and_a_loss() {
    let model = Model::new();
    let inputs = [Tensor::new([0.5, -1.5, 2.0])];
    let before: Vec<Vec<f64>> = model
        .parameters()
        .iter()
        .map(|p| p.value().to_vec())
        .collect();
    let f = |x: &[Tensor<f64>]| model.forward(&x[0]);
    let report = gradcheck_module("model", &model, f, &inputs, &Options::default()).unwrap();
    assert!(report.derivatives >= 2 * 35, "{report}");
    assert!(
        report
            .to_string()
            .contains("row 0 of embed.weight is fixed, and left out"),
        "{report}"
    );
    gradgradcheck_module("model", &model, f, &inputs, &Options::default()).unwrap();
    let after: Vec<Vec<f64>> = model
        .parameters()
        .iter()
        .map(|p| p.value().to_vec())
        .collect();
    assert_eq!(before, after);
}

#[test]
fn a_tied_table_and_a_frozen_layer() {
    let rng = &mut StdRng::seed_from_u64(4);
    let embed: Embedding<f64> = EmbeddingConfig::new(4, 3).build(rng).unwrap();
    let frozen: Linear<f64> = LinearConfig::new(3, 3).build(rng).unwrap();
    frozen
        .parameters()
        .iter()
        .for_each(|param| param.set_requires_grad(false));
    let model = (&embed.weight, &frozen.weight, &frozen.bias);
    let ids = Ids::new([2, 0, 2]).unwrap();
    let f = |_: &[Tensor<f64>]| {
        let hidden = frozen.forward(&embed.forward(&ids)?)?.tanh();
        hidden.matmul(&embed.weight.value().transpose(0, 1)?)
    };
    let params = vec![model.0.clone(), model.1.clone()];
    let report = gradcheck_module("tied", &params, f, &[], &Options::default()).unwrap();
    assert_eq!(report.derivatives, 2 * 12 * 12);
}

#[test]
fn rows_renormalised_by_an_embedding_are_by_its_definition() {
    let config = EmbeddingConfig {
        max_norm: Some(0.8),
        ..EmbeddingConfig::new(5, 3)
    };
    let embed: Embedding<f64> = config.build(&mut StdRng::seed_from_u64(5)).unwrap();
    let ids = Ids::new([4, 1, 1]).unwrap();
    let limit = MaxNorm {
        max_norm: 0.8,
        norm_type: 2.0,
    };
    let f = || Ok(embed.forward(&ids)?.square());
    let plain =
        |table: &Tensor<f64>| Ok(embedding(table, &ids, &EmbeddingOptions::default())?.square());
    check_max_norm(
        "max_norm",
        f,
        plain,
        &embed.weight,
        &ids,
        limit,
        &Options::default(),
    )
    .unwrap();
}

#[test]
fn a_masked_softmax_whose_rows_may_be_empty() {
    let mask = Mask::from_lengths(&[2, 0], 3).not();
    let f = |x: &[Tensor<f64>]| x[0].masked_fill(&mask, f64::NEG_INFINITY)?.softmax(-1);
    let x = [Tensor::new([[0.5, -1.0, 2.0], [1.0, 0.0, -1.0]])];
    lexigrad_check::gradcheck("masked", f, &x, &Options::default()).unwrap();
    lexigrad_check::gradgradcheck("masked", f, &x, &Options::default()).unwrap();
}
