//! The classifier, and its two files.

use std::error::Error;
use std::path::{Path, PathBuf};

use lexigrad::prelude::*;
use rand::Rng;

use crate::features::Features;

/// `scores = W mean(vectors of the words and phrases) + b`.
#[derive(Module)]
pub struct Classifier {
    pub embed: EmbeddingBag,
    pub out: Linear,
}

impl Classifier {
    /// Vectors drawn from ±1/dim and a zero output layer: every text starts undecided.
    pub fn new(rows: usize, dim: usize, labels: usize, rng: &mut impl Rng) -> Result<Self> {
        let bound = 1.0 / dim as f32;
        let model = Self {
            embed: EmbeddingBagConfig::new(rows, dim).from_pretrained(&Tensor::uniform(
                [rows, dim],
                -bound,
                bound,
                rng,
            ))?,
            out: Linear::new(dim, labels, rng),
        };
        model.embed.weight.set_requires_grad(true);
        model.out.weight.set(&Tensor::zeros([labels, dim]))?;
        Ok(model)
    }

    /// A score for each label of each text: `[texts, labels]`.
    pub fn forward(&self, texts: &Bags) -> Result<Tensor> {
        self.out.forward(&self.embed.forward(texts)?)
    }
}

/// The words, labels and settings stand beside the tensors.
fn features_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

pub fn save(path: &Path, features: &Features, model: &Classifier) -> Result<(), Box<dyn Error>> {
    std::fs::write(features_path(path), serde_json::to_string(features)?)?;
    Ok(model.save(path)?)
}

pub fn load(path: &Path) -> Result<(Features, Classifier), Box<dyn Error>> {
    let json = features_path(path);
    let text =
        std::fs::read_to_string(&json).map_err(|error| format!("{}: {error}", json.display()))?;
    let features: Features =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", json.display()))?;
    let state = StateDict::load(path)?;
    let dim = state
        .get("embed.weight")
        .and_then(|table| table.shape().last().copied())
        .unwrap_or(0);
    let mut rng = rand::rng();
    let model = Classifier::new(features.rows(), dim, features.labels().len(), &mut rng)?;
    model.load_state_dict(&state)?;
    Ok((features.indexed(), model))
}
