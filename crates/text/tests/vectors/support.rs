//! Small files of every format.

use std::path::PathBuf;

use lexigrad_text::Result;
use lexigrad_text::vectors::{LoadReport, VectorOptions, WordVectors};

/// A file recorded by `fixtures/record.py`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    folder.join("tests/fixtures").join(name)
}

pub(crate) fn read(bytes: &[u8]) -> Result<(WordVectors, LoadReport)> {
    VectorOptions::default().read(bytes, "file")
}

pub(crate) fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// word2vec's binary format, with the newlines of word2vec itself.
pub(crate) fn binary(header: &str, rows: &[(&[u8], &[f32])]) -> Vec<u8> {
    let mut bytes = format!("{header}\n").into_bytes();
    for (word, numbers) in rows {
        bytes.extend_from_slice(word);
        bytes.push(b' ');
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.push(b'\n');
    }
    bytes
}
