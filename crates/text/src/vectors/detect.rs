//! Which format a file has, by its content.

use super::VectorOptions;
use super::collector::Collector;
use super::header::Header;
use super::source::Source;
use super::table::WordVectors;
use super::{LoadReport, binary, fasttext, text};
use crate::error::Result;

/// Reads vectors of whatever format.
pub(super) fn read(
    source: &Source<'_>,
    options: &VectorOptions<'_>,
) -> Result<(WordVectors, LoadReport)> {
    if source.data.is_empty() {
        return Err(source.whole("the file is empty"));
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
    let end = memchr::memchr(b'\n', data).unwrap_or(data.len());
    match Header::parse(source, &data[..end])? {
        None => text::read(source, None, options),
        Some(header) => {
            let rest = data.get(end + 1..).unwrap_or_default();
            if is_text(rest, header.dim) {
                return text::read(source, Some(header), options);
            }
            binary::read(source, header, source.data.len() - rest.len(), options)
        }
    }
}

/// Whether rows of `dim` numbers stand there as text: the first line is UTF-8 and ends with two numbers, or with one if there is one.
fn is_text(rows: &[u8], dim: usize) -> bool {
    let end = memchr::memchr(b'\n', rows).unwrap_or(rows.len());
    let is_number = |field: &str| field.parse::<f32>().is_ok();
    std::str::from_utf8(&rows[..end]).is_ok_and(|line| {
        let mut last = line.split_ascii_whitespace().rev().take(dim.min(2));
        rows.is_empty() || (!line.is_empty() && last.all(is_number))
    })
}
