//! What was seen in each epoch.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::training::{Goal, Monitor};
use crate::error::{Error, Place, Result};

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
pub struct History {
    epochs: Vec<Record>,
}

/// The numbers of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// How long it took.
    pub seconds: f64,
    /// Names and values, in the order in which they were recorded.
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

    /// Forgets the epochs from `count` on.
    pub(super) fn truncate(&mut self, count: usize) {
        self.epochs.truncate(count);
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
            csv.push_str(&quoted(name));
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

    /// Writes [`to_csv`](Self::to_csv).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.to_csv()).map_err(|cause| Error::io(path, cause))
    }

    /// Writes JSON that [`load`](Self::load) reads; numbers that are not finite are null there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let json = serde_json::to_string_pretty(self).unwrap_or_default();
        std::fs::write(path, json).map_err(|cause| Error::io(path, cause))
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = std::fs::read_to_string(path).map_err(|cause| Error::io(path, cause))?;
        serde_json::from_str(&json).map_err(|cause| {
            let name = path.display().to_string();
            Error::format(name, Place::Whole, format!("not a history: {cause}"))
        })
    }
}

/// A field of CSV (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Metrics in JSON, where NaN and infinity are null.
mod metrics {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        metrics: &[(String, f64)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let finite = |value: f64| value.is_finite().then_some(value);
        let pairs: Vec<(&str, Option<f64>)> = metrics
            .iter()
            .map(|(name, value)| (name.as_str(), finite(*value)))
            .collect();
        pairs.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, f64)>, D::Error> {
        let pairs: Vec<(String, Option<f64>)> = Vec::deserialize(deserializer)?;
        let value = |(name, value): (String, Option<f64>)| (name, value.unwrap_or(f64::NAN));
        Ok(pairs.into_iter().map(value).collect())
    }
}
