//! Fields with tabs between.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::lines::{Lines, lines};
use crate::error::Result;

/// The fields of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the line that it begins on, from 1.
    pub line: usize,
    /// What stands in it.
    pub fields: Vec<String>,
}

/// The rows of a file of tab-separated values; blank lines are left out.
///
/// # Errors
/// If the file cannot be opened; items as for [`Tsv`].
pub fn tsv(path: impl AsRef<Path>) -> Result<Tsv<BufReader<File>>> {
    Ok(Tsv::new(lines(path)?))
}

/// A source and a target on each line, with a tab between.
///
/// # Errors
/// If the file cannot be read, or a line has not two fields, both with something in them.
pub fn pairs(path: impl AsRef<Path>) -> Result<Vec<(String, String)>> {
    tsv(path)?.with_columns(2).pairs()
}

/// Rows of fields with tabs between. Nothing is quoted, so that a field holds no tab and no line end.
///
/// An item is an error if a row has not as many fields as the first, or as [`with_columns`](Self::with_columns) says.
///
/// ```
/// use lexigrad_text::read::{LineOptions, Lines, Tsv};
/// let mut rows = Tsv::new(Lines::new(&b"1\tfine\n0\n"[..], "reviews", LineOptions::default()));
/// assert_eq!(rows.next().unwrap()?.fields, ["1", "fine"]);
/// assert_eq!(rows.next().unwrap().unwrap_err().to_string(), "reviews, line 2: it has 1 field; 2 are expected");
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Tsv<R> {
    lines: Lines<R>,
    columns: Option<usize>,
    is_over: bool,
}

impl<R: BufRead> Tsv<R> {
    /// The rows of `lines`.
    pub fn new(lines: Lines<R>) -> Self {
        Self {
            lines,
            columns: None,
            is_over: false,
        }
    }

    /// The same, where each row must have so many fields.
    pub fn with_columns(self, columns: usize) -> Self {
        Self {
            columns: Some(columns),
            ..self
        }
    }

    fn cut(&mut self, line: super::Line) -> Result<Row> {
        let fields: Vec<String> = line.text.split('\t').map(str::to_owned).collect();
        let columns = *self.columns.get_or_insert(fields.len());
        if fields.len() == columns {
            let line = line.number;
            return Ok(Row { line, fields });
        }
        Err(self.lines.wrong_count(line.number, fields.len(), columns))
    }

    /// All pairs of the two columns.
    fn pairs(mut self) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        while let Some(row) = self.next() {
            let Row { line, fields } = row?;
            let mut fields = fields.into_iter().map(|field| field.trim().to_owned());
            let (source, target) = (fields.next(), fields.next());
            match source.zip(target) {
                Some(pair) if !pair.0.is_empty() && !pair.1.is_empty() => pairs.push(pair),
                _ => return Err(self.lines.fault(line, "a source or a target is empty")),
            }
        }
        Ok(pairs)
    }
}

impl<R: BufRead> Iterator for Tsv<R> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.lines.next()?.and_then(|line| self.cut(line));
        self.is_over = row.is_err();
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::LineOptions;

    fn rows(bytes: &[u8]) -> Tsv<&[u8]> {
        Tsv::new(Lines::new(bytes, "x", LineOptions::default()))
    }

    #[test]
    fn rows_end_at_the_first_that_does_not_fit() {
        let mut found = rows(b"a\tb\n\nc\td\te\nf\tg");
        assert_eq!(found.next().unwrap().unwrap().line, 1);
        let message = found.next().unwrap().unwrap_err().to_string();
        assert_eq!(message, "x, line 3: it has 3 fields; 2 are expected");
        assert!(found.next().is_none());
    }

    #[test]
    fn pairs_need_both_sides() {
        let pairs = |bytes| rows(bytes).with_columns(2).pairs();
        assert_eq!(
            pairs(b"cat\tK AE1 T \n").unwrap(),
            [("cat".into(), "K AE1 T".into())]
        );
        let message = pairs(b"cat\tK\ndog\t \n").unwrap_err().to_string();
        assert_eq!(message, "x, line 2: a source or a target is empty");
        assert!(pairs(b"cat\n").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(written in prop::collection::vec(prop::collection::vec("[^\t\r\n\0\u{feff}]{0,6}", 3), 0..6)) {
            let file: String = written.iter().map(|fields| fields.join("\t") + "\n").collect();
            let options = LineOptions { skip_blank: false, ..LineOptions::default() };
            let lines = Lines::new(file.as_bytes(), "x", options);
            let found: Vec<Vec<String>> = Tsv::new(lines).map(|row| row.unwrap().fields).collect();
            prop_assert_eq!(found, written);
        }

        #[test]
        fn no_bytes_panic_and_an_error_is_the_last(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let found: Vec<_> = rows(&bytes).collect();
            prop_assert!(found.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
