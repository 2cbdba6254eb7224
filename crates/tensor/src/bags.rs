//! Bags of ids: a batch of texts of any length, one after another.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::room;
use crate::shape::Shape;

/// B bags of ids; bag b holds `ids[offsets[b] .. offsets[b + 1]]`, and may be empty.
///
/// ```
/// use lexigrad_tensor::Bags;
/// let bags = Bags::from_lists(&[vec![3_u32, 1], vec![], vec![2]])?;
/// assert_eq!((bags.len(), bags.offsets()), (3, &[0, 2, 2, 3][..]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: the `input` and `offsets` of `nn.EmbeddingBag`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bags {
    ids: Ids,
    offsets: Arc<[usize]>,
}

impl Bags {
    /// One bag from each list.
    ///
    /// # Errors
    /// If the ids cannot be held.
    pub fn from_lists<L: AsRef<[u32]>>(lists: &[L]) -> Result<Self> {
        let mut ids = Vec::with_capacity(lists.iter().map(|list| list.as_ref().len()).sum());
        let mut offsets = Vec::with_capacity(lists.len() + 1);
        offsets.push(0);
        for list in lists {
            ids.extend_from_slice(list.as_ref());
            offsets.push(ids.len());
        }
        let count = ids.len();
        Ok(Self::from_parts(Ids::from_vec(ids, [count])?, offsets))
    }

    /// One bag from each row of `ids: [B, L]`.
    ///
    /// # Errors
    /// If the ids do not have two axes.
    pub fn from_rows(ids: &Ids) -> Result<Self> {
        let [bags, length] = ids.shape()[..] else {
            let rule = "they must be [bags, length]; give 1-D ids offsets";
            return Err(Error::shape("bags", "the ids", ids.shape(), rule));
        };
        let mut offsets =
            room::room(&Shape::from(bags + 1)).map_err(|error| error.within("bags"))?;
        offsets.extend((0..=bags).map(|bag| bag * length));
        Ok(Self::from_parts(ids.reshape([ids.len()])?, offsets))
    }

    /// Bags that start at `offsets: [B]` in `ids: [N]`; the last one ends with the ids.
    ///
    /// # Errors
    /// If the offsets do not start at 0, decrease, or go beyond the ids. PyTorch accepts decreasing ones silently.
    pub fn from_offsets(ids: &Ids, offsets: &[usize]) -> Result<Self> {
        check_offsets(ids, offsets)?;
        let ends = offsets.iter().copied().chain([ids.len()]);
        Ok(Self::from_parts(ids.clone(), ends.collect()))
    }

    /// Bags between neighbours of `offsets: [B + 1]`, the last of which is the number of ids.
    ///
    /// # Errors
    /// If the offsets do not start at 0, decrease, or do not end at the number of ids. PyTorch accepts both silently.
    ///
    /// PyTorch: `include_last_offset=True`.
    pub fn from_offsets_with_last(ids: &Ids, offsets: &[usize]) -> Result<Self> {
        check_offsets(ids, offsets)?;
        match offsets.last() {
            Some(&last) if last == ids.len() => Ok(Self::from_parts(ids.clone(), offsets.to_vec())),
            Some(last) => {
                let (place, count) = (offsets.len() - 1, ids.len());
                let rule = format!("the last one must be the number of ids, {count}");
                Err(Error::other(
                    "bags",
                    format!("offset {last} at [{place}]; {rule}"),
                ))
            }
            None => Err(Error::other(
                "bags",
                "no offsets; there must be at least one, 0",
            )),
        }
    }

    fn from_parts(ids: Ids, offsets: Vec<usize>) -> Self {
        let offsets = offsets.into();
        Self { ids, offsets }
    }

    /// The number of bags, B.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are no bags.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ids of all bags: `[N]`.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Where each bag starts, and where the last one ends: `[B + 1]`.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The bag of each entry.
    pub(crate) fn bag_of_each(&self) -> impl Iterator<Item = u32> {
        let bags = (0..).zip(self.offsets.windows(2));
        bags.flat_map(|(bag, ends)| std::iter::repeat_n(bag, ends[1] - ends[0]))
    }

    /// The bags without the id `padding`, and which positions were kept; `None` if it does not occur.
    pub(crate) fn without(&self, padding: u32) -> Option<(Self, Vec<u32>)> {
        let ids = self.ids.as_slice();
        if self.ids.max().is_none_or(|max| max < padding) || !ids.contains(&padding) {
            return None;
        }
        let mut kept = Vec::with_capacity(ids.len());
        let mut offsets = Vec::with_capacity(self.offsets.len());
        offsets.push(0);
        for bag in self.offsets.windows(2) {
            let positions = (bag[0]..bag[1]).filter(|&position| ids[position] != padding);
            kept.extend(positions.map(|position| position as u32));
            offsets.push(kept.len());
        }
        let left: Vec<u32> = kept
            .iter()
            .map(|&position| ids[position as usize])
            .collect();
        let shape = left.len().into();
        Some((
            Self::from_parts(Ids::from_parts(left, shape), offsets),
            kept,
        ))
    }
}

/// Checks that offsets into ids of one axis start at 0, never decrease, and do not go beyond the ids.
fn check_offsets(ids: &Ids, offsets: &[usize]) -> Result<()> {
    if ids.shape().rank() != 1 {
        let rule = "with offsets they must have one axis";
        return Err(Error::shape("bags", "the ids", ids.shape(), rule));
    }
    let count = ids.len();
    let fault = |message: String| Err(Error::other("bags", message));
    match offsets.first() {
        Some(0) => {}
        Some(first) => return fault(format!("offset {first} at [0]; offsets start at 0")),
        None if count > 0 => {
            return fault(format!("no offsets for {count} ids; offsets start at 0"));
        }
        None => {}
    }
    for (place, pair) in offsets.windows(2).enumerate() {
        let (before, offset, place) = (pair[0], pair[1], place + 1);
        if offset < before {
            let rule = "offsets never decrease";
            return fault(format!(
                "offset {offset} at [{place}] is below {before} before it; {rule}"
            ));
        }
        if offset > count {
            let rule = "offsets never go beyond the end";
            return fault(format!(
                "offset {offset} at [{place}] is beyond the {count} ids; {rule}"
            ));
        }
    }
    Ok(())
}
