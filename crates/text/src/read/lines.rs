//! Bytes to lines: the one place where a file is read.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Place, Result};

/// A line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    /// What stands in it.
    pub text: String,
}

/// What lines may be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOptions {
    /// The most bytes in a line. What is longer is refused before it is read, so that a file without line ends does not fill the
    /// memory.
    pub longest: usize,
    /// Whether lines of white space alone are left out.
    pub skip_blank: bool,
}

impl Default for LineOptions {
    /// Lines of up to a mebibyte, blank ones left out.
    fn default() -> Self {
        Self {
            longest: 1 << 20,
            skip_blank: true,
        }
    }
}

/// The lines of a file that are not blank; [`Lines::open`] has the choices.
///
/// # Errors
/// If the file cannot be opened. An item is an error if the file cannot be read on, or a line is not UTF-8 or longer than a
/// mebibyte.
pub fn lines(path: impl AsRef<Path>) -> Result<Lines<BufReader<File>>> {
    Lines::open(path, LineOptions::default())
}

/// The lines of a source.
///
/// ```
/// use lexigrad_text::read::{LineOptions, Lines};
/// let bytes = b"\xef\xbb\xbfone\r\n\ntwo";
/// let lines: Vec<_> = Lines::new(&bytes[..], "example", LineOptions::default()).collect::<Result<_, _>>()?;
/// assert_eq!(lines[1].text, "two");
/// assert_eq!(lines[1].number, 3);
///
/// let mut lines = Lines::new(&b"fine\nna\xefve"[..], "example", LineOptions::default());
/// assert!(lines.next().unwrap().is_ok());
/// let error = lines.next().unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "example, line 2: byte 3 is not UTF-8");
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    name: String,
    options: LineOptions,
    number: usize,
    peeked: Option<Line>,
    is_over: bool,
}

impl Lines<BufReader<File>> {
    /// The lines of a file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: impl AsRef<Path>, options: LineOptions) -> Result<Self> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|cause| Error::io(path, cause))?;
        let name = path.display().to_string();
        Ok(Self::new(BufReader::new(file), name, options))
    }
}

impl<R: BufRead> Lines<R> {
    /// The lines of whatever `name` is.
    pub fn new(reader: R, name: impl Into<String>, options: LineOptions) -> Self {
        Self {
            reader,
            name: name.into(),
            options,
            number: 0,
            peeked: None,
            is_over: false,
        }
    }

    /// What errors call the source.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most bytes in a line.
    pub(super) fn longest(&self) -> usize {
        self.options.longest
    }

    /// The same lines, where blank ones mean something and are kept.
    pub(super) fn with_blank(mut self) -> Self {
        self.options.skip_blank = false;
        self
    }

    /// The next line, which stays the next.
    pub(super) fn peek(&mut self) -> Result<Option<&Line>> {
        if self.peeked.is_none() {
            self.peeked = self.next().transpose()?;
        }
        Ok(self.peeked.as_ref())
    }

    /// The error of a line that has not the number of fields that the others have.
    pub(super) fn wrong_count(&self, line: usize, count: usize, expected: usize) -> Error {
        let noun = if count == 1 { "field" } else { "fields" };
        let are = if expected == 1 { "is" } else { "are" };
        let reason = format!("it has {count} {noun}; {expected} {are} expected");
        self.fault(line, reason)
    }

    /// An error at a line of this source.
    pub(super) fn fault(&self, line: usize, reason: impl Into<String>) -> Error {
        Error::format(&self.name, Place::Line(line), reason)
    }

    /// The next line, blank or not; `None` at the end.
    fn read(&mut self) -> Result<Option<String>> {
        self.number += 1;
        let mut bytes = Vec::new();
        // The end of the line and a byte order mark come on top.
        let most = (self.options.longest as u64).saturating_add(5);
        let cause = |cause| Error::Io {
            source_name: self.name.clone(),
            cause,
        };
        let mut limited = self.reader.by_ref().take(most);
        if limited.read_until(b'\n', &mut bytes).map_err(cause)? == 0 {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            bytes.pop_if(|last| *last == b'\r');
        }
        if self.number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        if bytes.len() > self.options.longest {
            let reason = format!("it is longer than {} bytes", self.options.longest);
            return Err(self.fault(self.number, reason));
        }
        String::from_utf8(bytes).map(Some).map_err(|error| {
            let byte = error.utf8_error().valid_up_to() + 1;
            self.fault(self.number, format!("byte {byte} is not UTF-8"))
        })
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(line) = self.peeked.take() {
            return Some(Ok(line));
        }
        while !self.is_over {
            match self.read() {
                Ok(None) => self.is_over = true,
                Ok(Some(text)) if self.options.skip_blank && text.trim().is_empty() => {}
                Ok(Some(text)) => {
                    let number = self.number;
                    return Some(Ok(Line { number, text }));
                }
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], longest: usize) -> Vec<Result<Line>> {
        let options = LineOptions {
            longest,
            skip_blank: false,
        };
        Lines::new(bytes, "x", options).collect()
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
        for (bytes, right) in [
            (&b"abcd\nab"[..], 2),
            (b"\xef\xbb\xbfabcd\r\n", 1),
            (b"abcde", 0),
            (b"abcd\rX\nab", 0),
        ] {
            let lines = read(bytes, 4);
            assert_eq!(
                lines.iter().filter(|line| line.is_ok()).count(),
                right,
                "{lines:?}"
            );
        }
        let message = read(&[b'a'; 99], 4).remove(0).unwrap_err().to_string();
        assert_eq!(message, "x, line 1: it is longer than 4 bytes");
    }

    #[test]
    fn the_limit_may_be_the_largest_number() {
        assert_eq!(read(b"a\nb", usize::MAX).len(), 2);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let message = lines("/no/such/file.tsv").unwrap_err().to_string();
        assert!(message.starts_with("/no/such/file.tsv: "), "{message}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec("[^\r\n]{0,20}", 0..8), windows: bool, last: bool) {
            let end = if windows { "\r\n" } else { "\n" };
            let mut file = texts.join(end);
            if last && !texts.is_empty() {
                file += end;
            }
            let found: Vec<String> = read(file.as_bytes(), 200).into_iter().map(|line| line.unwrap().text).collect();
            // A last empty line without an end is no line; a mark at the start is not text.
            let mut wanted = texts;
            if !last {
                wanted.pop_if(|text| text.is_empty());
            }
            if let Some(first) = wanted.first_mut().filter(|first| first.starts_with('\u{feff}')) {
                first.remove(0);
            }
            prop_assert_eq!(found, wanted);
        }

        #[test]
        fn no_bytes_panic_and_an_error_is_the_last(bytes in prop::collection::vec(any::<u8>(), 0..60), longest in 0usize..9) {
            let lines = read(&bytes, longest);
            prop_assert!(lines.iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
