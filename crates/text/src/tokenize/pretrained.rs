//! Tokens as a pretrained model's `tokenizer.json` cuts them.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::{Error, Place, Result};

/// A tokenizer read from a `tokenizer.json` (byte pairs, word pieces, unigrams), through the `tokenizers` crate.
///
/// Feature `tokenizers`.
#[derive(Debug)]
pub struct PretrainedTokenizer(Tokenizer);

impl PretrainedTokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// If the file cannot be read or is no tokenizer.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|cause| Error::io(path, cause))?;
        let fail = |cause: tokenizers::Error| {
            let name = path.display().to_string();
            Error::format(name, Place::Whole, format!("not a tokenizer: {cause}"))
        };
        Tokenizer::from_bytes(&bytes).map(Self).map_err(fail)
    }

    /// Ids of the tokens of `text`, with the marks that the tokenizer puts around a text if `specials`.
    ///
    /// # Errors
    /// If the tokenizer cannot cut the text.
    pub fn encode(&self, text: &str, specials: bool) -> Result<Vec<u32>> {
        let encoding = self.0.encode(text, specials);
        let fail = |cause: tokenizers::Error| Error::argument("tokenizer", cause.to_string());
        Ok(encoding.map_err(fail)?.get_ids().to_vec())
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn tokens(&self, text: &str) -> Result<Vec<String>> {
        let encoding = self.0.encode(text, false);
        let fail = |cause: tokenizers::Error| Error::argument("tokenizer", cause.to_string());
        Ok(encoding.map_err(fail)?.get_tokens().to_vec())
    }

    /// The text that `ids` stand for, without the marks around it.
    ///
    /// # Errors
    /// If the tokenizer cannot put them together.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let fail = |cause: tokenizers::Error| Error::argument("tokenizer", cause.to_string());
        self.0.decode(ids, true).map_err(fail)
    }

    /// Number of tokens it knows: the rows that an embedding needs.
    pub fn len(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    /// Whether it knows no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null, "model": {"type": "WordLevel", "unk_token": "<unk>",
        "vocab": {"<unk>": 0, "a": 1, "film": 2}}}"#;

    #[test]
    fn a_tokenizer_json_cuts_and_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, TOKENIZER).unwrap();
        let tokenizer = PretrainedTokenizer::load(&path).unwrap();
        assert_eq!(tokenizer.encode("A dull film", true).unwrap(), [1, 0, 2]);
        assert_eq!(tokenizer.tokens("A film").unwrap(), ["a", "film"]);
        assert_eq!(tokenizer.decode(&[1, 2]).unwrap(), "a film");
        assert_eq!(tokenizer.len(), 3);

        std::fs::write(&path, "{").unwrap();
        let message = PretrainedTokenizer::load(&path).unwrap_err().to_string();
        assert!(
            message.contains("tokenizer.json: not a tokenizer"),
            "{message}"
        );
    }
}
