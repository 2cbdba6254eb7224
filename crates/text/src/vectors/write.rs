//! Vectors written as word2vec has them.

use std::io::{self, Write};
use std::path::Path;

use lexigrad_tensor::message::quoted;

use super::detect::{is_text, window};
use super::table::WordVectors;
use super::text::is_readable;
use crate::error::{Error, Result};
use crate::save::write_whole;

impl WordVectors {
    /// Writes word2vec's text format, which gensim, fastText and [`load`](Self::load) read: the same numbers, to the bit.
    ///
    /// The file is written beside `path` and then takes its name. gensim reads no words with spaces; [`load`](Self::load) does.
    ///
    /// # Errors
    /// If a word would not come back as it is (it has a line end or a zero byte, or spaces around it or before a number), or writing
    /// fails; then a file that was there is as it was.
    pub fn save_text(&self, path: impl AsRef<Path>) -> Result<()> {
        self.check_text()?;
        write_whole(path.as_ref(), |file| self.put_text(file))
    }

    /// Writes word2vec's binary format, which gensim and [`load`](Self::load) read: the same numbers, to the bit.
    ///
    /// The file is written beside `path` and then takes its name. An empty line, which readers skip, follows the header if the first
    /// row might be taken for text.
    ///
    /// # Errors
    /// If a word has a space or a line end, or writing fails; then a file that was there is as it was.
    pub fn save_binary(&self, path: impl AsRef<Path>) -> Result<()> {
        self.check_binary()?;
        write_whole(path.as_ref(), |file| self.put_binary(file))
    }

    /// [`save_text`](Self::save_text) to anything that is written to.
    ///
    /// # Errors
    /// As there.
    pub fn write_text(&self, out: impl Write) -> Result<()> {
        self.check_text()?;
        let written = self.put_text(out);
        written.map_err(|cause| Error::argument("save_text", cause.to_string()))
    }

    fn check_text(&self) -> Result<()> {
        let rule = "has a line end or a zero byte, or spaces around it or before a number; text cannot hold it";
        self.check_words("save_text", is_readable, rule)
    }

    fn put_text(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "{} {}", self.len(), self.dim())?;
        for (word, row) in self.words().zip(self.rows()) {
            out.write_all(word.as_bytes())?;
            row.iter().try_for_each(|number| write!(out, " {number}"))?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }

    /// [`save_binary`](Self::save_binary) to anything that is written to.
    ///
    /// # Errors
    /// As there.
    pub fn write_binary(&self, out: impl Write) -> Result<()> {
        self.check_binary()?;
        let written = self.put_binary(out);
        written.map_err(|cause| Error::argument("save_binary", cause.to_string()))
    }

    fn check_binary(&self) -> Result<()> {
        let rule = "has a space or a line end; word2vec's binary format cannot hold it";
        self.check_words("save_binary", |word| !word.contains([' ', '\n']), rule)
    }

    fn put_binary(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "{} {}", self.len(), self.dim())?;
        if !self.is_empty() && self.may_be_text() {
            out.write_all(b"\n")?;
        }
        for (word, row) in self.words().zip(self.rows()) {
            write!(out, "{word} ")?;
            write_numbers(&mut out, row)?;
        }
        out.flush()
    }

    /// Whether the rows of the binary format would be taken for text. An empty line before them, which readers of the binary
    /// format skip, then says that they are none.
    fn may_be_text(&self) -> bool {
        let mut start = Vec::new();
        for (word, row) in self.words().zip(self.rows()) {
            start.extend_from_slice(word.as_bytes());
            start.push(b' ');
            start.extend(row.iter().flat_map(|number| number.to_le_bytes()));
            if start.contains(&b'\n') || start.len() > window(self.dim()) {
                break;
            }
        }
        is_text(&start, self.dim())
    }

    fn check_words(
        &self,
        operation: &'static str,
        is_right: impl Fn(&str) -> bool,
        rule: &str,
    ) -> Result<()> {
        match self.words().find(|word| !is_right(word)) {
            None => Ok(()),
            Some(word) => Err(Error::argument(
                operation,
                format!("the word {} {rule}", quoted(word)),
            )),
        }
    }
}

/// Writes little-endian numbers.
pub(super) fn write_numbers(out: &mut impl Write, numbers: &[f32]) -> io::Result<()> {
    let mut bytes = numbers.iter().map(|number| number.to_le_bytes());
    bytes.try_for_each(|number| out.write_all(&number))
}
