//! One long text for a language model, read in parallel columns.

use lexigrad_tensor::{Ids, Shape};

use crate::error::{Error, Result};

/// A text cut into B runs of equal length, read side by side, `window` tokens at a time: a recurrent state goes on from one
/// window to the next.
///
/// Row b of the windows, one after another, is the b-th part of the text, and each target is the token after its input. What
/// is left over at the end, fewer than B tokens, is dropped. PyTorch's `word_language_model` example: `batchify`, `get_batch`;
/// here the batch comes first.
///
/// ```
/// use lexigrad_text::batch::Stream;
/// let text: Vec<u32> = (0..11).collect();
/// let windows: Vec<_> = Stream::new(&text, 2, 3)?.collect::<Result<_, _>>()?;
/// assert_eq!(windows[0].inputs.as_slice(), [0, 1, 2, 5, 6, 7]);
/// assert_eq!(windows[0].targets.as_slice(), [1, 2, 3, 6, 7, 8]);
/// assert_eq!(windows[1].targets.as_slice(), [4, 5, 9, 10]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    text: &'a [u32],
    rows: usize,
    row_length: usize,
    window: usize,
    start: usize,
}

/// Consecutive tokens of each row and those that follow them.
#[derive(Clone, Debug)]
pub struct Window {
    /// `[B, window]`; the last may be shorter.
    pub inputs: Ids,
    /// `[B, window]`: the token after each input.
    pub targets: Ids,
}

impl Window {
    /// The rows in groups of `size`, the last perhaps smaller: for shards of a batch that go on from window to window.
    ///
    /// # Errors
    /// If the size is 0.
    pub fn shards(&self, size: usize) -> Result<Vec<Self>> {
        let [rows, length] = [self.inputs.shape()[0], self.inputs.shape()[1]];
        if size == 0 {
            return Err(Error::argument("shards", "the size is 0"));
        }
        let cut = |ids: &Ids, start: usize| {
            let count = size.min(rows - start);
            let part = ids.as_slice()[start * length..][..count * length].to_vec();
            Ids::from_vec(part, Shape::from([count, length]))
        };
        let shard = |start| {
            Ok(Self {
                inputs: cut(&self.inputs, start)?,
                targets: cut(&self.targets, start)?,
            })
        };
        (0..rows).step_by(size).map(shard).collect()
    }
}

impl<'a> Stream<'a> {
    /// The windows of `text` in `rows` rows.
    ///
    /// # Errors
    /// If there are no rows, the window is empty, or the text has no two tokens for each row.
    pub fn new(text: &'a [u32], rows: usize, window: usize) -> Result<Self> {
        if rows == 0 || window == 0 {
            let reason = format!("{rows} rows and windows of {window}; neither may be 0");
            return Err(Error::argument("stream", reason));
        }
        let row_length = text.len().saturating_sub(1) / rows;
        if row_length == 0 {
            let reason = format!(
                "{} tokens in {rows} rows; a row needs a token and the one after it",
                text.len()
            );
            return Err(Error::argument("stream", reason));
        }
        Ok(Self {
            text,
            rows,
            row_length,
            window,
            start: 0,
        })
    }

    fn cut(&self, shift: usize, length: usize) -> Result<Ids> {
        let row = |row: usize| &self.text[row * self.row_length + self.start + shift..][..length];
        let ids: Vec<u32> = (0..self.rows).flat_map(row).copied().collect();
        Ok(Ids::from_vec(ids, Shape::from([self.rows, length]))?)
    }

    fn windows_left(&self) -> usize {
        (self.row_length - self.start).div_ceil(self.window)
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<Window>;

    fn next(&mut self) -> Option<Self::Item> {
        let length = self.window.min(self.row_length - self.start);
        if length == 0 {
            return None;
        }
        let window = self.cut(0, length).and_then(|inputs| {
            let targets = self.cut(1, length)?;
            Ok(Window { inputs, targets })
        });
        self.start += length;
        Some(window)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.windows_left(), Some(self.windows_left()))
    }
}

impl ExactSizeIterator for Stream<'_> {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_put_together_are_the_text(
            length in 2usize..200,
            rows in 1usize..9,
            window in 1usize..12,
        ) {
            let text: Vec<u32> = (0..length as u32).collect();
            let Ok(stream) = Stream::new(&text, rows, window) else {
                prop_assert!(length <= rows);
                return Ok(());
            };
            let count = stream.len();
            let windows: Vec<Window> = stream.collect::<Result<_>>().unwrap();
            prop_assert_eq!(windows.len(), count);
            let row = |row: usize| windows.iter().flat_map(move |window| {
                let length = window.inputs.shape()[1];
                window.inputs.as_slice()[row * length..][..length].to_vec()
            });
            let together: Vec<u32> = (0..rows).flat_map(row).collect();
            prop_assert_eq!(&together[..], &text[..together.len()]);
            prop_assert!(text.len() - 1 - together.len() < rows);
            for window in &windows {
                let next = window.inputs.as_slice().iter().map(|id| id + 1);
                prop_assert!(next.eq(window.targets.as_slice().iter().copied()));
            }
        }
    }

    #[test]
    fn shards_are_rows() {
        let text: Vec<u32> = (0..13).collect();
        let window = Stream::new(&text, 3, 2).unwrap().next().unwrap().unwrap();
        let shards = window.shards(2).unwrap();
        assert_eq!(shards[0].inputs.as_slice(), [0, 1, 4, 5]);
        assert_eq!(shards[1].targets.as_slice(), [9, 10]);
        assert!(window.shards(0).is_err());
    }

    #[test]
    fn too_little_text_is_refused() {
        let message = Stream::new(&[1, 2], 2, 5).unwrap_err().to_string();
        assert_eq!(
            message,
            "stream: 2 tokens in 2 rows; a row needs a token and the one after it"
        );
        assert!(Stream::new(&[1, 2], 0, 5).is_err() && Stream::new(&[1, 2], 1, 0).is_err());
    }
}
