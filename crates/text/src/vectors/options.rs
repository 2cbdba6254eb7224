//! How vectors are loaded.

use std::path::Path;

use super::detect;
use super::report::LoadReport;
use super::source::Source;
use super::table::WordVectors;
use crate::error::Result;
use crate::file;
use crate::vocab::Vocab;

/// Which vectors of a file are loaded.
///
/// ```
/// use lexigrad_text::{Vocab, vectors::VectorOptions};
/// let vocab = Vocab::from_tokens(["Paris", "the"])?;
/// let options = VectorOptions { vocabulary: Some(&vocab), ..VectorOptions::default() };
/// let (vectors, report) = options.read(b"the 1 2\nof 3 4\nparis 5 6\n", "a.txt")?;
/// assert_eq!(vectors.words().collect::<Vec<_>>(), ["the", "paris"]);
/// assert_eq!(report.not_in_vocabulary, 1);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VectorOptions<'a> {
    /// Reads only as many rows, the first: files have frequent words first. What comes after them is not looked at.
    pub limit: Option<usize>,
    /// Keeps only the words of this vocabulary, and those that differ from one in case alone.
    pub vocabulary: Option<&'a Vocab>,
    /// Keeps the subwords of a fastText model, so that unseen words have vectors: most of such a file.
    pub subwords: bool,
    /// Shows a progress bar, if the feature `progress` is on.
    pub progress: bool,
}

impl Default for VectorOptions<'_> {
    /// Everything, silently.
    fn default() -> Self {
        Self {
            limit: None,
            vocabulary: None,
            subwords: true,
            progress: false,
        }
    }
}

impl VectorOptions<'_> {
    /// The vectors of a file, whose format is recognised by its content.
    ///
    /// The file is mapped into memory: it must not be changed while it is read. A pipe is read into memory first.
    ///
    /// # Errors
    /// If the file cannot be read or does not keep the rules of its format; the message names the line or byte.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(WordVectors, LoadReport)> {
        let path = path.as_ref();
        let bytes = file::bytes(path)?;
        self.read(&bytes, &path.display().to_string())
    }

    /// [`load`](Self::load) from the bytes of a file; `name` stands for it in messages.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, bytes: &[u8], name: &str) -> Result<(WordVectors, LoadReport)> {
        detect::read(&Source { name, data: bytes }, self)
    }
}
