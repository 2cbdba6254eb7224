//! Lists of different lengths in one rectangle.

use lexigrad_tensor::{Ids, Mask, Shape};

use crate::error::Result;

/// Texts `[B, L]` filled up to the longest, with the length of each.
///
/// ```
/// use lexigrad_text::batch::Padded;
/// let texts = Padded::new(&[&[5, 6, 7][..], &[8][..]], 0)?;
/// assert_eq!(texts.ids.as_slice(), [5, 6, 7, 8, 0, 0]);
/// assert_eq!(texts.lengths, [3, 1]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Padded {
    /// `[B, L]`, what is missing being padding.
    pub ids: Ids,
    /// The length of each text.
    pub lengths: Vec<usize>,
}

impl Padded {
    /// `lists` side by side, each filled up with `padding`. No list is too short: an empty one is all padding.
    ///
    /// # Errors
    /// None for lists that fit in memory.
    pub fn new<L: AsRef<[u32]>>(lists: &[L], padding: u32) -> Result<Self> {
        let lengths: Vec<usize> = lists.iter().map(|list| list.as_ref().len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut ids = Vec::with_capacity(lists.len() * longest);
        for list in lists {
            ids.extend_from_slice(list.as_ref());
            ids.resize(ids.len() + longest - list.as_ref().len(), padding);
        }
        let ids = Ids::from_vec(ids, Shape::from([lists.len(), longest]))?;
        Ok(Self { ids, lengths })
    }

    /// The texts `all[index]` of a batch's indices.
    ///
    /// # Errors
    /// None for lists that fit in memory.
    ///
    /// # Panics
    /// If an index is beyond `all`, as slices do.
    pub fn gather<L: AsRef<[u32]>>(all: &[L], indices: &[usize], padding: u32) -> Result<Self> {
        let lists: Vec<&[u32]> = indices.iter().map(|&index| all[index].as_ref()).collect();
        Self::new(&lists, padding)
    }

    /// `[B, L]`: where there is text and no padding.
    pub fn present(&self) -> Mask {
        Mask::from_lengths(&self.lengths, self.ids.shape()[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lists_and_none() {
        let padded = Padded::new(&[vec![], vec![3]], 9).unwrap();
        assert_eq!(
            (padded.ids.as_slice(), &padded.lengths[..]),
            (&[9, 3][..], &[0, 1][..])
        );
        assert_eq!(padded.present().to_vec(), [false, true]);
        let none = Padded::new::<Vec<u32>>(&[], 0).unwrap();
        assert_eq!(none.ids.shape()[..], [0, 0]);
    }
}
