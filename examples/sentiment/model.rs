//! The classifier, and what belongs to it: its words and labels.

use std::error::Error;
use std::path::{Path, PathBuf};

use lexigrad::prelude::*;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::tokenizer::tokenize;
use crate::vocabulary::{Features, Vocabulary};

/// `scores = W mean(vectors of the words, word runs and beginnings) + b`.
#[derive(Module)]
pub struct Classifier {
    pub embed: EmbeddingBag,
    pub out: Linear,
}

impl Classifier {
    /// Vectors drawn evenly between ±1/dim, so that words seen once or twice weigh little.
    pub fn new(rows: usize, dim: usize, labels: usize, rng: &mut impl Rng) -> Result<Self> {
        let bound = 1.0 / dim as f32;
        let embed =
            EmbeddingBag::from_pretrained(&Tensor::uniform([rows, dim], -bound, bound, rng))?;
        embed.weight.set_requires_grad(true);
        Ok(Self {
            embed,
            out: Linear::new(dim, labels, rng),
        })
    }

    /// A score for each label of each text: `[texts, labels]`.
    pub fn forward(&self, texts: &Bags) -> Result<Tensor> {
        self.out.forward(&self.embed.forward(texts)?)
    }
}

/// A classifier with its words and labels.
pub struct Trained {
    pub labels: Vec<String>,
    pub vocabulary: Vocabulary,
    pub model: Classifier,
}

/// What is written beside the tensors.
#[derive(Serialize, Deserialize)]
struct Description {
    labels: Vec<String>,
    words: Vec<String>,
    features: Features,
}

impl Trained {
    /// The probability of each label for each text: `[texts, labels]`.
    pub fn predict(&self, texts: &[&str]) -> Result<Tensor> {
        let encode = |text: &&str| self.vocabulary.encode(&tokenize(text));
        let lists: Vec<Vec<u32>> = texts.iter().map(encode).collect();
        self.model.forward(&Bags::from_lists(&lists)?)?.softmax(-1)
    }

    /// Writes the tensors to `path`, and the words and labels to `path.json`.
    pub fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let description = Description {
            labels: self.labels.clone(),
            words: self.vocabulary.words().to_vec(),
            features: self.vocabulary.features(),
        };
        std::fs::write(beside(path), serde_json::to_string(&description)?)?;
        Ok(self.model.save(path)?)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(path: &Path) -> Result<Self, Box<dyn Error>> {
        let json = beside(path);
        let fail = |reason: &dyn std::fmt::Display| format!("{}: {reason}", json.display());
        let text = std::fs::read_to_string(&json).map_err(|error| fail(&error))?;
        let found: Description = serde_json::from_str(&text).map_err(|error| fail(&error))?;
        let state = StateDict::load(path)?;
        let dim = state
            .get("embed.weight")
            .and_then(|table| table.shape().last().copied());
        let vocabulary = Vocabulary::from_words(found.words, found.features);
        let mut rng = rand::rng();
        let model = Classifier::new(
            vocabulary.rows(),
            dim.unwrap_or(0),
            found.labels.len(),
            &mut rng,
        )?;
        model.load_state_dict(&state)?;
        Ok(Self {
            labels: found.labels,
            vocabulary,
            model,
        })
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}
