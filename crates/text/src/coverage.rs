//! How much of a text a vocabulary knows.

use std::collections::HashMap;
use std::fmt;

use lexigrad_tensor::message::printable_name;

use crate::vocab::Vocab;

/// How much of a text a [`Vocab`] knows, by tokens and by distinct words.
///
/// ```
/// use lexigrad_text::Vocab;
/// let vocab = Vocab::from_tokens(["a", "good", "film"])?;
/// let coverage = vocab.coverage(["a", "dull", "dull", "film"]);
/// assert_eq!((coverage.known_tokens, coverage.tokens), (2, 4));
/// assert_eq!(coverage.missing, [("dull".to_owned(), 2)]);
/// assert_eq!(coverage.to_string(), "2 of 4 tokens (50.0 %), 2 of 3 words (66.7 %); most frequent unknown: dull 2");
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Tokens of the text.
    pub tokens: u64,
    /// Those among them that have an id.
    pub known_tokens: u64,
    /// Distinct words of the text.
    pub words: u64,
    /// Those among them that have an id.
    pub known_words: u64,
    /// The words without an id and how often they occur, the most frequent first, then by the alphabet.
    pub missing: Vec<(String, u64)>,
}

impl Coverage {
    pub(crate) fn new<W: AsRef<str>>(vocab: &Vocab, tokens: impl IntoIterator<Item = W>) -> Self {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for token in tokens {
            *counts.entry(token.as_ref().to_owned()).or_default() += 1;
        }
        let (tokens, words) = (counts.values().sum(), counts.len() as u64);
        let mut missing: Vec<(String, u64)> = counts
            .into_iter()
            .filter(|(word, _)| vocab.id(word).is_none())
            .collect();
        missing.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let missing_tokens: u64 = missing.iter().map(|&(_, count)| count).sum();
        Self {
            tokens,
            known_tokens: tokens - missing_tokens,
            words,
            known_words: words - missing.len() as u64,
            missing,
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        write!(
            formatter,
            "{} of {} tokens ({:.1} %), {} of {} words ({:.1} %)",
            self.known_tokens,
            self.tokens,
            percent(self.known_tokens, self.tokens),
            self.known_words,
            self.words,
            percent(self.known_words, self.words)
        )?;
        for (place, (word, count)) in self.missing.iter().take(5).enumerate() {
            let before = if place == 0 {
                "; most frequent unknown:"
            } else {
                ","
            };
            write!(formatter, "{before} {} {count}", printable_name(word))?;
        }
        Ok(())
    }
}
