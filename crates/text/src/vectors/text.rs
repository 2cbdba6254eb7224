//! Vectors as text: a word and its numbers on each line, with or without a header.

use lexigrad_tensor::message::quoted;

use super::VectorOptions;
use super::collector::Collector;
use super::header::Header;
use super::report::{LoadReport, VectorFormat};
use super::source::{Source, not_finite, word};
use crate::error::Result;
use crate::foreign::{BYTE_ORDER_MARK, ZERO_BYTE};
use crate::progress::Progress;

/// The text without what may stand before it.
pub(super) fn without_mark(data: &[u8]) -> &[u8] {
    data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data)
}

/// Reads the rows of a text; `data` starts with its first line, the header if there is one.
pub(super) fn read<'a>(
    source: &Source<'_>,
    header: Option<Header>,
    options: &VectorOptions<'a>,
) -> Result<Collector<'a>> {
    let data = without_mark(source.data);
    let mut lines = Lines::new(data);
    let (format, dim, expected) = match header {
        Some(header) => {
            let first = lines.next().map_or(0, |(_, line)| line.len() + 1);
            header.check_size(source, data.len().saturating_sub(first), 1, 2)?;
            (VectorFormat::Word2VecText, header.dim, header.rows)
        }
        None => {
            let dim = first_dim(source, lines.clone().next().unwrap_or_default().1)?;
            (VectorFormat::GloVe, dim, 0)
        }
    };
    let report = LoadReport {
        final_newline: data.ends_with(b"\n"),
        byte_order_mark: data.len() < source.data.len(),
        ..LoadReport::new(format, dim)
    };
    let mut rows = Collector::new(options, report, expected);
    for (number, line) in Progress::new(lines, "vectors", options.progress) {
        if rows.is_full() {
            return Ok(rows);
        }
        if header.is_some() && rows.report.rows == expected {
            let reason = format!("a row more than the {expected} that the header says");
            return Err(source.line(number, reason));
        }
        let line = match line.strip_suffix(b"\r") {
            None => line,
            Some(line) => {
                rows.report.crlf = true;
                line
            }
        };
        let row = rows.report.rows + 1;
        let word = read_row(line, row, dim, rows.values())
            .map_err(|reason| source.line(number, reason))?;
        rows.finish_row(word);
    }
    if rows.report.rows < expected && !rows.is_full() {
        let found = rows.report.rows;
        let reason = format!("the file ends after {found} rows; the header says {expected}");
        return Err(source.line(found + 1, reason));
    }
    Ok(rows)
}

/// Lines with their numbers, from 1; blank ones at the end are none.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let length = data
            .iter()
            .rposition(|byte| !blank(byte))
            .map_or(0, |last| last + 1);
        // What ends the last line stays with it: it may be a CR.
        let end = memchr::memchr(b'\n', &data[length..]).map_or(data.len(), |end| length + end);
        Self {
            rest: if length == 0 { &[] } else { &data[..end] },
            number: 0,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.number += 1;
        Some((self.number, line))
    }
}

/// How many numbers the rows of a text without a header have: as many as there are at the end of its first line.
fn first_dim(source: &Source<'_>, line: &[u8]) -> Result<usize> {
    let mut dim = 0;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut rest = line;
    while let Some((before, field)) = split_last_field(rest)
        && number(field).is_some()
        && !trim(before).is_empty()
    {
        dim += 1;
        rest = before;
    }
    if dim == 0 {
        let formats = "word2vec text or binary, GloVe text, a fastText model";
        let reason = format!("no word with numbers after it; what is read: {formats}");
        return Err(source.line(1, reason));
    }
    // Numbers alone, after a blank: the word before them is empty.
    if line.first().is_some_and(is_blank) && number(trim(rest)).is_some() {
        let reason = word(b"", "row 1").err().unwrap_or_default();
        return Err(source.line(1, reason));
    }
    Ok(dim)
}

/// Appends the numbers of a row to `values` and returns its word.
fn read_row<'a>(
    line: &'a [u8],
    row: usize,
    dim: usize,
    values: &mut Vec<f32>,
) -> Result<&'a str, String> {
    let start = values.len();
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    let word = if end > 0 && append_fields(&line[end..], dim, values) {
        word(&line[..end], format_args!("row {row}"))?
    } else {
        values.truncate(start);
        read_row_from_right(line, row, dim, values)?
    };
    match memchr::memchr(0, word.as_bytes()) {
        None => Ok(word),
        Some(at) => {
            let (place, word) = (at + 1, quoted(word));
            Err(format!(
                "the word of row {row}: byte {place} of {word} is {ZERO_BYTE}"
            ))
        }
    }
}

/// Appends the numbers of the fields to `values`; whether they are exactly `dim` finite numbers.
fn append_fields(mut rest: &[u8], dim: usize, values: &mut Vec<f32>) -> bool {
    for _ in 0..dim {
        let blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
        let Ok((value, length)) = fast_float2::parse_partial::<f32, _>(&rest[blanks..]) else {
            return false;
        };
        rest = &rest[blanks + length..];
        if blanks == 0 || !value.is_finite() || rest.first().is_some_and(|next| !is_blank(next)) {
            return false;
        }
        values.push(value);
    }
    rest.iter().all(is_blank)
}

/// [`read_row`] for a word with spaces, and for a row with something wrong, which it names.
fn read_row_from_right<'a>(
    line: &'a [u8],
    row: usize,
    dim: usize,
    values: &mut Vec<f32>,
) -> Result<&'a str, String> {
    let mut rest = line;
    let mut fields = Vec::new();
    while let Some((before, field)) = split_last_field(rest)
        && fields.len() < dim
    {
        fields.push(field);
        rest = before;
    }
    let text = trim(rest);
    let is_whole = fields.len() == dim && fields.iter().all(|field| number(field).is_some());
    if fields.is_empty() {
        return Err(format!("it is blank; a row has a word and {dim} numbers"));
    }
    if text.is_empty() && !(is_whole && line.first().is_some_and(is_blank)) {
        let count = fields.len() - 1;
        return Err(format!("a word and {count} numbers; the rows have {dim}"));
    }
    for (place, field) in fields.iter().rev().enumerate() {
        match number(field) {
            Some(value) if value.is_finite() => values.push(value),
            Some(_) => return Err(not_finite(place, String::from_utf8_lossy(field))),
            None => {
                let (place, name) = (place + 1, quoted(field));
                return Err(format!(
                    "{name} is no number, where number {place} of {dim} should be"
                ));
            }
        }
    }
    if text.iter().any(is_blank) && text.contains(&b'\r') {
        let rule = "LF or CRLF ends a line";
        return Err(format!("a CR alone stands inside the line; {rule}"));
    }
    let word = word(text, format_args!("row {row}"))?;
    if ends_with_number(word) {
        return Err(format!("more numbers than the {dim} of the other rows"));
    }
    Ok(word)
}

/// Whether a word of several parts ends with a number, which then could be one of the row's.
fn ends_with_number(word: &str) -> bool {
    split_last_field(word.as_bytes())
        .is_some_and(|(before, last)| !before.is_empty() && number(last).is_some())
}

fn number(field: &[u8]) -> Option<f32> {
    fast_float2::parse(field).ok()
}

/// Only these part fields: words of real files contain every other kind of space.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The last field of a line, and what is before it.
fn split_last_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().rposition(|byte| !is_blank(byte))? + 1;
    let before = line[..end].iter().rposition(is_blank);
    Some(line[..end].split_at(before.map_or(0, |blank| blank + 1)))
}

fn trim(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().position(|byte| !is_blank(byte));
    let last = bytes.iter().rposition(|byte| !is_blank(byte));
    first
        .zip(last)
        .map_or(&[], |(first, last)| &bytes[first..=last])
}

/// Whether a word comes back from a text as it is.
pub(super) fn is_readable(text: &str) -> bool {
    let is_trimmed = trim(text.as_bytes()).len() == text.len();
    let has_end =
        text.contains(['\n', '\0']) || (text.contains('\r') && text.contains([' ', '\t']));
    word(text.as_bytes(), "").is_ok() && is_trimmed && !has_end && !ends_with_number(text)
}
