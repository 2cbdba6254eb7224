//! The layout of a fastText model, version 11 or 12: options, dictionary, input matrix, output matrix.

use super::cursor::Cursor;
use super::subwords::{Grams, Subwords};
use crate::error::Result;
use crate::train::Progress;
use crate::vectors::VectorOptions;
use crate::vectors::collector::Collector;
use crate::vectors::report::{LoadReport, VectorFormat};
use crate::vectors::source::{Source, append_numbers, word};
use crate::vectors::table::WordVectors;

/// The number with which a model starts.
pub(in crate::vectors) const MAGIC: i32 = 793_712_314;

/// The kinds of models; of version 11 the supervised ones have no subwords.
const SUPERVISED: i32 = 3;

/// What of the options and counts says how the matrices are read.
struct Layout {
    dim: usize,
    grams: Grams,
}

/// Reads a whole model.
pub(in crate::vectors) fn read(
    source: &Source<'_>,
    options: &VectorOptions<'_>,
) -> Result<(WordVectors, LoadReport)> {
    let mut cursor = Cursor::new(*source);
    let layout = read_options(&mut cursor)?;
    let words = read_dictionary(&mut cursor)?;
    let input = read_matrix(&mut cursor, "the input matrix")?;
    input.check(&cursor, &layout, words.len())?;
    read_matrix(&mut cursor, "the output matrix")?;
    if cursor.left() > 0 {
        let reason = format!("{} bytes after the end of the model", cursor.left());
        return Err(cursor.fail(cursor.at(), reason));
    }

    let mut buckets = Vec::new();
    input.append_rows(&cursor, words.len()..input.rows, &mut buckets)?;
    let subwords = Subwords {
        grams: layout.grams,
        vectors: buckets,
        dim: layout.dim,
    };
    let report = LoadReport::new(VectorFormat::FastText, layout.dim);
    let mut rows = Collector::new(options, report, words.len());
    let mut own = Vec::with_capacity(layout.dim);
    for (row, word) in Progress::new(words.iter().enumerate(), "vectors", options.progress) {
        if rows.is_full() {
            break;
        }
        own.clear();
        input.append_rows(&cursor, row..row + 1, &mut own)?;
        let vector = subwords.mean_with(&own, word).ok_or_else(|| {
            let reason = format!("row {row}, {word:?}: its sum with its subwords is not finite");
            cursor.fail(input.start_of(row), reason)
        })?;
        rows.values().extend(vector);
        rows.finish_row(word);
    }
    let (words, values, report) = rows.finish();
    let subwords = Some(subwords).filter(|_| options.subwords && layout.grams.maximum > 0);
    Ok((
        WordVectors::new(words, values, layout.dim, subwords),
        report,
    ))
}

fn read_options(cursor: &mut Cursor<'_>) -> Result<Layout> {
    cursor.i32("the magic number")?;
    let at = cursor.at();
    let version = cursor.i32("the version")?;
    if !matches!(version, 11 | 12) {
        return Err(cursor.fail(at, format!("version {version}; 11 and 12 are read")));
    }
    let at = cursor.at();
    let dim = cursor.count("the size of a vector")?;
    if dim == 0 {
        return Err(cursor.fail(at, "vectors of 0 numbers; there must be one"));
    }
    for what in ["ws", "epoch", "minCount", "neg", "wordNgrams", "loss"] {
        cursor.i32(what)?;
    }
    let model = cursor.i32("the kind of model")?;
    let at = cursor.at();
    let buckets = cursor.count("the number of buckets")?;
    let minimum = cursor.count("minn")?;
    let mut maximum = cursor.count("maxn")?;
    if version == 11 && model == SUPERVISED {
        maximum = 0;
    }
    if maximum > 0 && buckets == 0 {
        return Err(cursor.fail(
            at,
            format!("n-grams up to {maximum} and no buckets for them"),
        ));
    }
    cursor.i32("lrUpdateRate")?;
    cursor.bytes(8, "t")?;
    let grams = Grams {
        minimum,
        maximum,
        buckets,
    };
    Ok(Layout { dim, grams })
}

/// Reads words, and labels after them; the words are returned.
fn read_dictionary<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<&'a str>> {
    let at = cursor.at();
    let size = cursor.count("the number of entries")?;
    let count = cursor.count("the number of words")?;
    let labels = cursor.count("the number of labels")?;
    cursor.i64("the number of tokens")?;
    if count.checked_add(labels) != Some(size) {
        let reason = format!("{size} entries; {count} words and {labels} labels are others");
        return Err(cursor.fail(at, reason));
    }
    let pruned_at = cursor.at();
    let pruned = cursor.i64("the number of pruned buckets")?;
    if pruned >= 0 {
        let reason =
            "a model with pruned buckets, as quantization makes it; only whole ones are read";
        return Err(cursor.fail(pruned_at, reason));
    }
    // An entry: a letter at least, zero, count, kind.
    if size.saturating_mul(11) > cursor.left() {
        let reason = format!(
            "{size} entries; the {} bytes left cannot hold them",
            cursor.left()
        );
        return Err(cursor.fail(at, reason));
    }
    let mut words = Vec::with_capacity(count);
    for entry in 0..size {
        let at = cursor.at();
        let fail = |cursor: &Cursor<'_>, reason: String| {
            cursor.fail(
                at,
                format!("entry {} of the dictionary: {reason}", entry + 1),
            )
        };
        let bytes = cursor.string()?;
        let word = word(bytes).map_err(|reason| fail(cursor, reason))?;
        cursor.i64("a word's count")?;
        let kind = cursor.byte("a word's kind")?;
        if kind != u8::from(entry >= count) {
            let reason = format!("kind {kind}; words are 0 and come first, labels are 1");
            return Err(fail(cursor, reason));
        }
        if entry < count {
            words.push(word);
        }
    }
    Ok(words)
}

/// A matrix as it stands in the file.
struct Matrix<'a> {
    /// The byte where it starts.
    at: usize,
    rows: usize,
    dim: usize,
    numbers: &'a [u8],
}

fn read_matrix<'a>(cursor: &mut Cursor<'a>, what: &str) -> Result<Matrix<'a>> {
    let at = cursor.at();
    if cursor.byte(what)? != 0 {
        let reason =
            format!("{what} is quantized; only models that are not (.bin, not .ftz) are read");
        return Err(cursor.fail(at, reason));
    }
    let at = cursor.at();
    let (rows, dim) = (cursor.i64(what)?, cursor.i64(what)?);
    let size = match (usize::try_from(rows), usize::try_from(dim)) {
        (Ok(rows), Ok(dim)) => rows.checked_mul(dim).and_then(|count| count.checked_mul(4)),
        _ => None,
    };
    let left = cursor.left();
    let size = size.filter(|&size| size <= left).ok_or_else(|| {
        let reason = format!("{what} is [{rows}, {dim}]; the {left} bytes left cannot hold it");
        cursor.fail(at, reason)
    })?;
    Ok(Matrix {
        at,
        rows: rows as usize,
        dim: dim as usize,
        numbers: cursor.bytes(size, what)?,
    })
}

impl Matrix<'_> {
    /// Checks that there is a row for each word and bucket.
    fn check(&self, cursor: &Cursor<'_>, layout: &Layout, words: usize) -> Result<()> {
        let (buckets, dim) = (layout.grams.buckets, layout.dim);
        if (self.rows, self.dim) == (words + buckets, dim) {
            return Ok(());
        }
        let reason = format!(
            "the input matrix is [{}, {}]; {words} words and {buckets} buckets of {dim} numbers need another",
            self.rows, self.dim
        );
        Err(cursor.fail(self.at, reason))
    }

    /// Appends some rows to `values`; they must be finite.
    fn append_rows(
        &self,
        cursor: &Cursor<'_>,
        rows: std::ops::Range<usize>,
        values: &mut Vec<f32>,
    ) -> Result<()> {
        let size = self.dim * 4;
        values.reserve(rows.len() * self.dim);
        for row in rows {
            append_numbers(&self.numbers[row * size..][..size], values).map_err(|reason| {
                cursor.fail(self.start_of(row), format!("row {row}: {reason}"))
            })?;
        }
        Ok(())
    }

    /// The byte where a row starts, after the two sizes.
    fn start_of(&self, row: usize) -> usize {
        self.at + 16 + row * self.dim * 4
    }
}
