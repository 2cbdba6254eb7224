//! Tokens as a pretrained model's `tokenizer.json` cuts them.

use std::path::Path;

use tokenizers::{Encoding, Tokenizer};

use super::guard::guarded;
use super::outline;
use crate::error::{Error, Place, Result};
use crate::file;

/// A tokenizer read from a `tokenizer.json` (byte pairs, word pieces, unigrams), through the `tokenizers` crate.
///
/// That crate panics on many faults of a file, some of which show only at certain texts; such a panic is caught, is not printed, and
/// comes back as an error. What cannot be caught: a program built with `panic = "abort"` ends at it; so does any program whose
/// memory a table of normalised characters (`Precompiled`) made for that purpose fills.
///
/// Feature `tokenizers`.
#[derive(Debug)]
pub struct PretrainedTokenizer {
    tokenizer: Tokenizer,
    rows: usize,
}

impl PretrainedTokenizer {
    /// Reads a `tokenizer.json`. What it says of padding and cutting is left out: a text has the ids of its own tokens.
    ///
    /// # Errors
    /// If the file cannot be read, is no tokenizer, or asks for what no text needs: the file is beyond 256 MiB, two tokens have one
    /// id, an id is far beyond the number of tokens, a padding is longer than 2^20, or its normalizers make a text a million times
    /// as long.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::read(&file::read(path)?, &path.display().to_string())
    }

    /// [`load`](Self::load) from the bytes of a file; `name` stands for it in messages.
    ///
    /// # Errors
    /// As there.
    pub fn read(bytes: &[u8], name: &str) -> Result<Self> {
        let fail = |reason: String| Error::format(name, Place::Whole, reason);
        let ids = outline::check(bytes).map_err(fail)?;
        let read = || Tokenizer::from_bytes(bytes);
        let mut tokenizer = guarded(read).map_err(|cause| fail(not_a_tokenizer(&cause)))?;
        tokenizer.with_padding(None);
        // Taking the cutting away checks nothing, so it cannot fail.
        let _ = tokenizer.with_truncation(None);
        let rows = ids.max(tokenizer.get_vocab_size(true));
        Ok(Self { tokenizer, rows })
    }

    /// Ids of the tokens of `text`, with the marks that the tokenizer puts around a text if `specials`.
    ///
    /// # Errors
    /// If the tokenizer cannot cut the text.
    pub fn encode(&self, text: &str, specials: bool) -> Result<Vec<u32>> {
        Ok(self.encoding(text, specials)?.get_ids().to_vec())
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn tokens(&self, text: &str) -> Result<Vec<String>> {
        Ok(self.encoding(text, false)?.get_tokens().to_vec())
    }

    /// The text that `ids` stand for, without the marks around it.
    ///
    /// # Errors
    /// If the tokenizer cannot put them together.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        guarded(|| self.tokenizer.decode(ids, true)).map_err(failed)
    }

    fn encoding(&self, text: &str, specials: bool) -> Result<Encoding> {
        guarded(|| self.tokenizer.encode(text, specials)).map_err(failed)
    }

    /// One more than its largest id: the rows that an embedding needs.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it knows no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn not_a_tokenizer(cause: &str) -> String {
    format!("not a tokenizer: {cause}")
}

fn failed(cause: String) -> Error {
    Error::argument("tokenizer", cause)
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
