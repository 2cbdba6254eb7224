//! The line `V D` with which word2vec's formats start.

use std::str::FromStr;

use super::source::Source;
use crate::error::Result;

/// How many rows a file says it has, and how many numbers in each.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) rows: usize,
    pub(super) dim: usize,
}

impl Header {
    /// The header that the first line is, if it is one: two whole numbers and nothing else.
    ///
    /// # Errors
    /// If the numbers are none that a table could have.
    pub(super) fn parse(source: &Source<'_>, line: &[u8]) -> Result<Option<Self>> {
        let mut fields = line
            .split(u8::is_ascii_whitespace)
            .filter(|field| !field.is_empty());
        let (Some(rows), Some(dim), None) = (fields.next(), fields.next(), fields.next()) else {
            return Ok(None);
        };
        if ![rows, dim]
            .iter()
            .all(|field| field.iter().all(u8::is_ascii_digit))
        {
            return Ok(None);
        }
        let (rows, dim) = (String::from_utf8_lossy(rows), String::from_utf8_lossy(dim));
        let number = |digits: &str| {
            let fail = |_| source.line(1, format!("the header's {digits} is too large"));
            usize::from_str(digits).map_err(fail)
        };
        let header = Self {
            rows: number(&rows)?,
            dim: number(&dim)?,
        };
        if header.dim == 0 {
            return Err(source.line(1, "the header says 0 numbers a row; there must be one"));
        }
        Ok(Some(header))
    }

    /// Checks that `bytes` can hold the rows, each number of which takes `number_size` and each word `word_size` at least.
    ///
    /// # Errors
    /// If the rows need more.
    pub(super) fn check_size(
        &self,
        source: &Source<'_>,
        bytes: usize,
        word_size: usize,
        number_size: usize,
    ) -> Result<()> {
        let row = self.dim as u128 * number_size as u128 + word_size as u128;
        if (self.rows as u128)
            .checked_mul(row)
            .is_some_and(|needed| needed <= bytes as u128)
        {
            return Ok(());
        }
        let Self { rows, dim } = self;
        let reason = format!(
            "the header says {rows} rows of {dim} numbers; the {bytes} bytes after it cannot hold them"
        );
        Err(source.line(1, reason))
    }
}
