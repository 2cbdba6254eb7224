//! Words and their ids.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::io::Write;
use std::path::Path;

use lexigrad_tensor::message::quoted;
use serde::{Deserialize, Serialize};

use crate::coverage::Coverage;
use crate::error::{Error, Place, Result};
use crate::file;
use crate::object::{Object, place_of};
use crate::save::write_whole;

/// How a [`Vocab`] is built from tokens.
///
/// ```
/// use lexigrad_text::VocabOptions;
/// let options = VocabOptions { minimum_count: 2, specials: vec!["</s>".into()], ..VocabOptions::default() };
/// let vocab = options.build("a b a c b a".split(' '))?;
/// assert_eq!(vocab.words().collect::<Vec<_>>(), ["<pad>", "<unk>", "</s>", "a", "b"]);
/// assert_eq!(vocab.encode(["b", "c"])?, [4, 1]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VocabOptions {
    /// Words seen fewer times are left out.
    pub minimum_count: u64,
    /// The most words, specials with them; the most frequent stay.
    pub maximum_size: Option<usize>,
    /// The word that fills up short texts. It comes first.
    pub padding: Option<String>,
    /// The word that stands for every word left out. It comes after the padding.
    pub unknown: Option<String>,
    /// Further words that stand before all others, whether they occur or not.
    pub specials: Vec<String>,
}

impl Default for VocabOptions {
    /// Every word, after `<pad>` and `<unk>`.
    fn default() -> Self {
        Self {
            minimum_count: 1,
            maximum_size: None,
            padding: Some("<pad>".to_owned()),
            unknown: Some("<unk>".to_owned()),
            specials: Vec::new(),
        }
    }
}

impl VocabOptions {
    /// No padding, no unknown, no specials: labels, tags.
    pub fn plain() -> Self {
        Self {
            padding: None,
            unknown: None,
            ..Self::default()
        }
    }

    /// The vocabulary of `tokens`: the specials, then words by falling count, those of one count in alphabetical order.
    ///
    /// # Errors
    /// If a special is given twice, or there are more words than fit in 32 bits.
    pub fn build<W: AsRef<str>>(&self, tokens: impl IntoIterator<Item = W>) -> Result<Vocab> {
        let mut counts: HashMap<String, u64, Hasher> = HashMap::default();
        for token in tokens {
            let token = token.as_ref();
            match counts.get_mut(token) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(token.to_owned(), 1);
                }
            }
        }
        let leading = [&self.padding, &self.unknown].into_iter().flatten();
        let specials = leading.chain(&self.specials).cloned();
        let mut words: Vec<(String, u64)> = specials
            .map(|word| {
                let count = counts.remove(&word).unwrap_or(0);
                (word, count)
            })
            .collect();
        let mut others: Vec<(String, u64)> = counts.into_iter().collect();
        others.retain(|&(_, count)| count >= self.minimum_count);
        others.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.extend(others);
        if let Some(maximum) = self.maximum_size {
            words.truncate(maximum);
        }
        let reason = |reason| Error::argument("vocab", reason);
        Vocab::from_parts(self.padding.clone(), self.unknown.clone(), words).map_err(reason)
    }
}

/// Words and their ids, `0..len`, each with the number of times it was seen.
///
/// ```
/// use lexigrad_text::Vocab;
/// let vocab = Vocab::from_tokens("the cat saw the dog".split(' '))?;
/// assert_eq!((vocab.id("the"), vocab.word(2), vocab.count(2)), (Some(2), Some("the"), 2));
/// assert_eq!(vocab.encode(["the", "bird"])?, [2, 1]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Object<Saved>", into = "Saved")]
pub struct Vocab {
    padding: Option<u32>,
    unknown: Option<u32>,
    words: Vec<(String, u64)>,
    ids: HashMap<String, u32, Hasher>,
}

/// A fixed hasher: the same program makes the same moves every time.
type Hasher = BuildHasherDefault<std::hash::DefaultHasher>;

/// What the JSON holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    padding: Option<String>,
    unknown: Option<String>,
    words: Vec<(String, u64)>,
}

impl TryFrom<Object<Saved>> for Vocab {
    type Error = String;

    fn try_from(Object(saved): Object<Saved>) -> Result<Self, String> {
        Self::from_parts(saved.padding, saved.unknown, saved.words)
    }
}

impl From<Vocab> for Saved {
    fn from(vocab: Vocab) -> Self {
        let name = |id: Option<u32>| id.and_then(|id| vocab.word(id)).map(str::to_owned);
        Self {
            padding: name(vocab.padding),
            unknown: name(vocab.unknown),
            words: vocab.words,
        }
    }
}

impl Vocab {
    /// Every word of `tokens`, after `<pad>` and `<unk>`; [`VocabOptions`] has the choices.
    ///
    /// # Errors
    /// If there are more words than fit in 32 bits.
    pub fn from_tokens<W: AsRef<str>>(tokens: impl IntoIterator<Item = W>) -> Result<Self> {
        VocabOptions::default().build(tokens)
    }

    fn from_parts(
        padding: Option<String>,
        unknown: Option<String>,
        words: Vec<(String, u64)>,
    ) -> Result<Self, String> {
        let mut vocab = Self {
            padding: None,
            unknown: None,
            words: Vec::with_capacity(words.len()),
            ids: HashMap::with_capacity_and_hasher(words.len(), Hasher::default()),
        };
        for (word, count) in words {
            if vocab.ids.contains_key(&word) {
                return Err(format!("the word {} stands there twice", quoted(word)));
            }
            vocab.push(word, count)?;
        }
        let find = |name: &str, word: Option<String>| match word {
            None => Ok(None),
            Some(word) => match vocab.id(&word) {
                Some(id) => Ok(Some(id)),
                None => Err(format!(
                    "the {name} word {} is not among the words",
                    quoted(word)
                )),
            },
        };
        let (padding, unknown) = (find("padding", padding)?, find("unknown", unknown)?);
        Ok(Self {
            padding,
            unknown,
            ..vocab
        })
    }

    fn push(&mut self, word: String, count: u64) -> Result<(), String> {
        let full = |_| format!("{} words; ids have 32 bits", self.words.len() + 1);
        let id = u32::try_from(self.words.len()).map_err(full)?;
        self.ids.insert(word.clone(), id);
        self.words.push((word, count));
        Ok(())
    }

    /// Number of words: the rows that an embedding needs.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The id of `word`, if it has one.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.ids.get(word).copied()
    }

    /// The word of `id`.
    pub fn word(&self, id: u32) -> Option<&str> {
        self.words.get(id as usize).map(|(word, _)| word.as_str())
    }

    /// How often the word of `id` was seen; 0 for an id beyond the words.
    pub fn count(&self, id: u32) -> u64 {
        self.words.get(id as usize).map_or(0, |&(_, count)| count)
    }

    /// The words in the order of their ids.
    pub fn words(&self) -> impl ExactSizeIterator<Item = &str> {
        self.words.iter().map(|(word, _)| word.as_str())
    }

    /// The counts in the order of the ids.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = u64> {
        self.words.iter().map(|&(_, count)| count)
    }

    /// The id that fills up short texts.
    pub fn padding(&self) -> Option<u32> {
        self.padding
    }

    /// The id that stands for words that have none.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// The ids of `tokens`, that of the unknown word for those that have none.
    ///
    /// # Errors
    /// If a token has no id and there is no unknown word.
    pub fn encode<W: AsRef<str>>(&self, tokens: impl IntoIterator<Item = W>) -> Result<Vec<u32>> {
        let encode = |(position, token): (usize, W)| {
            let token = token.as_ref();
            self.id(token).or(self.unknown).ok_or_else(|| {
                let rule = "the vocabulary has no word for unknown ones";
                let reason = format!("token {position}, {}, has no id, and {rule}", quoted(token));
                Error::argument("encode", reason)
            })
        };
        tokens.into_iter().enumerate().map(encode).collect()
    }

    /// The words of `ids`.
    ///
    /// # Errors
    /// If an id is beyond the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<&str>> {
        let decode = |(position, &id): (usize, &u32)| {
            self.word(id).ok_or_else(|| {
                let reason = format!(
                    "id {id} at {position} is out of range for {} words",
                    self.len()
                );
                Error::argument("decode", reason)
            })
        };
        ids.iter().enumerate().map(decode).collect()
    }

    /// Counts `tokens` in, and gives the words among them that are new, if seen at least `minimum_count` times, the next
    /// ids, in the order in which they come. Returns how many. Ids that were there stay as they were.
    ///
    /// The rows of an embedding for them: [`Param::append_rows`](lexigrad_tensor::Param::append_rows).
    ///
    /// # Errors
    /// If there are more words than fit in 32 bits; then nothing has changed.
    pub fn grow<W: AsRef<str>>(
        &mut self,
        tokens: impl IntoIterator<Item = W>,
        minimum_count: u64,
    ) -> Result<usize> {
        let mut order = Vec::new();
        let mut counts: HashMap<String, u64, Hasher> = HashMap::default();
        for token in tokens {
            let token = token.as_ref();
            if let Some(count) = counts.get_mut(token) {
                *count += 1;
            } else {
                order.push(token.to_owned());
                counts.insert(token.to_owned(), 1);
            }
        }
        let is_new = |word: &String| !self.ids.contains_key(word) && counts[word] >= minimum_count;
        let new = order.iter().filter(|word| is_new(word)).count();
        if u32::try_from(self.len() + new).is_err() {
            let reason = format!("{} words; ids have 32 bits", self.len() + new);
            return Err(Error::argument("vocab", reason));
        }
        for word in order {
            let count = counts[&word];
            match self.ids.get(&word) {
                Some(&id) => {
                    let old = &mut self.words[id as usize].1;
                    *old = old.saturating_add(count);
                }
                None if count >= minimum_count => self
                    .push(word, count)
                    .map_err(|reason| Error::argument("vocab", reason))?,
                None => {}
            }
        }
        Ok(new)
    }

    /// How much of a text this vocabulary knows.
    pub fn coverage<W: AsRef<str>>(&self, tokens: impl IntoIterator<Item = W>) -> Coverage {
        Coverage::new(self, tokens)
    }

    /// Writes the words and counts as JSON, [whole or not at all](lexigrad_nn::write_whole).
    ///
    /// # Errors
    /// If the file cannot be written; then a file that was there is as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| {
            file.write_all(self.to_json().as_bytes())
        })
    }

    /// The words and counts as JSON: `{"padding": .., "unknown": .., "words": [["the", 3], ..]}`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is no such JSON, or holds a word twice; the message names the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = file::read_text(path)?;
        serde_json::from_str(&json).map_err(|cause| {
            // What is wrong with the words as a whole stands on no line.
            let (place, at) = match place_of(&json, &cause) {
                (0, _, reason) => (Place::Whole, reason),
                (line, column, reason) => {
                    (Place::Line(line), format!("{reason} at column {column}"))
                }
            };
            let reason = format!("not a vocabulary: {at}");
            Error::format(path.display().to_string(), place, reason)
        })
    }

    /// Reads what [`to_json`](Self::to_json) gave.
    ///
    /// # Errors
    /// If it is no such JSON, or holds a word twice.
    pub fn from_json(json: &str) -> Result<Self> {
        let fail = |cause: serde_json::Error| Error::argument("vocab", cause.to_string());
        serde_json::from_str(json).map_err(fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_stays_at_the_largest_number() {
        let most = u64::MAX;
        let json = format!(r#"{{"padding":null,"unknown":null,"words":[["a",{most}]]}}"#);
        let mut vocab = Vocab::from_json(&json).unwrap();
        assert_eq!(vocab.grow(["a", "b", "a"], 1).unwrap(), 1);
        assert_eq!(vocab.counts().collect::<Vec<_>>(), [most, 1]);
    }
}
