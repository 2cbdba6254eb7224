//! Distinct words in a fixed order, found by hashing; all in one string, so that a million of them cost little.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use hashbrown::HashTable;

/// A fixed hasher: the same program makes the same moves every time.
type Hasher = BuildHasherDefault<DefaultHasher>;

/// Distinct words, numbered from 0 in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    text: String,
    /// Where each word ends in the text.
    ends: Vec<usize>,
    places: HashTable<usize>,
}

impl Words {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|place| self.at(place))
    }

    /// The word at a place below [`len`](Self::len).
    pub(super) fn at(&self, place: usize) -> &str {
        word_at(&self.text, &self.ends, place)
    }

    pub(super) fn find(&self, word: &str) -> Option<usize> {
        let is_word = |&place: &usize| self.at(place) == word;
        self.places.find(hash(word), is_word).copied()
    }

    /// Whether the word is new; then it comes last.
    pub(super) fn insert(&mut self, word: &str) -> bool {
        if self.find(word).is_some() {
            return false;
        }
        self.text.push_str(word);
        self.ends.push(self.text.len());
        let (text, ends) = (&self.text, &self.ends);
        let rehash = |&place: &usize| hash(word_at(text, ends, place));
        self.places
            .insert_unique(hash(word), ends.len() - 1, rehash);
        true
    }
}

fn word_at<'a>(text: &'a str, ends: &[usize], place: usize) -> &'a str {
    let start = if place == 0 { 0 } else { ends[place - 1] };
    &text[start..ends[place]]
}

fn hash(word: &str) -> u64 {
    Hasher::default().hash_one(word)
}
