//! fastText's labels and text on each line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::lines::{Line, Lines, lines};
use crate::error::Result;

/// What stands before the name of a label.
pub(super) const PREFIX: &str = "__label__";

/// What parts words in fastText.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

/// A text and its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedText {
    /// The number of its line, from 1.
    pub line: usize,
    /// The names of its labels, without `__label__`; at least one.
    pub labels: Vec<String>,
    /// What stands after them.
    pub text: String,
}

/// The texts of a file in fastText's form; blank lines are left out.
///
/// # Errors
/// If the file cannot be opened; items as for [`FastText`].
pub fn fasttext(path: impl AsRef<Path>) -> Result<FastText<BufReader<File>>> {
    Ok(FastText::new(lines(path)?))
}

/// A text on each line, with one label or several before it: `__label__NAME text`. ASCII white space parts them, as in fastText;
/// other kinds of space are letters.
///
/// An item is an error if a line does not begin with a label, a label has no name, there is no text, or a label stands inside the
/// text. fastText takes labels anywhere in a line, and lines without any.
///
/// ```
/// use lexigrad_text::read::{FastText, LineOptions, Lines};
/// let bytes = b"__label__good __label__short a joy\na bore\n";
/// let mut texts = FastText::new(Lines::new(&bytes[..], "reviews", LineOptions::default()));
/// let first = texts.next().unwrap()?;
/// assert_eq!((first.labels, &first.text[..]), (vec!["good".to_owned(), "short".to_owned()], "a joy"));
/// let error = texts.next().unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "reviews, line 2: it does not begin with __label__");
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct FastText<R> {
    lines: Lines<R>,
    is_over: bool,
}

impl<R: BufRead> FastText<R> {
    /// The texts of `lines`.
    pub fn new(lines: Lines<R>) -> Self {
        Self {
            lines,
            is_over: false,
        }
    }

    fn cut(&self, line: &Line) -> Result<TaggedText> {
        let fault = |reason: &str| Err(self.lines.fault(line.number, reason));
        let mut labels = Vec::new();
        let mut text = line.text.trim_matches(is_space);
        while let Some(rest) = text.strip_prefix(PREFIX) {
            let (label, after) = rest.split_once(is_space).unwrap_or((rest, ""));
            if label.is_empty() {
                return fault("the label is empty");
            }
            labels.push(label.to_owned());
            text = after.trim_start_matches(is_space);
        }
        if labels.is_empty() {
            return fault("it does not begin with __label__");
        }
        if text.is_empty() {
            return fault("the text is empty");
        }
        if text.split(is_space).any(|word| word.starts_with(PREFIX)) {
            return fault("a label stands inside the text");
        }
        Ok(TaggedText {
            line: line.number,
            labels,
            text: text.to_owned(),
        })
    }
}

impl<R: BufRead> Iterator for FastText<R> {
    type Item = Result<TaggedText>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let text = self.lines.next()?.and_then(|line| self.cut(&line));
        self.is_over = text.is_err();
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::LineOptions;

    fn read(bytes: &[u8]) -> Vec<Result<TaggedText>> {
        FastText::new(Lines::new(bytes, "x", LineOptions::default())).collect()
    }

    #[test]
    fn lines_that_do_not_fit_are_refused_and_end_the_reading() {
        for (line, reason) in [
            ("fine", "it does not begin with __label__"),
            ("__label__", "the label is empty"),
            ("__label__ fine", "the label is empty"),
            ("__label__a __label__b ", "the text is empty"),
            ("__label__a b __label__c", "a label stands inside the text"),
        ] {
            let found = read(format!("__label__a b\n\n{line}\n__label__a b").as_bytes());
            assert_eq!(found.len(), 2);
            let message = found[1].as_ref().unwrap_err().to_string();
            assert_eq!(message, format!("x, line 3: {reason}"));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            written in prop::collection::vec((prop::collection::vec("[!-~é]{1,5}", 1..4), "[a-zé][ -^é]{0,8}[a-zé]"), 0..5),
        ) {
            let line = |(labels, text): &(Vec<String>, String)| {
                labels.iter().map(|label| format!("{PREFIX}{label} ")).collect::<String>() + text + "\n"
            };
            let file: String = written.iter().map(line).collect();
            let found: Vec<(Vec<String>, String)> = read(file.as_bytes())
                .into_iter()
                .map(|text| text.unwrap())
                .map(|text| (text.labels, text.text))
                .collect();
            prop_assert_eq!(found, written);
        }

        #[test]
        fn no_bytes_panic_and_an_error_is_the_last(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(read(&bytes).iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
