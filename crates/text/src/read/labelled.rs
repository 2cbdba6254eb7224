//! Labelled texts, for classifiers.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value};

use super::csv::Csv;
use super::lines::{LineOptions, Lines};
use crate::error::{Error, Place, Result};

/// What fastText writes before a label.
const FASTTEXT: &str = "__label__";

/// A text and the place of its label in [`LabelledTexts::labels`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledText {
    /// The id of its label.
    pub label: u32,
    /// The text.
    pub text: String,
}

/// Texts with a label each, and the labels in alphabetical order.
///
/// The form is that of the first line: fastText's `__label__NAME text`; a JSON object with the fields `label` and `text`; a
/// label, a tab and the text, or a label, a tab, a number (which is ignored), a tab and the text; or a label, a comma and the text
/// in CSV, whose first row may be the names `label` and `text` in either order.
///
/// ```
/// use lexigrad_text::read::LabelledTexts;
/// let texts = LabelledTexts::read(&b"good\ta joy\nbad\ta bore\n"[..], "reviews")?;
/// assert_eq!(texts.labels, ["bad", "good"]);
/// assert_eq!((texts.examples[0].label, &texts.examples[0].text[..]), (1, "a joy"));
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledTexts {
    /// The names of the labels.
    pub labels: Vec<String>,
    /// The texts, in the order of the file.
    pub examples: Vec<LabelledText>,
}

/// A label and a text with the line that they stand on.
type Found = (usize, String, String);

impl LabelledTexts {
    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be read, a line is not of the form of the first, a label or a text is empty, or there are not two labels.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = std::fs::File::open(path).map_err(|cause| Error::io(path, cause))?;
        Self::read(std::io::BufReader::new(file), path.display().to_string())
    }

    /// Reads whatever `name` is.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read(mut reader: impl BufRead, name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let start = reader.fill_buf().map_err(|cause| Error::Io {
            source_name: name.clone(),
            cause,
        })?;
        let first = start
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        let is_csv = first.contains(&b',')
            && !first.contains(&b'\t')
            && !first.starts_with(FASTTEXT.as_bytes())
            && !first.starts_with(b"{");
        let found = if is_csv {
            from_csv(reader, &name)?
        } else {
            from_lines(reader, &name)?
        };
        Self::gather(found, &name)
    }

    fn gather(found: Vec<Found>, name: &str) -> Result<Self> {
        let distinct: BTreeSet<&str> = found.iter().map(|(_, label, _)| label.as_str()).collect();
        let labels: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        if labels.len() < 2 {
            let reason = match &labels[..] {
                [only] => format!("every example has the label {only:?}; two labels are needed"),
                _ => "it has no examples".to_owned(),
            };
            return Err(Error::format(name, Place::Whole, reason));
        }
        let place = |label: &str| labels.partition_point(|other| other.as_str() < label) as u32;
        let examples = found.into_iter().map(|(_, label, text)| LabelledText {
            label: place(&label),
            text,
        });
        Ok(Self {
            examples: examples.collect(),
            labels,
        })
    }

    /// The label ids, in order.
    pub fn label_ids(&self) -> Vec<u32> {
        self.examples.iter().map(|example| example.label).collect()
    }

    /// The same texts under the ids of another list of labels, such as that of the texts trained on.
    ///
    /// # Errors
    /// If a label is not in the list.
    pub fn with_labels(mut self, labels: &[String]) -> Result<Self> {
        let place = |name: &String| {
            let place = labels.iter().position(|label| label == name);
            place.ok_or_else(|| {
                let reason = format!("the label {name:?} is not one of {labels:?}");
                Error::argument("labelled texts", reason)
            })
        };
        let places: Vec<usize> = self.labels.iter().map(place).collect::<Result<_>>()?;
        for example in &mut self.examples {
            example.label = places[example.label as usize] as u32;
        }
        self.labels = labels.to_vec();
        Ok(self)
    }

    /// Shuffled and cut in parts of these shares of the whole, which need not sum to 1.
    ///
    /// # Errors
    /// If a share is negative or none is above 0.
    pub fn split(mut self, shares: &[f64], rng: &mut (impl Rng + ?Sized)) -> Result<Vec<Self>> {
        let whole: f64 = shares.iter().sum();
        if !shares.iter().all(|&share| share >= 0.0) || whole.is_nan() || whole <= 0.0 {
            let reason = format!("the shares {shares:?}; none may be negative, nor all 0");
            return Err(Error::argument("split", reason));
        }
        self.examples.shuffle(rng);
        let (count, mut until, mut start) = (self.examples.len(), 0.0, 0);
        let mut parts = Vec::with_capacity(shares.len());
        for share in shares {
            until += share;
            let end = ((until / whole * count as f64).round() as usize).min(count);
            parts.push(Self {
                labels: self.labels.clone(),
                examples: self.examples[start..end].to_vec(),
            });
            start = end;
        }
        Ok(parts)
    }
}

fn from_lines(reader: impl BufRead, name: &str) -> Result<Vec<Found>> {
    let lines = Lines::new(reader, name, LineOptions::default());
    lines
        .map(|line| {
            let line = line?;
            let fault = |reason| Error::format(name, Place::Line(line.number), reason);
            let (label, text) = cut(&line.text).map_err(fault)?;
            Ok((line.number, label, text))
        })
        .collect()
}

/// The label and the text of a line that is not CSV.
fn cut(line: &str) -> Result<(String, String), String> {
    if let Some(rest) = line.strip_prefix(FASTTEXT) {
        let (label, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if text.trim_start().starts_with(FASTTEXT) {
            return Err("it has more than one label".to_owned());
        }
        return complete(label, text);
    }
    if line.starts_with('{') {
        return cut_json(line);
    }
    match line.split('\t').collect::<Vec<_>>()[..] {
        [label, text] => complete(label, text),
        [label, score, text] if is_number(score) => complete(label, text),
        [_, other, _] => Err(format!(
            "{other:?}, the second of three columns, is no number"
        )),
        [_] => Err("there is no tab between a label and a text".to_owned()),
        ref columns => {
            let count = columns.len();
            Err(format!(
                "it has {count} columns; label, text or label, number, text are read"
            ))
        }
    }
}

fn cut_json(line: &str) -> Result<(String, String), String> {
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("not a JSON object: {error}"))?;
    let field = |name: &str| match object.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Bool(value)) => Ok(value.to_string()),
        _ => Err(format!(
            "the field {name:?} is missing, or no text or number"
        )),
    };
    complete(&field("label")?, &field("text")?)
}

fn from_csv(reader: impl BufRead, name: &str) -> Result<Vec<Found>> {
    let (mut label, mut text) = (0, 1);
    let mut found = Vec::new();
    let options = LineOptions {
        skip_blank: false,
        ..LineOptions::default()
    };
    let rows = Csv::new(Lines::new(reader, name, options));
    for (index, row) in rows.enumerate() {
        let row = row?;
        let fault = |reason| Error::format(name, Place::Line(row.line), reason);
        let lower = |field: &String| field.trim().to_lowercase();
        let place = |wanted: &str| row.fields.iter().position(|field| lower(field) == wanted);
        if index == 0
            && let (Some(labels), Some(texts)) = (place("label"), place("text"))
        {
            (label, text) = (labels, texts);
            continue;
        }
        let field = |place: usize| row.fields.get(place).map_or("", String::as_str);
        let (label, text) = complete(field(label), field(text)).map_err(fault)?;
        found.push((row.line, label, text));
    }
    Ok(found)
}

fn complete(label: &str, text: &str) -> Result<(String, String), String> {
    match (label.trim(), text.trim()) {
        ("", _) => Err("the label is empty".to_owned()),
        (_, "") => Err("the text is empty".to_owned()),
        (label, text) => Ok((label.to_owned(), text.to_owned())),
    }
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn read(text: &str) -> Result<LabelledTexts> {
        LabelledTexts::read(text.as_bytes(), "x")
    }

    #[test]
    fn every_form_gives_the_same_texts() {
        for text in [
            "\u{feff}good\ta, b\r\n\r\nbad\tc\r\n",
            "good\t1.5\ta, b\nbad\t-2\tc",
            "__label__good a, b\n__label__bad c",
            "{\"text\": \"a, b\", \"label\": \"good\"}\n{\"label\": \"bad\", \"text\": \"c\", \"more\": 1}\n",
            "good,\"a, b\"\nbad,c\n",
            "Text,id,Label\n\"a, b\",1,good\nc,2,bad\n",
        ] {
            let texts = read(text).unwrap();
            assert_eq!(texts.labels, ["bad", "good"], "{text}");
            assert_eq!(texts.label_ids(), [1, 0]);
            assert_eq!(texts.examples[0].text, "a, b");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        for (text, wanted) in [
            ("", "x: it has no examples"),
            (
                "a\tb\na\tc",
                "x: every example has the label \"a\"; two labels are needed",
            ),
            (
                "a\tb\nc",
                "x, line 2: there is no tab between a label and a text",
            ),
            ("a\tb\n\tc", "x, line 2: the label is empty"),
            ("a\tb\nb\t ", "x, line 2: the text is empty"),
            (
                "a\tb\tc",
                "x, line 1: \"b\", the second of three columns, is no number",
            ),
            (
                "a\t1\tb\tc",
                "x, line 1: it has 4 columns; label, text or label, number, text are read",
            ),
            (
                "__label__a __label__b c",
                "x, line 1: it has more than one label",
            ),
            (
                "{\"label\": 1}",
                "x, line 1: the field \"text\" is missing, or no text or number",
            ),
            ("a,b\nc", "x, line 2: it has 1 fields; 2 are expected"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), wanted, "{text:?}");
        }
    }

    #[test]
    fn parts_keep_every_text_and_labels_can_be_renumbered() {
        let lines: String = (0..20).map(|i| format!("{}\t{i}\n", i % 2)).collect();
        let texts = read(&lines).unwrap();
        let parts = texts
            .clone()
            .split(&[0.8, 0.1, 0.1], &mut StdRng::seed_from_u64(1))
            .unwrap();
        assert_eq!(
            parts
                .iter()
                .map(|part| part.examples.len())
                .collect::<Vec<_>>(),
            [16, 2, 2]
        );
        let mut all: Vec<String> = parts
            .iter()
            .flat_map(|part| &part.examples)
            .map(|example| example.text.clone())
            .collect();
        all.sort_by_key(|text| text.parse::<u32>().unwrap());
        assert_eq!(all, (0..20).map(|i| i.to_string()).collect::<Vec<_>>());
        assert!(
            texts
                .clone()
                .split(&[0.0], &mut StdRng::seed_from_u64(1))
                .is_err()
        );

        let labels = ["1".to_owned(), "2".to_owned(), "0".to_owned()];
        let renumbered = texts.clone().with_labels(&labels).unwrap();
        assert_eq!(renumbered.label_ids()[..2], [2, 0]);
        let message = texts.with_labels(&labels[..1]).unwrap_err().to_string();
        assert_eq!(
            message,
            "labelled texts: the label \"0\" is not one of [\"1\"]"
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = LabelledTexts::read(&bytes[..], "x");
        }
    }
}
