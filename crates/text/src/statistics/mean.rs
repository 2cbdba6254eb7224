//! A mean of many batches.

/// `Σ w x / Σ w`: the mean of values that stand for `w` items each, such as the losses of batches of different sizes.
///
/// ```
/// use lexigrad_text::metrics::Mean;
/// let mut loss = Mean::default();
/// loss.add(2.0, 30);
/// loss.add(1.0, 10);
/// assert_eq!(loss.value(), 1.75);
/// assert_eq!(loss.perplexity(), 1.75_f64.exp());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    items: u64,
}

impl Mean {
    /// Takes in the mean `value` of `items` items.
    pub fn add(&mut self, value: impl Into<f64>, items: usize) {
        self.sum += value.into() * items as f64;
        self.items += items as u64;
    }

    /// The mean of all items; NaN of none.
    pub fn value(self) -> f64 {
        self.sum / self.items as f64
    }

    /// How many items it is the mean of.
    pub fn items(self) -> u64 {
        self.items
    }

    /// `exp(mean)`: of mean negative log likelihoods, how many equally likely choices would be as surprising.
    pub fn perplexity(self) -> f64 {
        self.value().exp()
    }
}
