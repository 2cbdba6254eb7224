//! What decides which epoch is the best.

/// A metric, and whether high or low is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// The name under which it is recorded.
    pub metric: String,
    /// Which values are better.
    pub goal: Goal,
}

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// An accuracy.
    Highest,
    /// A loss.
    Lowest,
}

impl Monitor {
    /// Higher is better.
    pub fn highest(metric: &str) -> Self {
        let (metric, goal) = (metric.to_owned(), Goal::Highest);
        Self { metric, goal }
    }

    /// Lower is better.
    pub fn lowest(metric: &str) -> Self {
        let (metric, goal) = (metric.to_owned(), Goal::Lowest);
        Self { metric, goal }
    }
}
