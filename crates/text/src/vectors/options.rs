//! How vectors are loaded.

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
