//! Texts from files: lines, columns, labels.
//!
//! Every reader takes UTF-8, with or without a byte order mark, with Unix or Windows line ends, with or without an end of the last
//! line, and goes through files and pipes of any size a line at a time. What breaks a rule is an [`Error`](crate::Error) with file,
//! line and reason, after which the reader ends: a zero byte, bytes that are not UTF-8, no line end but CR. Files in UTF-16 and
//! compressed ones are recognised by their first bytes; a folder is refused. Each reader opens a file (`tsv("reviews.tsv")`) or reads
//! from whatever is at hand (`Tsv::new(Lines::new(bytes, "name", options))`).
//!
//! | reader | lines | items |
//! |---|---|---|
//! | [`lines()`] | any | [`Line`] |
//! | [`tsv`] | fields with tabs between, as many in each | [`Row`] |
//! | [`csv`] | fields with commas between, quoted where needed (RFC 4180) | [`Row`] |
//! | [`json_lines`] | a JSON value each | any type that serde reads |
//! | [`fasttext`] | a text each, labels before it (`__label__NAME text`) | [`TaggedText`] |
//! | [`columns`] | a token with its tags each, blank between sentences (CoNLL) | [`Sentence`] |
//! | [`LabelledTexts::load`] | a label and a text each, in any of these forms or fastText's | all of them |
//! | [`parts`] | which lines of another file belong to which part | [`Part`] |
//! | [`pairs`] | a source and a target each, with a tab between | two strings |

mod columns;
mod csv;
mod fasttext;
mod forms;
mod json_lines;
mod labelled;
mod lines;
mod parts;
mod tsv;

pub use self::csv::{Csv, csv};
pub use columns::{Columns, ColumnsOptions, Sentence, columns};
pub use fasttext::{FastText, TaggedText, fasttext};
pub use json_lines::{JsonLines, json_lines};
pub use labelled::{FieldNames, LabelledText, LabelledTexts};
pub use lines::{Line, LineOptions, Lines, lines};
pub use parts::{Part, items_of, parts};
pub use tsv::{Row, Tsv, pairs, tsv};
