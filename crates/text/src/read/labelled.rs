//! Labelled texts, for classifiers.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

use lexigrad_tensor::message::quoted;
use rand::Rng;
use rand::seq::SliceRandom;

use super::forms::{self, Found};
use super::lines::{LineOptions, Lines};
use crate::error::{Error, Place, Result};

/// What the label and the text are called, in JSON and in the first row of CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// The name of the label.
    pub label: String,
    /// The name of the text.
    pub text: String,
}

impl Default for FieldNames {
    /// `label` and `text`.
    fn default() -> Self {
        Self {
            label: "label".to_owned(),
            text: "text".to_owned(),
        }
    }
}

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
/// in CSV. Its first row may hold the names `label` and `text` in any order, large or small; then there may be other columns. Other
/// names of fields are given to [`load_with`](Self::load_with); a CSV file must have them in its first row. fastText's files may have
/// several labels on a line: [`FastText`](super::FastText) reads those.
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

impl LabelledTexts {
    /// Reads a file.
    ///
    /// # Errors
    /// If the file cannot be read, a line is not of the form of the first, a label or a text is empty, or there are not two labels.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &FieldNames::default())
    }

    /// Reads a file whose fields have other names.
    ///
    /// # Errors
    /// As [`load`](Self::load), or if a CSV file does not begin with names that are not the default ones.
    pub fn load_with(path: impl AsRef<Path>, names: &FieldNames) -> Result<Self> {
        Self::from_lines(Lines::open(path, LineOptions::default())?, names)
    }

    /// Reads whatever `name` is.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read(reader: impl BufRead, name: impl Into<String>) -> Result<Self> {
        let lines = Lines::new(reader, name, LineOptions::default());
        Self::from_lines(lines, &FieldNames::default())
    }

    /// Reads lines, with the names of fields.
    ///
    /// ```
    /// use lexigrad_text::read::{FieldNames, LabelledTexts, LineOptions, Lines};
    /// let bytes = b"{\"stars\": 5, \"review\": \"a joy\"}\n{\"stars\": 1, \"review\": \"a bore\"}\n";
    /// let names = FieldNames { label: "stars".into(), text: "review".into() };
    /// let texts = LabelledTexts::from_lines(Lines::new(&bytes[..], "reviews", LineOptions::default()), &names)?;
    /// assert_eq!(texts.labels, ["1", "5"]);
    /// # Ok::<(), lexigrad_text::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`load_with`](Self::load_with).
    pub fn from_lines<R: BufRead>(lines: Lines<R>, names: &FieldNames) -> Result<Self> {
        let name = lines.name().to_owned();
        Self::gather(forms::read(lines, names)?, &name)
    }

    fn gather(found: Vec<Found>, name: &str) -> Result<Self> {
        let distinct: BTreeSet<&str> = found.iter().map(|(label, _)| label.as_str()).collect();
        let labels: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
        if labels.len() < 2 {
            let reason = match &labels[..] {
                [only] => {
                    let only = quoted(only);
                    format!("every example has the label {only}; two labels are needed")
                }
                _ => "it has no examples".to_owned(),
            };
            return Err(Error::format(name, Place::Whole, reason));
        }
        let place = |label: &str| labels.partition_point(|other| other.as_str() < label) as u32;
        let examples = found.into_iter().map(|(label, text)| LabelledText {
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
                let shown: Vec<String> = labels.iter().take(20).map(quoted).collect();
                let more = if labels.len() > shown.len() {
                    ", .."
                } else {
                    ""
                };
                let (name, shown) = (quoted(name), shown.join(", "));
                let reason = format!("the label {name} is not one of [{shown}{more}]");
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
    /// If a share is negative or infinite, or none is above 0.
    pub fn split(mut self, shares: &[f64], rng: &mut (impl Rng + ?Sized)) -> Result<Vec<Self>> {
        let whole: f64 = shares.iter().sum();
        if !shares.iter().all(|&share| share >= 0.0) || !whole.is_finite() || whole <= 0.0 {
            let reason =
                format!("the shares {shares:?}; none may be negative or infinite, nor all 0");
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
            "\u{feff}__label__good a, b\n__label__bad c",
            "\u{feff}{\"text\": \"a, b\", \"label\": \"good\"}\n{\"text\": \"c\", \"label\": \"bad\"}",
            "\n \ngood,\"a, b\"\nbad,c\n",
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
            (
                "__label__a b\nc\td",
                "x, line 2: it does not begin with __label__",
            ),
            (
                "a\tb\n{\"label\": 1, \"text\": \"c\"}",
                "x, line 2: there is no tab between a label and a text",
            ),
            (
                "{\"label\": 1, \"text\": \"c\"}\n[1]",
                "x, line 2: invalid type: sequence, expected a map at column 0",
            ),
            ("a,b\nc", "x, line 2: it has 1 field; 2 are expected"),
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
        for shares in [&[0.0][..], &[-1.0, 2.0], &[f64::INFINITY], &[f64::NAN], &[]] {
            let parts = texts.clone().split(shares, &mut StdRng::seed_from_u64(1));
            assert!(parts.is_err(), "{shares:?}");
        }

        let labels = ["1".to_owned(), "2".to_owned(), "0".to_owned()];
        let renumbered = texts.clone().with_labels(&labels).unwrap();
        assert_eq!(renumbered.label_ids()[..2], [2, 0]);
        let message = texts.with_labels(&labels[..1]).unwrap_err().to_string();
        assert_eq!(
            message,
            "labelled texts: the label \"0\" is not one of [\"1\"]"
        );
    }

    #[test]
    fn fields_may_have_other_names() {
        let names = FieldNames {
            label: "Stars".into(),
            text: "review".into(),
        };
        let read = |text: &str| {
            let lines = Lines::new(text.as_bytes(), "x", LineOptions::default());
            LabelledTexts::from_lines(lines, &names)
        };
        let texts = read("review,stars\na joy,5\na bore,1\n").unwrap();
        assert_eq!(texts.labels, ["1", "5"]);
        let message = read("5,a joy\n1,a bore\n").unwrap_err().to_string();
        assert_eq!(
            message,
            "x, line 1: the names \"Stars\" and \"review\" are not in it"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(written in prop::collection::vec(("[a-c]", "[d-z][ -z]{0,8}[d-z]"), 0..6), form in 0..4) {
            let line = |(label, text): &(String, String)| match form {
                0 => format!("{label}\t{text}\n"),
                1 => format!("__label__{label} {text}\n"),
                2 => format!("{label},\"{}\"\n", text.replace('"', "\"\"")),
                _ => serde_json::json!({ "label": label, "text": text }).to_string() + "\n",
            };
            let file: String = written.iter().map(line).collect();
            let labels: BTreeSet<&String> = written.iter().map(|(label, _)| label).collect();
            prop_assume!(labels.len() > 1);
            let texts = read(&file).unwrap();
            prop_assert!(texts.labels.iter().eq(labels));
            let found = texts.examples.into_iter().map(|example| (texts.labels[example.label as usize].clone(), example.text));
            prop_assert!(found.eq(written));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = LabelledTexts::read(&bytes[..], "x");
        }
    }
}
