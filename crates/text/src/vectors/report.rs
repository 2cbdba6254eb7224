//! What was found in a file of vectors.

use std::fmt;

/// How vectors stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorFormat {
    /// A line `V D`, then a word and its D numbers on each line: word2vec's text, fastText's `.vec`.
    Word2VecText,
    /// A line `V D`, then each word, a space, and D little-endian `f32`.
    Word2VecBinary,
    /// A word and its numbers on each line, no header.
    GloVe,
    /// A whole fastText model, `.bin`.
    FastText,
}

impl fmt::Display for VectorFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Word2VecText => "word2vec text",
            Self::Word2VecBinary => "word2vec binary",
            Self::GloVe => "GloVe text",
            Self::FastText => "fastText model",
        })
    }
}

/// What was found while vectors were loaded; in one line as text.
///
/// ```
/// use lexigrad_text::vectors::VectorOptions;
/// let (_, report) = VectorOptions::default().read(b"the 1 2\r\nof 3 4\r\nthe 5 6", "a.txt")?;
/// let line = "GloVe text: 2 words of 2 numbers from 3 rows; 1 duplicates, CRLF line ends, no final newline";
/// assert_eq!(report.to_string(), line);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// The format, recognised by the content.
    pub format: VectorFormat,
    /// Rows that were read.
    pub rows: usize,
    /// Words that were kept.
    pub words: usize,
    /// D, how many numbers a vector has.
    pub dim: usize,
    /// Rows left out because their word stood there before.
    pub duplicates: usize,
    /// Rows left out because the vocabulary does not have their word.
    pub not_in_vocabulary: usize,
    /// Words with spaces in them, among the rows read.
    pub words_with_spaces: usize,
    /// Whether text has CRLF line ends, one at least.
    pub crlf: bool,
    /// Whether a text's last line ends like the others.
    pub final_newline: bool,
    /// Whether text starts with a byte order mark.
    pub byte_order_mark: bool,
}

impl LoadReport {
    pub(super) fn new(format: VectorFormat, dim: usize) -> Self {
        Self {
            format,
            rows: 0,
            words: 0,
            dim,
            duplicates: 0,
            not_in_vocabulary: 0,
            words_with_spaces: 0,
            crlf: false,
            final_newline: true,
            byte_order_mark: false,
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {} words of {} numbers from {} rows",
            self.format, self.words, self.dim, self.rows
        )?;
        let counts = [
            (self.duplicates, "duplicates"),
            (self.not_in_vocabulary, "not in the vocabulary"),
            (self.words_with_spaces, "words with spaces"),
        ];
        let counted = counts.into_iter().filter(|&(count, _)| count > 0);
        let marks = [
            (self.crlf, "CRLF line ends"),
            (!self.final_newline, "no final newline"),
            (self.byte_order_mark, "byte order mark"),
        ];
        let marked = marks.into_iter().filter(|&(is_so, _)| is_so);
        let notes: Vec<String> = counted
            .map(|(count, what)| format!("{count} {what}"))
            .chain(marked.map(|(_, what)| what.to_owned()))
            .collect();
        if !notes.is_empty() {
            write!(formatter, "; {}", notes.join(", "))?;
        }
        Ok(())
    }
}
