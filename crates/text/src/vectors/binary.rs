//! word2vec's binary format.

use lexigrad_tensor::message::quoted;

use super::VectorOptions;
use super::collector::Collector;
use super::header::Header;
use super::report::{LoadReport, VectorFormat};
use super::source::{Source, append_numbers, until, word};
use crate::error::Result;
use crate::progress::Progress;

/// Reads the rows after the header, which ends before byte `start`: word, space, D numbers, and perhaps a newline.
pub(super) fn read<'a>(
    source: &Source<'_>,
    header: Header,
    start: usize,
    options: &VectorOptions<'a>,
) -> Result<Collector<'a>> {
    header.check_size(source, source.data.len() - start, 2, 4)?;
    let report = LoadReport::new(VectorFormat::Word2VecBinary, header.dim);
    let mut rows = Collector::new(options, report, header.rows);
    let mut at = start;
    for _ in Progress::new(0..header.rows, "vectors", options.progress) {
        if rows.is_full() {
            return Ok(rows);
        }
        at = skip_newlines(source.data, at);
        at = read_row(source, header.dim, at, &mut rows)?;
    }
    at = skip_newlines(source.data, at);
    if at < source.data.len() {
        let reason = format!(
            "{} bytes after the {} rows that the header says",
            source.data.len() - at,
            header.rows
        );
        return Err(source.byte(at, reason));
    }
    Ok(rows)
}

/// word2vec itself ends each row with a newline, gensim does not.
fn skip_newlines(data: &[u8], at: usize) -> usize {
    at + data[at..].iter().take_while(|&&byte| byte == b'\n').count()
}

/// Reads the row at byte `at` and returns where it ends.
fn read_row(source: &Source<'_>, dim: usize, at: usize, rows: &mut Collector<'_>) -> Result<usize> {
    let fail = |reason: String| source.byte(at, reason);
    let row = rows.report.rows + 1;
    let bytes = until(&source.data[at..], b' ')
        .ok_or_else(|| fail(format!("row {row}: there is no word that a space ends")))?;
    let word = word(bytes, format_args!("row {row}")).map_err(fail)?;
    let start = at + bytes.len() + 1;
    let size = dim.saturating_mul(4);
    let numbers = source.data[start..].get(..size).ok_or_else(|| {
        let left = source.data.len() - start;
        fail(format!(
            "row {row}, {}: {left} bytes are left; its {dim} numbers have {size}",
            quoted(word)
        ))
    })?;
    append_numbers(numbers, rows.values())
        .map_err(|reason| fail(format!("row {row}, {}: {reason}", quoted(word))))?;
    rows.finish_row(word);
    Ok(start + size)
}
