//! A trained classifier with its words and labels: what is saved, loaded and asked.

use std::error::Error;
use std::path::Path;

use lexigrad::prelude::*;
use lexigrad_text::batch::{Padded, in_order};
use lexigrad_text::metrics::Confusion;
use lexigrad_text::read::LabelledText;
use lexigrad_text::{Vocab, words};
use serde::{Deserialize, Serialize};

use crate::model::{Classifier, Settings, Texts};

/// Under which name the header of a file has the description.
const DESCRIPTION: &str = "sentiment";
/// Texts that are looked at side by side when nothing is learned.
const SIDE_BY_SIDE: usize = 64;

pub struct Trained {
    pub description: Description,
    /// One, or an ensemble.
    pub models: Vec<Classifier>,
}

/// What is written with the tensors.
#[derive(Serialize, Deserialize)]
pub struct Description {
    pub settings: Settings,
    pub labels: Vec<String>,
    pub vocab: Vocab,
    pub models: usize,
}

/// A text as ids.
pub struct Encoded {
    pub words: Vec<u32>,
    pub features: Vec<u32>,
    pub label: u32,
}

impl Description {
    pub fn encode(&self, text: &str, label: u32) -> lexigrad_text::Result<Encoded> {
        let tokens = words(text);
        Ok(Encoded {
            words: self.vocab.encode(&tokens)?,
            features: self.settings.features.rows(&tokens)?,
            label,
        })
    }

    pub fn encode_all(&self, examples: &[LabelledText]) -> lexigrad_text::Result<Vec<Encoded>> {
        examples
            .iter()
            .map(|example| self.encode(&example.text, example.label))
            .collect()
    }
}

/// The texts of a batch, and their labels.
pub fn collate(texts: &[Encoded], batch: &[usize]) -> lexigrad_text::Result<(Texts, Ids)> {
    let of = |part: fn(&Encoded) -> &[u32]| -> Vec<&[u32]> {
        batch.iter().map(|&index| part(&texts[index])).collect()
    };
    let labels: Vec<u32> = batch.iter().map(|&index| texts[index].label).collect();
    let words = Padded::new(&of(|text| &text.words), 0)?;
    let features = Bags::from_lists(&of(|text| &text.features))?;
    Ok((Texts { words, features }, Ids::new(labels)?))
}

impl Trained {
    /// The probability of each label for each text, the mean of the models' own.
    fn predict_by(
        &self,
        models: &[Classifier],
        texts: &[Encoded],
    ) -> lexigrad_text::Result<Vec<Vec<f32>>> {
        let mut found = Vec::with_capacity(texts.len());
        for batch in in_order(texts.len(), SIDE_BY_SIDE) {
            let (texts, _) = collate(texts, &batch)?;
            let each = models
                .iter()
                .map(|model| model.forward(&texts)?.softmax(-1));
            let each = each.collect::<Result<Vec<Tensor>>>()?;
            let mean = stack(&each.iter().collect::<Vec<_>>(), 0)?
                .mean_axes(&[0])?
                .to_vec();
            found.extend(
                mean.chunks(self.description.labels.len())
                    .map(<[f32]>::to_vec),
            );
        }
        Ok(found)
    }

    /// The probability of each label for each text, the mean of all models' own.
    pub fn predict(&self, texts: &[Encoded]) -> lexigrad_text::Result<Vec<Vec<f32>>> {
        self.predict_by(&self.models, texts)
    }

    /// Which labels were taken for which, by so many of the models.
    pub fn confusion(&self, models: usize, texts: &[Encoded]) -> lexigrad_text::Result<Confusion> {
        let labels = Ids::new(texts.iter().map(|text| text.label).collect::<Vec<_>>())?;
        let best = self
            .predict_by(&self.models[..models.min(self.models.len())], texts)?
            .iter()
            .map(|found| strongest(found)[0])
            .collect::<Vec<_>>();
        let mut confusion = Confusion::new(self.description.labels.len());
        confusion.add(&labels, &Ids::new(best)?)?;
        Ok(confusion)
    }

    /// Writes the tensors, and in the header of their file the words and labels.
    pub fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let description = serde_json::to_string(&self.description)?;
        let state = self.models.state_dict();
        Ok(state.with_metadata(DESCRIPTION, description).save(path)?)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(path: &Path) -> Result<Self, Box<dyn Error>> {
        let fail = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
        let state = StateDict::load(path)?;
        let text = state.metadata(DESCRIPTION);
        let text = text.ok_or_else(|| {
            fail(&"its header describes no classifier; --save writes one that does")
        })?;
        let description: Description = serde_json::from_str(text).map_err(|error| fail(&error))?;
        let fresh = |_| Classifier::new(&description.settings, None, &mut rand::rng());
        let models = (0..description.models)
            .map(fresh)
            .collect::<Result<Vec<_>>>()?;
        models.load_state_dict(&state)?;
        Ok(Self {
            description,
            models,
        })
    }
}

/// The places of the values, the largest first.
pub fn strongest(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use lexigrad_text::{HashedFeatures, VocabOptions};

    use super::*;
    use crate::args::Kind;

    #[test]
    fn what_is_saved_is_one_file_and_answers_the_same() {
        let vocab = VocabOptions::default().build(words("a joy to watch"));
        let vocab = vocab.unwrap();
        let settings = Settings {
            kind: Kind::Bag,
            words: vocab.len(),
            dim: 3,
            hidden: 2,
            labels: 2,
            features: HashedFeatures {
                longest_run: 2,
                beginning: 3,
                buckets: 50,
            },
        };
        let model = |_| Classifier::new(&settings, None, &mut rand::rng()).unwrap();
        let models = (0..2).map(model).collect();
        let description = Description {
            settings: settings.clone(),
            labels: vec!["bad".to_owned(), "good".to_owned()],
            vocab,
            models: 2,
        };
        let trained = Trained {
            description,
            models,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        trained.save(&path).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let answer = |trained: &Trained| {
            let text = trained.description.encode("a dull joy", 0).unwrap();
            trained.predict(&[text]).unwrap()
        };
        assert_eq!(answer(&Trained::load(&path).unwrap()), answer(&trained));

        trained.models.save(&path).unwrap();
        let message = Trained::load(&path).err().unwrap().to_string();
        let rule = "its header describes no classifier; --save writes one that does";
        assert_eq!(message, format!("{}: {rule}", path.display()));
    }
}
