//! Bytes to lines: the one place where a file is read.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::error::{Error, Place, Result};
use crate::file;
use crate::foreign::{BYTE_ORDER_MARK, CR_ALONE, ZERO_BYTE, foreign};

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
/// If the file is a folder or cannot be opened. An item is an error if the file cannot be read on, or a line is not UTF-8, holds a
/// zero byte or is longer than a mebibyte; the first also if the file is of a kind that its first bytes tell (UTF-16, gzip, zip,
/// ..), or has no line end but CR.
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
/// assert_eq!(error.to_string(), "example, line 2: byte 3, 0xef, is not UTF-8");
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
        let name = path.display().to_string();
        Ok(Self::new(BufReader::new(file::open(path)?), name, options))
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
    pub(super) fn fault(&self, line: usize, reason: impl AsRef<str>) -> Error {
        Error::format(&self.name, Place::Line(line), reason)
    }

    /// The next line, blank or not; `None` at the end.
    fn read(&mut self) -> Result<Option<String>> {
        self.number += 1;
        let mut bytes = Vec::new();
        // The end of the line and a byte order mark come on top.
        let most = (self.options.longest as u64).saturating_add(5);
        let mut limited = self.reader.by_ref().take(most);
        let read = limited.read_until(b'\n', &mut bytes);
        if read.map_err(|cause| Error::io(&self.name, cause))? == 0 {
            return Ok(None);
        }
        let has_end = bytes.pop_if(|last| *last == b'\n').is_some();
        if self.number == 1 {
            self.check_start(&bytes, has_end || bytes.len() as u64 == most)?;
            if bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
        }
        // A last line may have been cut between CR and LF.
        bytes.pop_if(|last| *last == b'\r');
        self.check(bytes).map(Some)
    }

    /// Checks that the first line is that of a text.
    fn check_start(&self, bytes: &[u8], may_have_end: bool) -> Result<()> {
        let fault = |reason| Err(Error::format(&self.name, Place::Whole, reason));
        if let Some(kind) = foreign(bytes) {
            return fault(kind);
        }
        if !may_have_end && bytes.contains(&b'\r') {
            return fault(CR_ALONE);
        }
        Ok(())
    }

    /// The text of a line that is not too long.
    fn check(&self, bytes: Vec<u8>) -> Result<String> {
        if bytes.len() > self.options.longest {
            let rule = match bytes.contains(&b'\r') {
                true => "; LF or CRLF ends a line, CR alone does not",
                false => "",
            };
            let reason = format!("it is longer than {} bytes{rule}", self.options.longest);
            return Err(self.fault(self.number, reason));
        }
        if let Some(at) = memchr::memchr(0, &bytes) {
            let reason = format!("byte {} is {ZERO_BYTE}", at + 1);
            return Err(self.fault(self.number, reason));
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let (place, byte) = (at + 1, error.as_bytes()[at]);
            self.fault(
                self.number,
                format!("byte {place}, 0x{byte:02x}, is not UTF-8"),
            )
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
        fn what_is_written_is_read(texts in prop::collection::vec("[^\r\n\0]{0,20}", 0..8), windows: bool, last: bool) {
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
