//! Labelled texts from files.
//!
//! A file is read whole or not at all. It is UTF-8, with or without a byte order mark, with Unix or Windows line ends,
//! one example a line. Blank lines are skipped; a label without a text is an error.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// A text and the place of its label in [`Corpus::labels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub label: u32,
    pub text: String,
}

/// Labelled texts in three parts: to train on, to choose settings by, and to judge by at the end.
#[derive(Debug)]
pub struct Corpus {
    /// The labels in alphabetical order.
    pub labels: Vec<String>,
    pub train: Vec<Example>,
    pub dev: Vec<Example>,
    pub test: Vec<Example>,
}

impl Corpus {
    /// The movie reviews in `folder`, split as their files are.
    pub fn movie_reviews(folder: &Path) -> Result<Self, ReadError> {
        let read = |part| read(&folder.join(format!("movie_reviews.{part}.tsv")));
        let train = read("train")?;
        Ok(Self {
            labels: train.labels,
            train: train.examples,
            dev: read("dev")?.examples,
            test: read("test")?.examples,
        })
    }

    /// The examples of one file, shuffled by `seed` and cut 80 : 10 : 10.
    pub fn from_file(path: &Path, seed: u64) -> Result<Self, ReadError> {
        let LabelledFile {
            labels,
            examples: mut train,
        } = read(path)?;
        let tenth = train.len() / 10;
        if tenth == 0 {
            let reason = format!(
                "it has {} examples; at least 10 are needed to train, tune and test",
                train.len()
            );
            return Err(ReadError::whole(path, reason));
        }
        train.shuffle(&mut StdRng::seed_from_u64(seed));
        let test = train.split_off(train.len() - tenth);
        let dev = train.split_off(train.len() - tenth);
        Ok(Self {
            labels,
            train,
            dev,
            test,
        })
    }
}

/// Why a file could not be used: where, and what is wrong there.
#[derive(Debug)]
pub struct ReadError {
    path: PathBuf,
    line: Option<usize>,
    reason: String,
}

impl ReadError {
    fn whole(path: &Path, reason: String) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            reason,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for ReadError {}

struct LabelledFile {
    labels: Vec<String>,
    examples: Vec<Example>,
}

fn read(path: &Path) -> Result<LabelledFile, ReadError> {
    let bytes = fs::read(path)
        .map_err(|error| ReadError::whole(path, format!("it cannot be read: {error}")))?;
    parse(&bytes).map_err(|(line, reason)| ReadError {
        path: path.to_owned(),
        line,
        reason,
    })
}

/// The examples in the bytes of a file, or what is wrong and on which line.
fn parse(bytes: &[u8]) -> Result<LabelledFile, (Option<usize>, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut pairs = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let line = std::str::from_utf8(line)
            .map_err(|_| (Some(number), "it is not UTF-8 text".to_owned()))?;
        if !line.trim().is_empty() {
            pairs.push(parse_line(line).map_err(|reason| (Some(number), reason))?);
        }
    }
    let mut labels: Vec<String> = pairs.iter().map(|&(label, _)| label.to_owned()).collect();
    labels.sort_unstable();
    labels.dedup();
    match &labels[..] {
        [] => return Err((None, "it has no examples".to_owned())),
        [only] => {
            let reason = format!("every example has the label {only:?}; two labels are needed");
            return Err((None, reason));
        }
        _ => {}
    }
    let place = |label| labels.partition_point(|other| other.as_str() < label) as u32;
    let examples = pairs.into_iter().map(|(label, text)| Example {
        label: place(label),
        text: text.to_owned(),
    });
    Ok(LabelledFile {
        examples: examples.collect(),
        labels,
    })
}

/// The label and the text of a line.
fn parse_line(line: &str) -> Result<(&str, &str), String> {
    const FASTTEXT: &str = "__label__";
    let (label, text) = if let Some(rest) = line.strip_prefix(FASTTEXT) {
        let (label, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if text.trim_start().starts_with(FASTTEXT) {
            return Err("it has more than one label".to_owned());
        }
        (label, text)
    } else {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [label, text] => (label, text),
            [label, score, text] if is_score(score) => (label, text),
            [_, other, _] => {
                return Err(format!(
                    "{other:?}, the second of three columns, is no score"
                ));
            }
            [_] => return Err("there is no tab between a label and a text".to_owned()),
            ref columns => {
                let count = columns.len();
                return Err(format!(
                    "it has {count} columns; label, text or label, score, text are read"
                ));
            }
        }
    };
    match (label.trim(), text.trim()) {
        ("", _) => Err("the label is empty".to_owned()),
        (_, "") => Err("the text is empty".to_owned()),
        pair => Ok(pair),
    }
}

fn is_score(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests;
