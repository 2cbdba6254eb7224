//! A JSON value on each line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::marker::PhantomData;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::lines::{Line, Lines, lines};
use crate::error::Result;

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
/// An item is an error if a line is not JSON, or not of that type.
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
            let reason = error.to_string().replace(" line 1 column", " column");
            self.lines.fault(line.number, reason)
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
