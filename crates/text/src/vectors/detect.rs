//! Loading a file, whose format is recognised by its content.

use std::path::Path;

use super::VectorOptions;
use super::collector::Collector;
use super::header::Header;
use super::source::Source;
use super::table::WordVectors;
use super::{LoadReport, binary, fasttext, text};
use crate::error::{Error, Result};
use crate::file;
use crate::foreign::{CR_ALONE, ZERO_BYTE, foreign};

impl VectorOptions<'_> {
    /// The vectors of a file, whose format is recognised by its content.
    ///
    /// The file is mapped into memory: it must not be changed while it is read. A pipe is read into memory first.
    ///
    /// # Errors
    /// If the file cannot be read or does not keep the rules of its format; the message names the line or byte.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<(WordVectors, LoadReport)> {
        let path = path.as_ref();
        let bytes = file::bytes(path)?;
        self.read(&bytes, &path.display().to_string())
    }

    /// [`load`](Self::load) from the bytes of a file; `name` stands for it in messages.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, bytes: &[u8], name: &str) -> Result<(WordVectors, LoadReport)> {
        read(&Source { name, data: bytes }, self)
    }
}

impl WordVectors {
    /// All vectors of a file of any [format](super::VectorFormat); [`VectorOptions`] has the choices.
    ///
    /// The file is mapped into memory: it must not be changed while it is read. A pipe is read into memory first.
    ///
    /// # Errors
    /// If the file cannot be read or does not keep the rules of its format; the message names the line or byte.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let (vectors, _): (Self, LoadReport) = VectorOptions::default().load(path)?;
        Ok(vectors)
    }
}

/// Reads vectors of whatever format.
pub(super) fn read(
    source: &Source<'_>,
    options: &VectorOptions<'_>,
) -> Result<(WordVectors, LoadReport)> {
    if source.data.is_empty() {
        return Err(source.whole("the file is empty"));
    }
    if let Some(kind) = foreign(source.data) {
        return Err(source.whole(kind));
    }
    if source.data.starts_with(&fasttext::MAGIC.to_le_bytes()) {
        return fasttext::read(source, options);
    }
    let rows = read_rows(source, options)?;
    let (words, values, report) = rows.finish();
    Ok((WordVectors::new(words, values, report.dim, None), report))
}

fn read_rows<'a>(source: &Source<'_>, options: &VectorOptions<'a>) -> Result<Collector<'a>> {
    let data = text::without_mark(source.data);
    let end = memchr::memchr(b'\n', data);
    if end.is_none() && data.contains(&b'\r') {
        return Err(source.whole(CR_ALONE));
    }
    let first = &data[..end.unwrap_or(data.len())];
    let Some(header) = Header::parse(source, first)? else {
        return match memchr::memchr(0, first) {
            None => text::read(source, None, options),
            Some(at) => Err(source.byte(source.data.len() - data.len() + at, ZERO_BYTE)),
        };
    };
    let rest = data.get(first.len() + 1..).unwrap_or_default();
    if is_text(rest, header.dim) {
        return text::read(source, Some(header), options);
    }
    // Only a text has CRLF.
    if rest.starts_with(b"\r\n")
        && let Some(fault) = text_fault(source, header, rest, options)
    {
        return Err(fault);
    }
    let rows = binary::read(source, header, source.data.len() - rest.len(), options);
    rows.map_err(|error| text_fault(source, header, rest, options).unwrap_or(error))
}

/// What is wrong with rows that are not of the binary format, if they seem to be text whose first line is at fault.
fn text_fault(
    source: &Source<'_>,
    header: Header,
    rows: &[u8],
    options: &VectorOptions<'_>,
) -> Option<Error> {
    let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
    let blanks = rows.iter().take_while(is_end).count();
    // An empty line after the header is for readers of the binary format, which skip it.
    if blanks > 0 {
        let is_text = is_text(&rows[blanks..], header.dim);
        return is_text.then(|| source.line(2, "it is blank; the rows follow the header"));
    }
    let line = first_line(rows, header.dim)?;
    let is_shown = |byte: &u8| matches!(byte, b'\t' | b'\r') || !byte.is_ascii_control();
    if line.iter().all(is_shown) {
        return text::read(source, Some(header), options).err();
    }
    None
}

/// The most bytes of rows of `dim` numbers that are looked at, to tell text from the binary format: a longer line is no text.
pub(super) fn window(dim: usize) -> usize {
    dim.saturating_mul(64).saturating_add(2048)
}

/// The first line of rows of `dim` numbers; `None` if it is longer than that of a text is.
fn first_line(rows: &[u8], dim: usize) -> Option<&[u8]> {
    let start = &rows[..rows.len().min(window(dim))];
    match memchr::memchr(b'\n', start) {
        Some(end) => Some(&start[..end]),
        None => Some(start).filter(|start| start.len() == rows.len()),
    }
}

/// Whether rows of `dim` numbers stand there as text, rather than in the binary format: the first line ends with numbers, two at
/// least if there are two. A line that is not UTF-8 has nothing else after its word.
pub(super) fn is_text(rows: &[u8], dim: usize) -> bool {
    let line = match first_line(rows, dim) {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => return false,
    };
    let is_number = |field: &[u8]| fast_float2::parse::<f32, _>(field).is_ok();
    let fields = line
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|field| !field.is_empty());
    if std::str::from_utf8(line).is_ok() {
        rows.is_empty() || (!line.is_empty() && fields.rev().take(dim.min(2)).all(is_number))
    } else {
        let mut numbers = fields.skip(1);
        numbers.clone().count() == dim && numbers.all(is_number)
    }
}
