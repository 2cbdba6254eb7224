//! From the tokens of a text to the rows of the embedding table.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// What is learned of a text beside its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    /// Longest run of neighbouring tokens that has a row; 1 for none.
    pub ngrams: usize,
    /// Letters in the beginning of a word that has a row; 0 for none.
    pub prefix: usize,
    /// Rows that runs and beginnings share.
    pub buckets: u32,
}

/// The words that have a row of their own, followed by the rows that word runs and beginnings are hashed to.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    words: Vec<String>,
    ids: HashMap<String, u32>,
    features: Features,
}

impl Vocabulary {
    /// The words that occur at least `min_count` times in `texts`: the most frequent first, equals in alphabetical order.
    pub fn from_texts<'a>(
        texts: impl IntoIterator<Item = &'a [String]>,
        min_count: usize,
        features: Features,
    ) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for token in texts.into_iter().flatten() {
            *counts.entry(token).or_default() += 1;
        }
        let mut kept: Vec<(&str, usize)> = counts
            .into_iter()
            .filter(|&(_, count)| count >= min_count)
            .collect();
        kept.sort_unstable_by(|(word, count), (other_word, other_count)| {
            other_count.cmp(count).then(word.cmp(other_word))
        });
        let words = kept.into_iter().map(|(word, _)| word.to_owned()).collect();
        Self::from_words(words, features)
    }

    /// The given distinct words; the id of a word is its place.
    pub fn from_words(words: Vec<String>, features: Features) -> Self {
        let ids = (0..).zip(&words).map(|(id, word)| (word.clone(), id));
        Self {
            ids: ids.collect(),
            words,
            features,
        }
    }

    /// The words, each at the place of its id.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The id of `word`, if it has a row of its own.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.ids.get(word).copied()
    }

    /// What is learned beside the words.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Rows of the embedding table.
    pub fn rows(&self) -> usize {
        let hashed = self.features.ngrams > 1 || self.features.prefix > 0;
        self.words.len()
            + if hashed {
                self.features.buckets as usize
            } else {
                0
            }
    }

    /// The rows that stand for a text: its known words, its word runs, and the beginnings of its words.
    ///
    /// An unknown word has no row of its own, but its runs and its beginning count. A text may have no row at all.
    pub fn encode(&self, tokens: &[String]) -> Vec<u32> {
        let Features { ngrams, prefix, .. } = self.features;
        let mut rows: Vec<u32> = tokens.iter().filter_map(|token| self.id(token)).collect();
        for length in 2..=ngrams {
            rows.extend(tokens.windows(length).map(|run| self.bucket(run)));
        }
        if prefix > 0 {
            let beginnings = tokens.iter().filter_map(|token| beginning(token, prefix));
            // No token is empty, so a beginning and the empty string are no run.
            rows.extend(beginnings.map(|start| self.bucket(&[start, ""])));
        }
        rows
    }

    /// The row that `parts` are hashed to.
    fn bucket(&self, parts: &[impl AsRef<str>]) -> u32 {
        let place = hash(parts) % u64::from(self.features.buckets);
        self.words.len() as u32 + place as u32
    }
}

/// The first `letters` characters of `token`, if it has so many.
fn beginning(token: &str, letters: usize) -> Option<&str> {
    let (last, character) = token.char_indices().nth(letters - 1)?;
    Some(&token[..last + character.len_utf8()])
}

/// The 64-bit FNV-1a hash of `parts` with a byte after each that no UTF-8 text holds: the same on every machine.
fn hash(parts: &[impl AsRef<str>]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = parts
        .iter()
        .flat_map(|part| part.as_ref().bytes().chain([0xff]));
    let hash = bytes.fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    // The remainder by a round number of buckets reads mostly the low bits, so the high ones are mixed in.
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tokenize;

    const WORDS_ONLY: Features = Features {
        ngrams: 1,
        prefix: 0,
        buckets: 1000,
    };

    fn vocabulary(text: &str, min_count: usize, features: Features) -> Vocabulary {
        Vocabulary::from_texts([&tokenize(text)[..]], min_count, features)
    }

    #[test]
    fn ids_go_by_count_and_then_by_the_alphabet() {
        let vocabulary = vocabulary("b a c b d c b rare", 1, WORDS_ONLY);
        assert_eq!(vocabulary.words(), ["b", "c", "a", "d", "rare"]);
        assert_eq!(
            (vocabulary.id("c"), vocabulary.id("unseen")),
            (Some(1), None)
        );
    }

    #[test]
    fn rare_and_unknown_words_have_no_row() {
        let vocabulary = vocabulary("good good film film seldom", 2, WORDS_ONLY);
        assert_eq!(vocabulary.rows(), 2);
        assert_eq!(
            vocabulary.encode(&tokenize("seldom a good film")),
            [vocabulary.id("good"), vocabulary.id("film")].map(Option::unwrap)
        );
        assert!(vocabulary.encode(&[]).is_empty());
    }

    #[test]
    fn runs_tell_word_order_apart_where_words_do_not() {
        let features = Features {
            ngrams: 2,
            ..WORDS_ONLY
        };
        let vocabulary = vocabulary("not good but bad", 1, features);
        let (one, other) = (tokenize("not good"), tokenize("good not"));
        assert_ne!(vocabulary.encode(&one)[2], vocabulary.encode(&other)[2]);
        assert_eq!(vocabulary.encode(&one).len(), 3);
        assert!(vocabulary.encode(&one)[2] as usize >= vocabulary.words().len());
        assert_eq!(vocabulary.rows(), 4 + 1000);
    }

    #[test]
    fn an_unknown_word_shares_the_beginning_of_a_known_one() {
        let features = Features {
            prefix: 5,
            ..WORDS_ONLY
        };
        let vocabulary = vocabulary("entertaining naïveté", 1, features);
        let known = vocabulary.encode(&tokenize("entertaining"));
        assert_eq!(vocabulary.encode(&tokenize("entertained")), known[1..]);
        assert_eq!(vocabulary.encode(&tokenize("naïve")).len(), 1);
        assert!(vocabulary.encode(&tokenize("ente")).is_empty());
    }

    #[test]
    fn the_hash_is_fnv_1a_and_keeps_the_parts_apart() {
        let plain = 0xaf63_dc4c_8601_ec8c_u64; // FNV-1a of "a"
        let ended = (plain ^ 0xff).wrapping_mul(0x0100_0000_01b3);
        assert_eq!(hash(&["a"]), ended ^ (ended >> 29));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
