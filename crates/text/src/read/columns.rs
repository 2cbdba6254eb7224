//! A token with its tags on each line, a blank line between sentences.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::lines::{Lines, lines};
use crate::error::Result;

/// The columns of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The number of its first line, from 1.
    pub line: usize,
    /// Each column from top to bottom; all are of one length.
    pub columns: Vec<Vec<String>>,
}

impl Sentence {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which lines are no tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnsOptions {
    /// Whether lines that begin with `#` are comments, as in CoNLL-U; otherwise `#` is a token.
    pub comments: bool,
    /// Whether `-DOCSTART-` lines, as in CoNLL-2003, are left out.
    pub skip_document_starts: bool,
}

/// The sentences of a CoNLL file, where `#` and `-DOCSTART-` are tokens.
///
/// # Errors
/// If the file cannot be opened; items as for [`Columns`].
pub fn columns(path: impl AsRef<Path>) -> Result<Columns<BufReader<File>>> {
    Ok(Columns::new(lines(path)?, ColumnsOptions::default()))
}

/// Sentences of lines that each have a token and its tags, with tabs between or, where a line has no tab, ASCII white space:
/// tokens of real files are other kinds of space.
///
/// An item is an error if a line has not as many fields as the first of the file, or an empty one.
///
/// ```
/// use lexigrad_text::read::{Columns, ColumnsOptions, LineOptions, Lines};
/// let lines = Lines::new(&b"the\tat\ndog\tnn\n\nhe\tpps\n"[..], "tags", LineOptions::default());
/// let sentences: Vec<_> = Columns::new(lines, ColumnsOptions::default()).collect::<Result<_, _>>()?;
/// assert_eq!(sentences[0].columns, [["the", "dog"], ["at", "nn"]]);
/// assert_eq!(sentences[1].line, 4);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Columns<R> {
    lines: Lines<R>,
    options: ColumnsOptions,
    count: Option<usize>,
    is_over: bool,
}

impl<R: BufRead> Columns<R> {
    /// The sentences of `lines`; blank ones, which part them, are read whatever the lines' options say.
    pub fn new(lines: Lines<R>, options: ColumnsOptions) -> Self {
        Self {
            lines: lines.with_blank(),
            options,
            count: None,
            is_over: false,
        }
    }

    fn is_left_out(&self, text: &str) -> bool {
        (self.options.comments && text.starts_with('#'))
            || (self.options.skip_document_starts && text.starts_with("-DOCSTART-"))
    }

    /// The lines up to the next blank one.
    fn read(&mut self) -> Result<Option<Sentence>> {
        let mut sentence = Sentence {
            line: 0,
            columns: Vec::new(),
        };
        while let Some(line) = self.lines.next() {
            let line = line?;
            if line.text.trim_ascii().is_empty() {
                if sentence.is_empty() {
                    continue;
                }
                break;
            }
            if self.is_left_out(&line.text) {
                continue;
            }
            let fields: Vec<&str> = if line.text.contains('\t') {
                line.text.split('\t').map(str::trim_ascii).collect()
            } else {
                line.text.split_ascii_whitespace().collect()
            };
            let count = *self.count.get_or_insert(fields.len());
            if fields.len() != count {
                return Err(self.lines.wrong_count(line.number, fields.len(), count));
            }
            if fields.contains(&"") {
                return Err(self.lines.fault(line.number, "a field is empty"));
            }
            if sentence.is_empty() {
                sentence.line = line.number;
                sentence.columns = vec![Vec::new(); count];
            }
            for (column, field) in sentence.columns.iter_mut().zip(fields) {
                column.push(field.to_owned());
            }
        }
        Ok((!sentence.is_empty()).then_some(sentence))
    }
}

impl<R: BufRead> Iterator for Columns<R> {
    type Item = Result<Sentence>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let sentence = self.read().transpose();
        self.is_over = !matches!(sentence, Some(Ok(_)));
        sentence
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::LineOptions;

    fn read(text: &[u8], options: ColumnsOptions) -> Vec<Result<Sentence>> {
        let lines = Lines::new(text, "x", LineOptions::default());
        Columns::new(lines, options).collect()
    }

    #[test]
    fn comments_and_document_starts_by_option() {
        let text = b"-DOCSTART- -X-\n\n# a comment\nHe PRP\n# #\n\n\n\nruns VB";
        let options = ColumnsOptions {
            comments: true,
            skip_document_starts: true,
        };
        let found: Vec<Sentence> = read(text, options)
            .into_iter()
            .collect::<Result<_>>()
            .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].len(), found[1].line), (4, 1, 9));
        let found = read(b"a b\n# #\n", ColumnsOptions::default());
        assert_eq!(found[0].as_ref().unwrap().columns, [["a", "#"], ["b", "#"]]);
    }

    #[test]
    fn ragged_lines_are_refused() {
        let mut found = read(b"a b\n\nc\n", ColumnsOptions::default());
        let message = found.remove(1).unwrap_err().to_string();
        assert_eq!(message, "x, line 3: it has 1 field; 2 are expected");
        let mut found = read(b"a\t\n", ColumnsOptions::default());
        assert_eq!(
            found.remove(0).unwrap_err().to_string(),
            "x, line 1: a field is empty"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            written in prop::collection::vec(prop::collection::vec(("[!-~é]{1,5}", "[!-~é]{1,3}"), 1..5), 0..4),
            tabs: bool,
        ) {
            let between = if tabs { '\t' } else { ' ' };
            let sentence = |tokens: &Vec<(String, String)>| {
                tokens.iter().map(|(token, tag)| format!("{token}{between}{tag}\n")).collect::<String>()
            };
            let file = written.iter().map(sentence).collect::<Vec<_>>().join("\n");
            let found: Vec<Vec<Vec<String>>> = read(file.as_bytes(), ColumnsOptions::default())
                .into_iter()
                .map(|sentence| sentence.unwrap().columns)
                .collect();
            let columns = |tokens: Vec<(String, String)>| {
                let (tokens, tags): (Vec<String>, Vec<String>) = tokens.into_iter().unzip();
                vec![tokens, tags]
            };
            let wanted: Vec<Vec<Vec<String>>> = written.into_iter().map(columns).collect();
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn no_bytes_panic_and_an_error_is_the_last(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let found = read(&bytes, ColumnsOptions::default());
            prop_assert!(found.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
