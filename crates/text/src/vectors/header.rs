//! The line `V D` with which word2vec's formats start.

use std::str::FromStr;

use lexigrad_tensor::message::printable;

use super::source::Source;
use crate::error::Result;

/// How many rows a file says it has, and how many numbers in each.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) rows: usize,
    pub(super) dim: usize,
}

impl Header {
    /// The header that the first line is, if it is one: two integers and nothing else.
    ///
    /// # Errors
    /// If the integers are no counts that a table could have.
    pub(super) fn parse(source: &Source<'_>, line: &[u8]) -> Result<Option<Self>> {
        let mut fields = line
            .split(u8::is_ascii_whitespace)
            .filter(|field| !field.is_empty());
        let (Some(rows), Some(dim), None) = (fields.next(), fields.next(), fields.next()) else {
            return Ok(None);
        };
        if ![rows, dim].into_iter().all(is_integer) {
            return Ok(None);
        }
        let count = |field: &[u8]| {
            let digits = String::from_utf8_lossy(field);
            let fail =
                |rule| source.line(1, format!("the header's {}{rule}", printable(&digits, 40)));
            if !field[0].is_ascii_digit() {
                return Err(fail(" has a sign; a count has digits only"));
            }
            usize::from_str(&digits).map_err(|_| fail(" is too large; it must be below 2^64"))
        };
        let header = Self {
            rows: count(rows)?,
            dim: count(dim)?,
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
        let needed = (self.rows as u128).checked_mul(row);
        if needed.is_some_and(|needed| needed <= bytes as u128) {
            return Ok(());
        }
        let Self { rows, dim } = self;
        let reason = format!(
            "the header says {rows} rows of {dim} numbers; the {bytes} bytes after it cannot hold them"
        );
        Err(source.line(1, reason))
    }
}

/// Whether a field is an integer, with a sign or without.
fn is_integer(field: &[u8]) -> bool {
    let digits = match field {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
