//! A bar that moves with an iterator.

#[cfg(feature = "progress")]
use indicatif::{ProgressBar, ProgressStyle};

/// An iterator with a progress bar on the standard error, where that is a terminal; without the feature `progress` it is the
/// iterator alone.
#[derive(Debug)]
pub struct Progress<I> {
    items: I,
    #[cfg(feature = "progress")]
    bar: ProgressBar,
}

impl<I: Iterator> Progress<I> {
    /// `items` under a bar with this label, if `shown`.
    #[cfg(feature = "progress")]
    pub fn new(items: I, label: &str, shown: bool) -> Self {
        let bar = match items.size_hint() {
            _ if !shown => ProgressBar::hidden(),
            (_, Some(count)) => ProgressBar::new(count as u64),
            (_, None) => ProgressBar::no_length(),
        };
        let template = "{msg} {wide_bar:.cyan} {pos}/{len} {per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(label.to_owned());
        Self { items, bar }
    }

    /// `items` as they are.
    #[cfg(not(feature = "progress"))]
    pub fn new(items: I, _label: &str, _shown: bool) -> Self {
        Self { items }
    }
}

impl<I: Iterator> Iterator for Progress<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let item = self.items.next();
        #[cfg(feature = "progress")]
        match item {
            Some(_) => self.bar.inc(1),
            None => self.bar.finish_and_clear(),
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}
