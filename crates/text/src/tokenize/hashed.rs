//! Words, word runs and word beginnings as rows of a table that they share.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Gives each run of neighbouring words (a word alone is one), and each beginning of a word, a row among so many, by its hash.
///
/// There is no list of them, so that none is unknown; two may share a row (fastText's `wordNgrams` and `bucket`, with words hashed
/// too, and their beginnings in place of all their letter runs).
///
/// ```
/// use lexigrad_text::HashedFeatures;
/// let features = HashedFeatures { longest_run: 2, beginning: 5, buckets: 1000 };
/// let rows = features.rows(&["not", "entertaining"])?;
/// assert_eq!(rows.len(), 4); // "not", "entertaining", "not entertaining", "enter.."
/// assert_eq!(features.rows(&["entertained"])?[1..], rows[3..]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedFeatures {
    /// The most words in a run; 1 for words alone, 0 for none.
    pub longest_run: usize,
    /// The letters in a beginning, of words that have so many; 0 for none.
    pub beginning: usize,
    /// The rows.
    pub buckets: u32,
}

impl HashedFeatures {
    /// The rows of a text's runs, the shorter ones first, and then of its words' beginnings.
    ///
    /// # Errors
    /// If there are no buckets.
    pub fn rows<W: AsRef<str>>(&self, tokens: &[W]) -> Result<Vec<u32>> {
        let spans = self.spans(tokens)?.into_iter();
        Ok(spans.map(|(row, _)| row).collect())
    }

    /// The [`rows`](Self::rows), each with the places of the words that it comes of.
    ///
    /// # Errors
    /// If there are no buckets.
    pub fn spans<W: AsRef<str>>(&self, tokens: &[W]) -> Result<Vec<(u32, Range<usize>)>> {
        let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        let mut spans = Vec::new();
        self.check()?;
        for length in 1..=self.longest_run {
            for (start, run) in tokens.windows(length).enumerate() {
                spans.push((self.row(run)?, start..start + length));
            }
        }
        if self.beginning > 0 {
            for (place, token) in tokens.iter().enumerate() {
                if let Some(start) = self.beginning_of(token) {
                    // No token is empty, so that a beginning and the empty string are no run.
                    spans.push((self.row(&[start, ""])?, place..place + 1));
                }
            }
        }
        Ok(spans)
    }

    /// The row of anything that is written in parts.
    ///
    /// # Errors
    /// If there are no buckets.
    pub fn row(&self, parts: &[&str]) -> Result<u32> {
        self.check()?;
        Ok((hash(parts) % u64::from(self.buckets)) as u32)
    }

    fn check(&self) -> Result<()> {
        match self.buckets {
            0 => Err(Error::argument("hashed features", "no buckets")),
            _ => Ok(()),
        }
    }

    fn beginning_of<'a>(&self, token: &'a str) -> Option<&'a str> {
        let (last, character) = token.char_indices().nth(self.beginning - 1)?;
        Some(&token[..last + character.len_utf8()])
    }
}

/// The 64-bit FNV-1a hash of `parts` with a byte after each that no UTF-8 text holds: the same on every machine.
fn hash(parts: &[&str]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    let hash = bytes.fold(OFFSET_BASIS, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    // The remainder by a round number of buckets reads mostly the low bits, so the high ones are mixed in.
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_tell_word_order_apart_where_words_do_not() {
        let features = HashedFeatures {
            longest_run: 3,
            beginning: 0,
            buckets: 1000,
        };
        let rows = features.rows(&["not", "good", "not"]).unwrap();
        assert_eq!(rows.len(), 6);
        assert!(rows[0] == rows[2] && rows[3] != rows[4]);
        let places: Vec<_> = features
            .spans(&["not", "good", "not"])
            .unwrap()
            .into_iter()
            .map(|(_, span)| span)
            .collect();
        assert_eq!(places, [0..1, 1..2, 2..3, 0..2, 1..3, 0..3]);
        assert!(features.rows::<&str>(&[]).unwrap().is_empty());
    }

    #[test]
    fn letters_are_counted_not_bytes() {
        let features = HashedFeatures {
            longest_run: 0,
            beginning: 5,
            buckets: 1000,
        };
        let rows = |word: &str| features.rows(&[word]).unwrap();
        assert_eq!(rows("naïveté"), rows("naïve"));
        assert!(rows("naïv").is_empty());
        let none = HashedFeatures {
            buckets: 0,
            ..features
        };
        assert!(none.rows(&["a"]).is_err());
    }

    #[test]
    fn the_hash_is_fnv_1a_and_keeps_the_parts_apart() {
        let plain = 0xaf63_dc4c_8601_ec8c_u64; // FNV-1a of "a"
        let ended = (plain ^ 0xff).wrapping_mul(0x0100_0000_01b3);
        assert_eq!(hash(&["a"]), ended ^ (ended >> 29));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
