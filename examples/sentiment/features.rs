//! From a text to the ids of its words and phrases.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::reader::Corpus;

/// The words that are known, and the rows that phrases share.
#[derive(Serialize, Deserialize)]
pub struct Features {
    labels: Vec<String>,
    words: Vec<String>,
    ngrams: usize,
    buckets: usize,
    #[serde(skip)]
    ids: HashMap<String, u32>,
}

impl Features {
    /// The words that occur `min_count` times in the training texts, the most frequent first.
    pub fn new(corpus: &Corpus, min_count: usize, ngrams: usize, buckets: usize) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for example in &corpus.train {
            for word in tokenize(&example.text) {
                *counts.entry(word).or_default() += 1;
            }
        }
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.retain(|(_, count)| *count >= min_count);
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let words = counts.into_iter().map(|(word, _)| word).collect();
        let features = Self {
            labels: corpus.labels.clone(),
            words,
            ngrams,
            buckets,
            ids: HashMap::new(),
        };
        features.indexed()
    }

    /// With the index from words to ids, which is not saved.
    pub fn indexed(mut self) -> Self {
        self.ids = self.words.iter().cloned().zip(0..).collect();
        self
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Rows of the table: one for each word, and the buckets of the phrases behind them.
    pub fn rows(&self) -> usize {
        let phrases = if self.ngrams > 1 { self.buckets } else { 0 };
        self.words.len() + phrases
    }

    /// The rows of the words and phrases of a text; unknown words are left out.
    pub fn ids(&self, text: &str) -> Vec<u32> {
        let tokens = tokenize(text);
        let mut ids: Vec<u32> = tokens
            .iter()
            .filter_map(|token| self.ids.get(token).copied())
            .collect();
        if self.buckets > 0 {
            for length in 2..=self.ngrams {
                ids.extend(tokens.windows(length).map(|phrase| self.bucket(phrase)));
            }
        }
        ids
    }

    /// The row of a phrase, by the FNV-1a hash of its words.
    fn bucket(&self, phrase: &[String]) -> u32 {
        let bytes = phrase.iter().flat_map(|word| word.bytes().chain([b' ']));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (self.words.len() as u64 + hash % self.buckets as u64) as u32
    }
}

/// Lowercase words, apostrophes and hyphens inside them kept, and every other sign apart.
fn tokenize(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut word = String::new();
    for (index, &character) in characters.iter().enumerate() {
        let joins = matches!(character, '\'' | '-')
            && !word.is_empty()
            && characters
                .get(index + 1)
                .is_some_and(|next| next.is_alphanumeric());
        if character.is_alphanumeric() || joins {
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if !character.is_whitespace() {
            tokens.push(character.to_string());
        }
    }
    if !word.is_empty() {
        tokens.push(word);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lowercase_and_punctuation_stands_apart() {
        assert_eq!(
            tokenize("It\u{2019}s a well-made film, isn't it?! - Yes"),
            [
                "it's",
                "a",
                "well-made",
                "film",
                ",",
                "isn't",
                "it",
                "?",
                "!",
                "-",
                "yes"
            ]
        );
        assert!(tokenize(" \t").is_empty());
    }
}
