//! The layout of a fastText model, version 11 or 12: options, dictionary, input matrix, output matrix.

use lexigrad_tensor::message::quoted;

use super::cursor::Cursor;
use super::subwords::{Grams, Subwords};
use crate::error::Result;
use crate::progress::Progress;
use crate::vectors::VectorOptions;
use crate::vectors::collector::Collector;
use crate::vectors::report::{LoadReport, VectorFormat};
use crate::vectors::source::{Source, append_numbers, word};
use crate::vectors::table::WordVectors;

/// The number with which a model starts.
pub(in crate::vectors) const MAGIC: i32 = 793_712_314;

/// The kinds of models are 1 to 3; of version 11 the supervised ones have no subwords.
const SUPERVISED: usize = 3;

/// The limit of work on n-grams: how many numbers are added for each byte of the file when word vectors are summed.
///
/// Real models stay below 8. Words of hundreds of letters with n-grams as long exceed it: the time of their sums grows with the square
/// of their length.
const MOST_ADDED: u128 = 256;

/// What of the options and counts says how the matrices are read.
struct Layout {
    dim: usize,
    grams: Grams,
    is_supervised: bool,
}

/// The words of the dictionary, and how many labels follow them.
struct Dictionary<'a> {
    words: Vec<&'a str>,
    labels: usize,
}

/// Reads a whole model.
pub(in crate::vectors) fn read(
    source: &Source<'_>,
    options: &VectorOptions<'_>,
) -> Result<(WordVectors, LoadReport)> {
    let mut cursor = Cursor::new(*source);
    let layout = read_options(&mut cursor)?;
    let Dictionary { words, labels } = read_dictionary(&mut cursor)?;
    let input = read_matrix(&mut cursor, "the input matrix")?;
    let (buckets, dim) = (layout.grams.buckets, layout.dim);
    let of_input = format!("{} words and {buckets} buckets", words.len());
    input.check(&cursor, (words.len() + buckets, dim), &of_input)?;
    let output = read_matrix(&mut cursor, "the output matrix")?;
    let (targets, of_output) = match layout.is_supervised {
        true => (labels, format!("{labels} labels")),
        false => (words.len(), format!("{} words", words.len())),
    };
    output.check(&cursor, (targets, dim), &of_output)?;
    if cursor.left() > 0 {
        let reason = format!("{} bytes after the end of the model", cursor.left());
        return Err(cursor.fail(cursor.at(), reason));
    }
    check_work(&cursor, &layout, &words, source.data.len())?;

    let mut buckets = Vec::new();
    input.append_rows(&cursor, words.len()..input.rows, &mut buckets)?;
    let subwords = Subwords {
        grams: layout.grams,
        vectors: buckets,
        dim: layout.dim,
    };
    make_vectors(&cursor, &input, &words, subwords, options)
}

/// Checks that the n-grams of the words are no more than a file of this size can ask for.
fn check_work(cursor: &Cursor<'_>, layout: &Layout, words: &[&str], size: usize) -> Result<()> {
    let grams: u128 = words.iter().map(|word| layout.grams.count(word)).sum();
    let added = grams.saturating_mul(layout.dim as u128);
    if added <= size as u128 * MOST_ADDED {
        return Ok(());
    }
    let (minimum, maximum) = (layout.grams.minimum, layout.grams.maximum);
    let reason = format!(
        "minn {minimum} and maxn {maximum}: the words have {grams} n-grams of {} numbers; a file of {size} bytes may have \
         {MOST_ADDED} numbers of n-grams a byte",
        layout.dim
    );
    Err(cursor.fail(GRAMS_AT, reason))
}

/// Makes the vector of each word of its own row and those of its n-grams.
fn make_vectors(
    cursor: &Cursor<'_>,
    input: &Matrix<'_>,
    words: &[&str],
    subwords: Subwords,
    options: &VectorOptions<'_>,
) -> Result<(WordVectors, LoadReport)> {
    let dim = input.dim;
    let report = LoadReport::new(VectorFormat::FastText, dim);
    let mut rows = Collector::new(options, report, words.len());
    let mut own = Vec::with_capacity(dim);
    for (row, word) in Progress::new(words.iter().enumerate(), "vectors", options.progress) {
        if rows.is_full() {
            break;
        }
        own.clear();
        input.append_rows(cursor, row..row + 1, &mut own)?;
        let vector = subwords.mean_with(&own, word).ok_or_else(|| {
            let rule = "its sum with its subwords is not finite";
            let reason = format!("row {row}, {}: {rule}", quoted(word));
            cursor.fail(input.start_of(row), reason)
        })?;
        rows.values().extend(vector);
        rows.finish_row(word);
    }
    let (words, values, report) = rows.finish();
    let subwords = Some(subwords).filter(|known| options.subwords && known.grams.maximum > 0);
    Ok((WordVectors::new(words, values, dim, subwords), report))
}

/// The byte at which minn and maxn stand.
const GRAMS_AT: usize = 44;

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
    for what in ["ws", "epoch", "minCount", "neg", "wordNgrams"] {
        cursor.count(what)?;
    }
    read_kind(cursor, "loss", 4)?;
    let model = read_kind(cursor, "model", SUPERVISED)?;
    let at = cursor.at();
    let buckets = cursor.count("the number of buckets")?;
    let minimum = cursor.count("minn")?;
    let mut maximum = cursor.count("maxn")?;
    if version == 11 && model == SUPERVISED {
        maximum = 0;
    }
    if maximum > 0 && minimum <= maximum && buckets == 0 {
        return Err(cursor.fail(
            at,
            format!("n-grams up to {maximum} and no buckets for them"),
        ));
    }
    cursor.count("lrUpdateRate")?;
    cursor.bytes(8, "t")?;
    let grams = Grams {
        minimum,
        maximum,
        buckets,
    };
    Ok(Layout {
        dim,
        grams,
        is_supervised: model == SUPERVISED,
    })
}

/// Reads which of the kinds 1 to `last` an option is.
fn read_kind(cursor: &mut Cursor<'_>, what: &str, last: usize) -> Result<usize> {
    let at = cursor.at();
    let kind = cursor.count(what)?;
    if (1..=last).contains(&kind) {
        return Ok(kind);
    }
    let reason = format!("{what} {kind}; there are 1 to {last}");
    Err(cursor.fail(at, reason))
}

/// Reads words, and labels after them.
fn read_dictionary<'a>(cursor: &mut Cursor<'a>) -> Result<Dictionary<'a>> {
    let at = cursor.at();
    let size = cursor.count("the number of entries")?;
    let count = cursor.count("the number of words")?;
    let labels = cursor.count("the number of labels")?;
    cursor.long_count("the number of tokens")?;
    if count.checked_add(labels) != Some(size) {
        let reason = format!("{size} entries, but {count} words and {labels} labels");
        return Err(cursor.fail(at, reason));
    }
    let pruned_at = cursor.at();
    let pruned = cursor.i64("the number of pruned buckets")?;
    if pruned >= 0 {
        let reason =
            "a model with pruned buckets, as quantization makes it; only whole ones are read";
        return Err(cursor.fail(pruned_at, reason));
    }
    if pruned != -1 {
        let reason = format!("{pruned} pruned buckets; a whole model has -1 there");
        return Err(cursor.fail(pruned_at, reason));
    }
    // An entry: a word, zero, count, kind.
    if size.saturating_mul(10) > cursor.left() {
        let reason = format!(
            "{size} entries; the {} bytes left cannot hold them",
            cursor.left()
        );
        return Err(cursor.fail(at, reason));
    }
    let mut words = Vec::with_capacity(count);
    for entry in 0..size {
        let at = cursor.at();
        let bytes = cursor.string()?;
        let of = format_args!("entry {} of the dictionary", entry + 1);
        let word = word(bytes, of).map_err(|reason| cursor.fail(at, reason))?;
        cursor.long_count("a word's count")?;
        let kind = cursor.byte("a word's kind")?;
        if kind != u8::from(entry >= count) {
            let rule = "words are 0 and come first, labels are 1";
            let reason = format!("entry {} of the dictionary: kind {kind}; {rule}", entry + 1);
            return Err(cursor.fail(at, reason));
        }
        if entry < count {
            words.push(word);
        }
    }
    Ok(Dictionary { words, labels })
}

/// A matrix as it stands in the file.
struct Matrix<'a> {
    /// What it is called.
    name: &'static str,
    /// The byte where it starts.
    at: usize,
    rows: usize,
    dim: usize,
    numbers: &'a [u8],
}

fn read_matrix<'a>(cursor: &mut Cursor<'a>, what: &'static str) -> Result<Matrix<'a>> {
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
        name: what,
        at,
        rows: rows as usize,
        dim: dim as usize,
        numbers: cursor.bytes(size, what)?,
    })
}

impl Matrix<'_> {
    /// Checks that there is a row for each thing that has one, which `things` tells.
    fn check(&self, cursor: &Cursor<'_>, needed: (usize, usize), things: &str) -> Result<()> {
        if (self.rows, self.dim) == needed {
            return Ok(());
        }
        let (name, rows, dim) = (self.name, self.rows, self.dim);
        let reason = format!(
            "{name} is [{rows}, {dim}], which does not fit {things} of {} numbers",
            needed.1
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
