//! A trained model with its words and tags: tagging, judging.

use lexigrad::prelude::*;
use lexigrad_text::batch::Padded;
use lexigrad_text::metrics::Mean;
use lexigrad_text::{HashedFeatures, Vocab};
use rayon::prelude::*;

use crate::data::Tagged;
use crate::model::{BUCKETS, Batch, Tagger, affixes};

/// Sentences that a thread takes at a time: what is summed in which order follows from it, never from the number of threads.
pub const SHARD: usize = 8;

/// A model with its words and tags.
pub struct Trained {
    pub model: Tagger,
    pub words: Vocab,
    pub tags: Vocab,
}

impl Trained {
    pub fn collate(&self, sentences: &[&Tagged]) -> lexigrad_text::Result<Batch> {
        let words = sentences.iter().map(|(words, _)| self.words.encode(words));
        let words = Padded::new(&words.collect::<Result<Vec<_>, _>>()?, 0)?;
        let tags = sentences.iter().map(|(_, tags)| self.tags.encode(tags));
        let tags = Padded::new(&tags.collect::<Result<Vec<_>, _>>()?, 0)?;
        Ok(Batch {
            letters: letters(sentences, words.ids.shape()[1])?,
            words,
            tags,
        })
    }

    fn tag(&self, sentences: &[&Tagged]) -> lexigrad_text::Result<Vec<Vec<u32>>> {
        let words = sentences.iter().map(|(words, _)| self.words.encode(words));
        let words = Padded::new(&words.collect::<Result<Vec<_>, _>>()?, 0)?;
        Ok(self
            .model
            .tag(&words, &letters(sentences, words.ids.shape()[1])?)?)
    }

    /// A sentence with spaces between its words, each of them with its tag.
    pub fn tagged(&self, sentence: &str) -> lexigrad_text::Result<String> {
        let words: Vec<String> = sentence.split_whitespace().map(str::to_lowercase).collect();
        let found = self.tag(&[&(words.clone(), Vec::new())])?.concat();
        let pairs = words.iter().zip(self.tags.decode(&found)?);
        let pairs: Vec<String> = pairs.map(|(word, tag)| format!("{word}/{tag}")).collect();
        Ok(pairs.join(" "))
    }

    /// The share of words whose tag is right, and of those never seen in training.
    pub fn judge(&self, name: &str, sentences: &[Tagged]) -> lexigrad_text::Result<()> {
        let all: Vec<&Tagged> = sentences.iter().collect();
        let found: Vec<Vec<Vec<u32>>> = all
            .par_chunks(SHARD)
            .map(|shard| self.tag(shard))
            .collect::<Result<_, _>>()?;
        let (mut right, mut unseen) = (Mean::default(), Mean::default());
        for ((words, tags), found) in sentences.iter().zip(found.into_iter().flatten()) {
            for ((word, tag), found) in words.iter().zip(tags).zip(found) {
                let is_right = f64::from(u8::from(self.tags.id(tag) == Some(found)));
                right.add(is_right, 1);
                if self.words.id(word).is_none() {
                    unseen.add(is_right, 1);
                }
            }
        }
        println!(
            "{name}: {:.4} of {} words right; {:.4} of {} rare or unseen",
            right.value(),
            right.items(),
            unseen.value(),
            unseen.items()
        );
        Ok(())
    }
}

/// A bag of affixes for each place of the padded sentences, an empty one for padding.
fn letters(sentences: &[&Tagged], length: usize) -> lexigrad_text::Result<Bags> {
    let features = HashedFeatures {
        longest_run: 0,
        beginning: 1,
        buckets: BUCKETS,
    };
    let mut bags = Vec::with_capacity(sentences.len() * length);
    for (words, _) in sentences {
        for word in words {
            let rows = affixes(word)
                .into_iter()
                .map(|affix| features.row(&[&affix]));
            bags.push(rows.collect::<Result<Vec<u32>, _>>()?);
        }
        bags.resize(bags.len() + length - words.len(), Vec::new());
    }
    Ok(Bags::from_lists(&bags)?)
}
