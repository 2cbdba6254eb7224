//! Which classes are taken for which.

use std::fmt;

use lexigrad_tensor::Ids;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// `C[i, j]`: how many of the true class `i` were taken for class `j`; accuracy, precision, recall and F1 follow.
///
/// Where nothing was predicted of a class, its precision is 0, as in scikit-learn with `zero_division=0`; likewise its recall
/// where there is nothing of it, and its F1.
///
/// ```
/// use lexigrad_tensor::Ids;
/// use lexigrad_text::metrics::Confusion;
/// let mut confusion = Confusion::new(2);
/// confusion.add(&Ids::new([0, 0, 1, 1])?, &Ids::new([0, 1, 1, 1])?)?;
/// assert_eq!(confusion.accuracy(), 0.75);
/// assert_eq!((confusion.precision(1), confusion.recall(1), confusion.f1(1)), (2.0 / 3.0, 1.0, 0.8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// Nothing seen of so many classes.
    ///
    /// # Panics
    /// If there is no memory for a count of each pair of classes.
    #[track_caller]
    pub fn new(classes: usize) -> Self {
        let pairs = classes.saturating_mul(classes);
        let mut counts = Vec::new();
        if let Err(cause) = counts.try_reserve_exact(pairs) {
            panic!("confusion: counts of {classes} by {classes} classes: {cause}");
        }
        counts.resize(pairs, 0);
        Self { classes, counts }
    }

    /// Counts predictions in; both are of one shape.
    ///
    /// # Errors
    /// If there are not as many of one as of the other, or a class is beyond the classes; then nothing is counted.
    pub fn add(&mut self, truth: &Ids, predicted: &Ids) -> Result<()> {
        let (truth, predicted) = (truth.as_slice(), predicted.as_slice());
        if truth.len() != predicted.len() {
            let reason = format!(
                "{} true classes, {} predicted",
                truth.len(),
                predicted.len()
            );
            return Err(Error::argument("confusion", reason));
        }
        let beyond = |&&class: &&u32| class as usize >= self.classes;
        if let Some(class) = truth.iter().chain(predicted).find(beyond) {
            let reason = format!("class {class} is out of range for {} classes", self.classes);
            return Err(Error::argument("confusion", reason));
        }
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            self.counts[truth as usize * self.classes + predicted as usize] += 1;
        }
        Ok(())
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many of class `truth` were taken for class `predicted`; 0 beyond the classes.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        if truth.max(predicted) < self.classes {
            self.counts[truth * self.classes + predicted]
        } else {
            0
        }
    }

    /// The counts by true class, each by predicted class.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        let row = |truth| {
            (0..self.classes)
                .map(|class| self.count(truth, class))
                .collect()
        };
        (0..self.classes).map(row).collect()
    }

    /// How many items were counted.
    pub fn items(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The share of items that are right; 0 of none.
    pub fn accuracy(&self) -> f64 {
        share(self.right().sum(), self.items())
    }

    /// Of what was taken for `class`, the share that is of it.
    pub fn precision(&self, class: usize) -> f64 {
        let predicted = (0..self.classes)
            .map(|truth| self.count(truth, class))
            .sum();
        share(self.count(class, class), predicted)
    }

    /// Of what is of `class`, the share that was taken for it.
    pub fn recall(&self, class: usize) -> f64 {
        let truth = (0..self.classes)
            .map(|other| self.count(class, other))
            .sum();
        share(self.count(class, class), truth)
    }

    /// `2 p r / (p + r)`, of precision p and recall r.
    pub fn f1(&self, class: usize) -> f64 {
        let (precision, recall) = (self.precision(class), self.recall(class));
        if precision + recall == 0.0 {
            0.0
        } else {
            2.0 * precision * recall / (precision + recall)
        }
    }

    /// The mean of the classes' F1; 0 of no classes.
    pub fn macro_f1(&self) -> f64 {
        let sum: f64 = (0..self.classes).map(|class| self.f1(class)).sum();
        sum / self.classes.max(1) as f64
    }

    fn right(&self) -> impl Iterator<Item = u64> {
        (0..self.classes).map(|class| self.count(class, class))
    }
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

impl fmt::Display for Confusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "true \\ predicted, precision, recall, F1")?;
        let width = self.items().max(10).to_string().len() + 1;
        for (class, row) in self.rows().iter().enumerate() {
            write!(formatter, "{class:>4} ")?;
            for count in row {
                write!(formatter, "{count:>width$}")?;
            }
            let (precision, recall) = (self.precision(class), self.recall(class));
            writeln!(
                formatter,
                "   {precision:.3}  {recall:.3}  {:.3}",
                self.f1(class)
            )?;
        }
        write!(
            formatter,
            "accuracy {:.4} of {}",
            self.accuracy(),
            self.items()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_do_not_occur_count_as_zero() {
        let mut confusion = Confusion::new(3);
        assert_eq!((confusion.accuracy(), confusion.macro_f1()), (0.0, 0.0));
        let classes = Ids::new([0, 1]).unwrap();
        confusion.add(&classes, &classes).unwrap();
        assert_eq!(
            (confusion.precision(2), confusion.recall(2), confusion.f1(2)),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(confusion.macro_f1(), 2.0 / 3.0);
        assert_eq!(confusion.rows(), [[1, 0, 0], [0, 1, 0], [0, 0, 0]]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_not_counted() {
        let mut confusion = Confusion::new(2);
        let ids = |ids: &[u32]| Ids::new(ids.to_vec()).unwrap();
        let message = confusion
            .add(&ids(&[0, 1]), &ids(&[0]))
            .unwrap_err()
            .to_string();
        assert_eq!(message, "confusion: 2 true classes, 1 predicted");
        let message = confusion
            .add(&ids(&[0, 1]), &ids(&[0, 2]))
            .unwrap_err()
            .to_string();
        assert_eq!(message, "confusion: class 2 is out of range for 2 classes");
        assert_eq!(confusion.items(), 0);
    }
}
