//! A JSON value on each line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::lines::{Line, Lines, lines};
use crate::error::Result;
use crate::object::place_of;

/// The values of a file of JSON lines; blank lines are left out.
///
/// # Errors
/// If the file cannot be opened; items as for [`JsonLines`].
pub fn json_lines<V: DeserializeOwned>(
    path: impl AsRef<Path>,
) -> Result<JsonLines<BufReader<File>, V>> {
    Ok(JsonLines::new(lines(path)?))
}

/// A JSON value on each line, as any type that serde reads.
///
/// An item is an error if a line is not JSON, or not of that type. What a name twice in an object means, the type decides: a struct
/// refuses it, [`serde_json::Value`] keeps the last.
///
/// ```
/// use lexigrad_text::read::{JsonLines, LineOptions, Lines};
/// let lines = Lines::new(&b"[1, \"fine\"]\n[2]\n"[..], "reviews", LineOptions::default());
/// let mut values = JsonLines::<_, (u32, String)>::new(lines);
/// assert_eq!(values.next().unwrap()?.1, (1, "fine".to_owned()));
/// let message = values.next().unwrap().unwrap_err().to_string();
/// assert_eq!(message, "reviews, line 2: invalid length 1, expected a tuple of size 2 at column 3");
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct JsonLines<R, V> {
    lines: Lines<R>,
    is_over: bool,
    value: PhantomData<V>,
}

impl<R: BufRead, V: DeserializeOwned> JsonLines<R, V> {
    /// The values of `lines`.
    pub fn new(lines: Lines<R>) -> Self {
        Self {
            lines,
            is_over: false,
            value: PhantomData,
        }
    }

    fn parse(&self, line: &Line) -> Result<(usize, V)> {
        let value = serde_json::from_str(&line.text);
        let value = value.map_err(|error| {
            // The line is that of the file, not the first.
            let (_, column, reason) = place_of(&line.text, &error);
            self.lines
                .fault(line.number, format!("{reason} at column {column}"))
        })?;
        Ok((line.number, value))
    }
}

impl<R: BufRead, V: DeserializeOwned> Iterator for JsonLines<R, V> {
    /// The number of the line, from 1, and its value.
    type Item = Result<(usize, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let value = self.lines.next()?.and_then(|line| self.parse(&line));
        self.is_over = value.is_err();
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::LineOptions;

    fn read<V: DeserializeOwned>(bytes: &[u8]) -> Vec<Result<(usize, V)>> {
        JsonLines::new(Lines::new(bytes, "x", LineOptions::default())).collect()
    }

    #[test]
    fn what_is_no_json_is_told_by_line_and_column() {
        for (bytes, wanted) in [
            (
                &b"1\n\n2 3\n4"[..],
                "x, line 3: trailing characters at column 3",
            ),
            (b"1\n[", "x, line 2: EOF while parsing a list at column 1"),
            (b"1\n\xff", "x, line 2: byte 1, 0xff, is not UTF-8"),
        ] {
            let found = read::<serde_json::Value>(bytes);
            assert_eq!(found.len(), 2);
            assert_eq!(found[1].as_ref().unwrap_err().to_string(), wanted);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((any::<i64>(), ".{0,9}"), 0..6)) {
            let line = |value| serde_json::to_string(value).unwrap() + "\n";
            let file: String = values.iter().map(line).collect();
            let found: Vec<(i64, String)> = read(file.as_bytes()).into_iter().map(|value| value.unwrap().1).collect();
            prop_assert_eq!(found, values);
        }

        #[test]
        fn no_bytes_panic_and_an_error_is_the_last(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let found = read::<serde_json::Value>(&bytes);
            prop_assert!(found.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
