//! Little-endian fields, one after another.

use crate::error::{Error, Result};
use crate::vectors::source::{Source, until};

/// A place in a binary file, from which fields are read.
pub(super) struct Cursor<'a> {
    source: Source<'a>,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source, at: 0 }
    }

    /// Where the next field starts.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.source.data.len() - self.at
    }

    /// A fault at byte `at`.
    pub(super) fn fail(&self, at: usize, reason: impl std::fmt::Display) -> Error {
        self.source.byte(at, reason)
    }

    /// `count` bytes; `what` says of what.
    pub(super) fn bytes(&mut self, count: usize, what: &str) -> Result<&'a [u8]> {
        let bytes = self.source.data[self.at..].get(..count).ok_or_else(|| {
            let left = self.left();
            self.fail(
                self.at,
                format!("{left} bytes are left; {what} takes {count}"),
            )
        })?;
        self.at += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N, what)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self, what: &str) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array(what)?))
    }

    pub(super) fn i32(&mut self, what: &str) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn i64(&mut self, what: &str) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array(what)?))
    }

    /// A whole number from 0 on, of 32 bits.
    pub(super) fn count(&mut self, what: &str) -> Result<usize> {
        let at = self.at;
        let number = self.i32(what)?;
        usize::try_from(number).map_err(|_| self.fail(at, negative(what, number.into())))
    }

    /// A whole number from 0 on, of 64 bits.
    pub(super) fn long_count(&mut self, what: &str) -> Result<u64> {
        let at = self.at;
        let number = self.i64(what)?;
        u64::try_from(number).map_err(|_| self.fail(at, negative(what, number)))
    }

    /// A string that a zero ends.
    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        let string = until(&self.source.data[self.at..], 0)
            .ok_or_else(|| self.fail(self.at, "there is no word that a zero ends"))?;
        self.at += string.len() + 1;
        Ok(string)
    }
}

fn negative(what: &str, number: i64) -> String {
    format!("{what} is {number}; it must not be negative")
}
