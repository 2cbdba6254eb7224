//! What was seen in each epoch.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::monitor::{Goal, Monitor};
use crate::error::{Error, Place, Result};
use crate::file;
use crate::object;
use crate::save::write_whole;

/// The numbers of each epoch of a training.
///
/// ```
/// use lexigrad_text::train::{History, Monitor, Record};
/// let mut history = History::default();
/// for accuracy in [0.7, 0.9, 0.8] {
///     history.push(Record { seconds: 1.5, metrics: vec![("dev accuracy".into(), accuracy)] });
/// }
/// assert_eq!(history.series("dev accuracy"), [0.7, 0.9, 0.8]);
/// assert_eq!(history.best(&Monitor::highest("dev accuracy")), Some((1, 0.9)));
/// assert_eq!(history.to_csv(), "epoch,seconds,dev accuracy\n1,1.5,0.7\n2,1.5,0.9\n3,1.5,0.8\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    #[serde(deserialize_with = "object::list")]
    epochs: Vec<Record>,
}

/// The numbers of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// How long it took: finite, and not below 0.
    #[serde(with = "seconds")]
    pub seconds: f64,
    /// Names and values, in the order in which they were recorded; each name once.
    #[serde(with = "metrics")]
    pub metrics: Vec<(String, f64)>,
}

impl Record {
    /// The value recorded under `name`.
    pub fn get(&self, name: &str) -> Option<f64> {
        let found = self.metrics.iter().find(|(metric, _)| metric == name);
        found.map(|&(_, value)| value)
    }
}

impl History {
    /// Writes down the next epoch.
    pub fn push(&mut self, record: Record) {
        self.epochs.push(record);
    }

    /// The epochs so far.
    pub fn epochs(&self) -> &[Record] {
        &self.epochs
    }

    /// The values of a metric by epoch, NaN where it was not recorded.
    pub fn series(&self, name: &str) -> Vec<f64> {
        let value = |record: &Record| record.get(name).unwrap_or(f64::NAN);
        self.epochs.iter().map(value).collect()
    }

    /// The names of all metrics, in the order in which they were first recorded.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.epochs.iter().flat_map(|record| &record.metrics) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The epoch (from 0) at which the monitored metric was best, the first of equal ones, and its value there.
    pub fn best(&self, monitor: &Monitor) -> Option<(usize, f64)> {
        let values = self.series(&monitor.metric).into_iter().enumerate();
        values
            .filter(|(_, value)| !value.is_nan())
            .reduce(|best, next| {
                let better = match monitor.goal {
                    Goal::Highest => next.1 > best.1,
                    Goal::Lowest => next.1 < best.1,
                };
                if better { next } else { best }
            })
    }

    /// A line of names and a line for each epoch, counted from 1; nothing where a metric was not recorded.
    pub fn to_csv(&self) -> String {
        let names = self.names();
        let mut csv = String::from("epoch,seconds");
        for name in &names {
            csv.push(',');
            csv.push_str(&csv_field(name));
        }
        for (epoch, record) in self.epochs.iter().enumerate() {
            csv.push_str(&format!("\n{},{}", epoch + 1, record.seconds));
            for name in &names {
                csv.push(',');
                csv.push_str(
                    &record
                        .get(name)
                        .map(|value| value.to_string())
                        .unwrap_or_default(),
                );
            }
        }
        csv + "\n"
    }

    /// Writes [`to_csv`](Self::to_csv), [whole or not at all](lexigrad_nn::write_whole).
    ///
    /// # Errors
    /// If the file cannot be written; then a file that was there is as it was.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| {
            file.write_all(self.to_csv().as_bytes())
        })
    }

    /// JSON that [`load`](Self::load) reads. NaN is `null` there, infinities are `"inf"` and `"-inf"`.
    ///
    /// # Errors
    /// If an epoch has a time that is not finite or below 0, or a name twice.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(self);
        json.map_err(|cause| Error::argument("history", cause.to_string()))
    }

    /// Writes [`to_json`](Self::to_json), [whole or not at all](lexigrad_nn::write_whole).
    ///
    /// # Errors
    /// As there, or if the file cannot be written; then a file that was there is as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let json = self.to_json()?;
        write_whole(path.as_ref(), |file| file.write_all(json.as_bytes()))
    }

    /// Reads what [`save`](Self::save) wrote: the same numbers, to the bit.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else; then its line and column, or its byte, and what is expected are named.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = file::read_text(path)?;
        object::from_json(&json).map_err(|cause| {
            let (line, column, reason) = object::place_of(&json, &cause);
            let reason = format!("not a history: column {column}: {reason}");
            Error::format(path.display().to_string(), Place::Line(line), reason)
        })
    }
}

/// A field of CSV (RFC 4180).
fn csv_field(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The time of an epoch in JSON.
mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};

    fn check(seconds: f64) -> Result<f64, String> {
        match seconds {
            0.0..=f64::MAX => Ok(seconds),
            _ => Err(format!(
                "an epoch took {seconds} seconds; the time must be finite and not below 0"
            )),
        }
    }

    pub(super) fn serialize<S: Serializer>(
        seconds: &f64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(check(*seconds).map_err(serde::ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        check(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Metrics in JSON, which has no word for NaN and infinities.
mod metrics {
    use std::collections::HashSet;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    fn to_json(value: f64) -> Value {
        match value {
            f64::INFINITY => "inf".into(),
            f64::NEG_INFINITY => "-inf".into(),
            _ => value.into(), // NaN becomes null
        }
    }

    fn from_json(value: &Value) -> Option<f64> {
        match value {
            Value::Null => Some(f64::NAN),
            Value::Number(number) => number.as_f64(),
            Value::String(text) if text == "inf" => Some(f64::INFINITY),
            Value::String(text) if text == "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        }
    }

    fn check<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), String> {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(format!("an epoch has {name:?} twice; a name stands once"));
            }
        }
        Ok(())
    }

    pub(super) fn serialize<S: Serializer>(
        metrics: &[(String, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        check(metrics.iter().map(|(name, _)| name)).map_err(serde::ser::Error::custom)?;
        let pairs = metrics.iter().map(|(name, value)| (name, to_json(*value)));
        pairs.collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, f64)>, D::Error> {
        let fail = serde::de::Error::custom;
        let pairs: Vec<(String, Value)> = Vec::deserialize(deserializer)?;
        check(pairs.iter().map(|(name, _)| name)).map_err(fail)?;
        let value = |(name, value): (String, Value)| match from_json(&value) {
            Some(value) => Ok((name, value)),
            None => Err(fail(format!(
                "{name:?} is {value}; it must be a number, null, \"inf\" or \"-inf\""
            ))),
        };
        pairs.into_iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(history: &History) -> History {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.json");
        history.save(&path).unwrap();
        History::load(path).unwrap()
    }

    fn of(values: &[f64]) -> History {
        let record = |&value: &f64| Record {
            seconds: value.abs(),
            metrics: vec![("a".to_owned(), value)],
        };
        let epochs = values.iter().map(record).collect();
        History { epochs }
    }

    fn bits(history: &History) -> Vec<[u64; 2]> {
        let bits = |record: &Record| [record.seconds, record.metrics[0].1].map(f64::to_bits);
        history.epochs.iter().map(bits).collect()
    }

    #[test]
    fn every_accuracy_of_a_test_set_comes_back_to_the_bit() {
        let accuracies: Vec<f64> = (0..=1066).map(|right| f64::from(right) / 1066.0).collect();
        let history = of(&accuracies);
        assert_eq!(bits(&round_trip(&history)), bits(&history));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_finite_number_comes_back_to_the_bit(
            values in prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 64)
        ) {
            let finite: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
            let history = of(&finite);
            prop_assert_eq!(bits(&round_trip(&history)), bits(&history));
        }
    }

    #[test]
    fn numbers_that_are_not_finite_come_back() {
        let values = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let metrics = values.map(|value| (value.to_string(), value)).to_vec();
        let mut history = History::default();
        history.push(Record {
            seconds: 0.0,
            metrics,
        });
        let found = round_trip(&history);
        let shown = |history: &History| format!("{history:?}");
        assert_eq!(shown(&found), shown(&history));
    }

    #[test]
    fn what_cannot_be_read_again_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.json");
        of(&[1.0]).save(&path).unwrap();
        let before = std::fs::read(&path).unwrap();
        let refusal = |record: Record| {
            let mut history = History::default();
            history.push(record);
            let message = history.save(&path).unwrap_err().to_string();
            assert_eq!(std::fs::read(&path).unwrap(), before);
            message
        };
        let metrics = vec![("a".to_owned(), 1.0), ("a".to_owned(), 2.0)];
        let seconds = f64::NAN;
        let message = refusal(Record {
            seconds,
            ..Record::default()
        });
        let rule = "the time must be finite and not below 0";
        assert_eq!(
            message,
            format!("history: an epoch took NaN seconds; {rule}")
        );
        let message = refusal(Record {
            seconds: 0.0,
            metrics,
        });
        assert_eq!(
            message,
            "history: an epoch has \"a\" twice; a name stands once"
        );
    }

    #[test]
    fn a_file_that_is_no_history_is_refused_by_line_and_rule() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.json");
        let refusal = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let message = History::load(&path).unwrap_err().to_string();
            let place = format!("{}, ", path.display());
            message.strip_prefix(&place).unwrap().to_owned()
        };
        let epoch = |fields: &str| format!("{{\"epochs\": [\n{{{fields}}}]}}");
        let cases = [
            (
                "",
                "line 1: not a history: column 0: EOF while parsing a value",
            ),
            (
                "{\"epochs\": [], \"x\": 1}",
                "unknown field `x`, expected `epochs`",
            ),
            (
                "{\"epochs\": [], \"epochs\": []}",
                "duplicate field `epochs`",
            ),
            ("{\"epochs\": []} x", "trailing characters"),
            (
                &epoch("\"seconds\": 1"),
                "line 2: not a history: column 14: missing field `metrics`",
            ),
            (&epoch("\"seconds\": null, \"metrics\": []"), "expected f64"),
            (
                &epoch("\"seconds\": 1e999, \"metrics\": []"),
                "number out of range",
            ),
            (
                &epoch("\"seconds\": -1, \"metrics\": []"),
                "took -1 seconds",
            ),
            (
                &epoch("\"seconds\": 1, \"metrics\": [[\"a\", 1], [\"a\", 1]]"),
                "\"a\" twice",
            ),
            (
                &epoch("\"seconds\": 1, \"metrics\": [[\"a\", \"x\"]]"),
                "\"a\" is \"x\"; it must be a number",
            ),
        ];
        for (text, expected) in cases {
            let message = refusal(text.as_bytes());
            assert!(message.contains(expected), "{text}: {message}");
        }
        assert!(refusal(b"{\"epochs\": [{\"\xff").contains("byte 14: 0xff is not UTF-8"));
        assert!(refusal("[".repeat(100_000).as_bytes()).contains("line 1"));
    }
}
