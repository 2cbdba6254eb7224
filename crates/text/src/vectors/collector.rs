//! Rows as they come from a file, of which those that are wanted stay.

use std::collections::HashSet;

use super::VectorOptions;
use super::report::LoadReport;
use super::words::Words;
use crate::vocab::Vocab;

/// The words and numbers read so far.
pub(super) struct Collector<'a> {
    wanted: Option<Wanted<'a>>,
    limit: usize,
    dim: usize,
    words: Words,
    values: Vec<f32>,
    pub(super) report: LoadReport,
}

/// The words of a vocabulary, and what they are in lower case.
struct Wanted<'a> {
    vocabulary: &'a Vocab,
    folded: HashSet<String>,
}

impl Wanted<'_> {
    fn has(&self, word: &str) -> bool {
        self.vocabulary.id(word).is_some() || self.folded.contains(&word.to_lowercase())
    }
}

impl<'a> Collector<'a> {
    /// `rows` says for how many there is space from the beginning; the file must be long enough to hold them.
    pub(super) fn new(options: &VectorOptions<'a>, report: LoadReport, rows: usize) -> Self {
        let wanted = options.vocabulary.map(|vocabulary| Wanted {
            vocabulary,
            folded: vocabulary.words().map(str::to_lowercase).collect(),
        });
        let limit = options.limit.unwrap_or(usize::MAX);
        let most = options
            .vocabulary
            .map_or(limit, |words| limit.min(words.len()));
        Self {
            wanted,
            limit,
            dim: report.dim,
            words: Words::default(),
            values: Vec::with_capacity(rows.min(most).saturating_mul(report.dim)),
            report,
        }
    }

    /// Whether no further row is asked for.
    pub(super) fn is_full(&self) -> bool {
        self.report.rows >= self.limit
    }

    /// Where the numbers of the next row are appended, before [`finish_row`](Self::finish_row).
    pub(super) fn values(&mut self) -> &mut Vec<f32> {
        &mut self.values
    }

    /// Keeps the numbers appended last as the row of `word`, or drops them.
    pub(super) fn finish_row(&mut self, word: &str) {
        self.report.rows += 1;
        self.report.words_with_spaces += usize::from(word.contains(' '));
        let is_wanted = self.wanted.as_ref().is_none_or(|wanted| wanted.has(word));
        if is_wanted && self.words.insert(word) {
            self.report.words += 1;
            return;
        }
        let left_out = match is_wanted {
            true => &mut self.report.duplicates,
            false => &mut self.report.not_in_vocabulary,
        };
        *left_out += 1;
        self.values.truncate(self.words.len() * self.dim);
    }

    pub(super) fn finish(self) -> (Words, Vec<f32>, LoadReport) {
        (self.words, self.values, self.report)
    }
}
