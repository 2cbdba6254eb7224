//! The subwords of a word and their vectors, as fastText has them.

/// The vectors of n-grams of characters, in B buckets `[B, D]`: of them fastText makes the vectors of unseen words.
///
/// The n-grams are those of `<word>`, of `minimum` to `maximum` characters; which bucket one falls into says its FNV-1a hash, in
/// which fastText takes bytes from 128 on as negative numbers (Bojanowski et al. 2017).
#[derive(Clone, Debug)]
pub struct Subwords {
    pub(super) grams: Grams,
    /// `[B, D]`
    pub(super) vectors: Vec<f32>,
    pub(super) dim: usize,
}

/// Which n-grams a model has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grams {
    pub(super) minimum: usize,
    pub(super) maximum: usize,
    pub(super) buckets: usize,
}

/// The word at the end of a line, which has no subwords.
const END_OF_LINE: &str = "</s>";

impl Subwords {
    /// The shortest n-grams, in characters.
    pub fn minimum(&self) -> usize {
        self.grams.minimum
    }

    /// The longest n-grams, in characters.
    pub fn maximum(&self) -> usize {
        self.grams.maximum
    }

    /// B, how many buckets there are.
    pub fn buckets(&self) -> usize {
        self.grams.buckets
    }

    /// The mean of the vectors of the subwords of an unseen word; `None` for one too short to have any, or if it is not finite.
    pub fn compose(&self, word: &str) -> Option<Vec<f32>> {
        let buckets = self.grams.buckets_of(word);
        let rows: Vec<&[f32]> = buckets.iter().map(|&bucket| self.row(bucket)).collect();
        mean(&rows, self.dim)
    }

    /// The vector of a known word: the mean of its own row and those of its subwords; `None` if it is not finite.
    pub(super) fn mean_with(&self, own: &[f32], word: &str) -> Option<Vec<f32>> {
        let buckets = self.grams.buckets_of(word);
        let grams = buckets.iter().map(|&bucket| self.row(bucket));
        let rows: Vec<&[f32]> = std::iter::once(own).chain(grams).collect();
        mean(&rows, self.dim)
    }

    fn row(&self, bucket: usize) -> &[f32] {
        &self.vectors[bucket * self.dim..][..self.dim]
    }
}

impl Grams {
    /// How many n-grams a word has at most, `<` and `>` alone included.
    pub(super) fn count(&self, word: &str) -> u128 {
        if self.maximum == 0
            || self.buckets == 0
            || self.minimum > self.maximum
            || word == END_OF_LINE
        {
            return 0;
        }
        // From a place with `left` characters, those of `minimum` to `maximum` of them; `<` and `>` are two more.
        let length = word.chars().count() + 2;
        let from = |left: usize| (left.min(self.maximum) + 1).saturating_sub(self.minimum.max(1));
        (1..=length).map(|left| from(left) as u128).sum()
    }

    /// The buckets of the n-grams of a word, in fastText's order: by start, then by length.
    pub(super) fn buckets_of(&self, word: &str) -> Vec<usize> {
        let mut found = Vec::new();
        if self.maximum == 0 || self.buckets == 0 || word == END_OF_LINE {
            return found;
        }
        let marked = format!("<{word}>");
        for (start, _) in marked.char_indices() {
            let mut hash = FNV_OFFSET;
            let ends = marked[start..].char_indices().take(self.maximum);
            for (count, (place, character)) in ends.enumerate() {
                let (first, end) = (start + place, start + place + character.len_utf8());
                hash = fnv(hash, &marked.as_bytes()[first..end]);
                let is_mark = count == 0 && (start == 0 || end == marked.len());
                if count + 1 >= self.minimum && !is_mark {
                    found.push(hash as usize % self.buckets);
                }
            }
        }
        found
    }
}

const FNV_OFFSET: u32 = 2_166_136_261;
const FNV_PRIME: u32 = 16_777_619;

/// FNV-1a, in which bytes from 128 on are negative numbers: so it came to be in fastText, and so its models are.
fn fnv(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, &byte| {
        (hash ^ i32::from(byte as i8) as u32).wrapping_mul(FNV_PRIME)
    })
}

/// The mean of rows, rounded as fastText rounds it; `None` if it is not finite, or there are no rows.
fn mean(rows: &[&[f32]], dim: usize) -> Option<Vec<f32>> {
    if rows.is_empty() {
        return None;
    }
    let mut mean = vec![0.0; dim];
    for row in rows {
        mean.iter_mut()
            .zip(*row)
            .for_each(|(sum, value)| *sum += value);
    }
    let factor = (1.0 / rows.len() as f64) as f32;
    mean.iter_mut().for_each(|sum| *sum *= factor);
    mean.iter().all(|value| value.is_finite()).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_fasttexts() {
        // FNV-1a of plain ASCII, and gensim's `ft_hash_bytes` of "é".
        assert_eq!(fnv(FNV_OFFSET, b"a"), 0xe40c_292c);
        assert_eq!(fnv(FNV_OFFSET, "é".as_bytes()), 1_023_043_777);
    }

    #[test]
    fn n_grams_come_by_start_and_marks_alone_are_none() {
        let grams = Grams {
            minimum: 1,
            maximum: 2,
            buckets: 1 << 31,
        };
        let bucket = |gram: &str| fnv(FNV_OFFSET, gram.as_bytes()) as usize % (1 << 31);
        let expected = ["<a", "a", "aé", "é", "é>"].map(bucket);
        assert_eq!(grams.buckets_of("aé"), expected);
        assert_eq!(grams.count("aé"), expected.len() as u128 + 2);
        assert!(grams.buckets_of("</s>").is_empty());
    }
}
