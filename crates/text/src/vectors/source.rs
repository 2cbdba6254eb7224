//! Where vectors are read from, and the rules for words that all formats share.

use std::fmt::Display;

use lexigrad_tensor::message::{printable, quoted};

use crate::error::{Error, Place, Result};

/// The longest word that is taken, in bytes: a longer one is a sign that rows are not where they should be.
const LONGEST_WORD: usize = 1024;

/// Bytes with the name of where they come from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) data: &'a [u8],
}

impl Source<'_> {
    pub(super) fn whole(&self, reason: impl Display) -> Error {
        Error::format(self.name, Place::Whole, reason.to_string())
    }

    pub(super) fn line(&self, line: usize, reason: impl Display) -> Error {
        Error::format(self.name, Place::Line(line), reason.to_string())
    }

    pub(super) fn byte(&self, byte: usize, reason: impl Display) -> Error {
        Error::format(self.name, Place::Byte(byte as u64), reason.to_string())
    }
}

/// The word that these bytes are; else what is wrong with it. `of` says whose it is, such as `row 3`.
pub(super) fn word(bytes: &[u8], of: impl Display) -> Result<&str, String> {
    if bytes.is_empty() {
        return Err(format!(
            "the word of {of} is empty; words have a letter at least"
        ));
    }
    if bytes.len() > LONGEST_WORD {
        return Err(format!(
            "the word of {of} has {} bytes; the longest that is taken has {LONGEST_WORD}",
            bytes.len()
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let (byte, place, shown) = (bytes[at], at + 1, quoted(bytes));
        format!("the word of {of} is not UTF-8: byte 0x{byte:02x} at {place} of {shown}; words are UTF-8")
    })
}

/// The bytes before the first `end`, if that comes within the longest word.
pub(super) fn until(data: &[u8], end: u8) -> Option<&[u8]> {
    let window = &data[..data.len().min(LONGEST_WORD + 1)];
    memchr::memchr(end, window).map(|length| &data[..length])
}

/// Appends little-endian numbers to `values`; an error names the first that is not finite, and which it is.
pub(super) fn append_numbers(bytes: &[u8], values: &mut Vec<f32>) -> Result<(), String> {
    let start = values.len();
    let (numbers, _) = bytes.as_chunks::<4>();
    values.extend(numbers.iter().map(|number| f32::from_le_bytes(*number)));
    match values[start..].iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => Err(not_finite(place, values[start + place])),
    }
}

/// What is said of the number at `place` of a row.
pub(super) fn not_finite(place: usize, value: impl Display) -> String {
    let (place, value) = (place + 1, value.to_string());
    let value = printable(&value, 40);
    format!("number {place} of the row is {value}; numbers must be finite")
}
