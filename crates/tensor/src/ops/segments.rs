//! Sums, means and maxima over segments of values: bags that stand one after another, or segments named by an id for each value.

use std::sync::Arc;

use lexigrad_kernels::bags as kernels;
use lexigrad_macros::compiled;

use super::rows::scatter_rows;
use crate::apply::apply;
use crate::bags::Bags;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::room;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `y[b] = Σ x[t]` over the entries t of bag b; its adjoint is [`SegmentExpand`].
struct SegmentSum(Bags);

impl<T: Element> Op<T> for SegmentSum {
    fn name(&self) -> &'static str {
        "bag_sum"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (values, dim) = (inputs[0].read()?, inputs[0].shape()[1]);
        Tensor::build([self.0.len(), dim], |out| {
            kernels::segment_sum(&values, dim, self.0.offsets(), out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(segment_expand(&cotangent, &self.0)?))
    }
}

/// `y[t] = x[b]` for each entry t of bag b.
struct SegmentExpand(Bags);

impl<T: Element> Op<T> for SegmentExpand {
    fn name(&self) -> &'static str {
        "segment_expand"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (values, dim) = (inputs[0].read()?, inputs[0].shape()[1]);
        Tensor::build([self.0.ids().len(), dim], |out| {
            kernels::segment_expand(&values, dim, self.0.offsets(), out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = SegmentSum(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

pub(super) fn segment_expand<T: Element>(values: &Tensor<T>, bags: &Bags) -> Result<Tensor<T>> {
    apply(SegmentExpand(bags.clone()), &[values])
}

/// `y[b] = Σ values[t]` over the entries t of bag b, `values: [N, D]`, `y: [B, D]`; the ids of the bags play no part.
///
/// # Errors
/// If `values` does not hold one row for each entry of the bags.
#[compiled]
pub fn bag_sum<T: Element>(values: &Tensor<T>, bags: &Bags) -> Result<Tensor<T>> {
    if values.rank() != 2 || values.shape()[0] != bags.ids().len() {
        let rule = format!(
            "they must be [{}, dim], one row for each entry",
            bags.ids().len()
        );
        return Err(Error::shape("bag_sum", "the values", values.shape(), rule));
    }
    apply(SegmentSum(bags.clone()), &[values])
}

/// The entry that gave each element of a maximum over bags: `[B, D]`, `u32::MAX` where the bag is empty.
#[derive(Clone)]
pub(super) struct Winners {
    pub(super) entries: Arc<[u32]>,
    pub(super) count: usize,
}

/// `y[winner[b, d], d] = x[b, d]`, zero elsewhere.
struct WinnersExpand(Winners);

impl<T: Element> Op<T> for WinnersExpand {
    fn name(&self) -> &'static str {
        "winners_expand"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (values, dim) = (inputs[0].read()?, inputs[0].shape()[1]);
        Tensor::build([self.0.count, dim], |out| {
            kernels::winners_expand(&values, dim, &self.0.entries, out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = WinnersPick(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

/// `y[b, d] = x[winner[b, d], d]`, zero where the bag is empty.
struct WinnersPick(Winners);

impl<T: Element> Op<T> for WinnersPick {
    fn name(&self) -> &'static str {
        "winners_pick"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (values, dim) = (inputs[0].read()?, inputs[0].shape()[1]);
        let bags = self.0.entries.len().checked_div(dim).unwrap_or(0);
        Tensor::build([bags, dim], |out| {
            kernels::winners_pick(&values, dim, &self.0.entries, out);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(winners_expand(&cotangent, &self.0)?))
    }
}

pub(super) fn winners_expand<T: Element>(
    values: &Tensor<T>,
    winners: &Winners,
) -> Result<Tensor<T>> {
    apply(WinnersExpand(winners.clone()), &[values])
}

/// `y[s] = Σ values[i]` over the i with `ids[i] = s`, `values: [N, ..]`, `ids: [N]`, `y: [segments, ..]`; 0 where there is none.
///
/// ```
/// use lexigrad_tensor::{Ids, Tensor, segment_sum};
/// let values: Tensor = Tensor::new([[1.0], [2.0], [4.0]]);
/// assert_eq!(segment_sum(&values, &Ids::new([1, 0, 1])?, 3)?.to_vec(), [2.0, 5.0, 0.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If there is not one id for each value, or one is not below `segments`.
///
/// JAX: `jax.ops.segment_sum`.
#[compiled]
pub fn segment_sum<T: Element>(
    values: &Tensor<T>,
    ids: &Ids,
    segments: usize,
) -> Result<Tensor<T>> {
    let (rows, shape) = segment_rows("segment_sum", values, ids, segments)?;
    scatter_rows(&rows, ids, segments)?.reshape(shape)
}

/// `y[s] = Σ values[i] / n` over the n values with `ids[i] = s`, shapes as in [`segment_sum`]; 0 where there is none.
///
/// # Errors
/// As for [`segment_sum`].
#[compiled]
pub fn segment_mean<T: Element>(
    values: &Tensor<T>,
    ids: &Ids,
    segments: usize,
) -> Result<Tensor<T>> {
    let (rows, shape) = segment_rows("segment_mean", values, ids, segments)?;
    let mut counts = room::filled(segments, 0_u32)?;
    ids.as_slice()
        .iter()
        .for_each(|&id| counts[id as usize] += 1);
    let inverse = counts
        .iter()
        .map(|&count| T::from_f64(f64::from(count.max(1))).recip());
    let inverse = Tensor::from(inverse.collect::<Vec<T>>()).unsqueeze(-1)?;
    let sums = scatter_rows(&rows, ids, segments)?;
    sums.mul(&inverse)?.reshape(shape)
}

/// `y[s] = max values[i]` over the i with `ids[i] = s`, for each column, shapes as in [`segment_sum`]; 0 where there is none.
///
/// Of equal ones the first gets the gradient, and NaN wins.
///
/// # Errors
/// As for [`segment_sum`].
///
/// JAX: `jax.ops.segment_max`, which gives -inf where there is none.
#[compiled]
pub fn segment_max<T: Element>(
    values: &Tensor<T>,
    ids: &Ids,
    segments: usize,
) -> Result<Tensor<T>> {
    let (rows, shape) = segment_rows("segment_max", values, ids, segments)?;
    let dim = rows.shape()[1];
    let mut entries = room::filled([segments, dim], u32::MAX)?;
    kernels::segment_winners(&rows.read()?, dim, ids.as_slice(), &mut entries);
    let winners = Winners {
        entries: entries.into(),
        count: ids.len(),
    };
    apply(WinnersPick(winners), &[&rows])?.reshape(shape)
}

/// The values as `[N, D]`, and the shape of the result.
fn segment_rows<T: Element>(
    operation: &'static str,
    values: &Tensor<T>,
    ids: &Ids,
    segments: usize,
) -> Result<(Tensor<T>, Shape)> {
    ids.check_below(operation, segments, || format!("{segments} segments"))?;
    if ids.shape().rank() != 1 || values.shape().first() != Some(&ids.len()) {
        let rule = format!("their first axis must be that of the ids, {}", ids.shape());
        return Err(Error::shape(operation, "the values", values.shape(), rule));
    }
    let mut shape = values.shape().clone();
    shape.set(0, segments);
    let shape = shape.checked(operation)?;
    let dim = shape[1..].iter().product();
    Ok((values.reshape([ids.len(), dim])?, shape))
}
