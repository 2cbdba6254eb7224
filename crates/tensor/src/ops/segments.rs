//! Sums over bags of values and their adjoint, the spreading of a bag's value over its entries; both linear.

use std::sync::Arc;

use crate::bags::Bags;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::kernels::bags as kernels;
use crate::op::{Cotangents, Op, Saved, apply};
use crate::tensor::Tensor;

/// Which values belong to a bag, and with which factor they count.
#[derive(Clone)]
pub(super) struct Segments<T> {
    pub(super) bags: Bags,
    pub(super) scale: Option<Arc<[T]>>,
}

/// `y[b] = Σ scale[t] x[t]` over the entries t of bag b.
struct SegmentSum<T>(Segments<T>);

impl<T: Element> Op<T> for SegmentSum<T> {
    fn name(&self) -> &'static str {
        "segment_sum"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        let Segments { bags, scale } = &self.0;
        let (values, dim) = (inputs[0].values(), inputs[0].shape()[1]);
        Ok(Tensor::build([bags.len(), dim], |out| {
            kernels::segment_sum(&values, dim, bags.offsets(), scale.as_deref(), out);
        }))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(segment_expand(&cotangent, &self.0)?))
    }
}

/// `y[t] = scale[t] x[b]` for each entry t of bag b.
struct SegmentExpand<T>(Segments<T>);

impl<T: Element> Op<T> for SegmentExpand<T> {
    fn name(&self) -> &'static str {
        "segment_expand"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        let Segments { bags, scale } = &self.0;
        let (values, dim) = (inputs[0].values(), inputs[0].shape()[1]);
        Ok(Tensor::build([bags.ids().len(), dim], |out| {
            kernels::segment_expand(&values, dim, bags.offsets(), scale.as_deref(), out);
        }))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let op = SegmentSum(self.0.clone());
        Ok(Cotangents::one(apply(op, &[&cotangent])?))
    }
}

pub(super) fn segment_expand<T: Element>(
    values: &Tensor<T>,
    segments: &Segments<T>,
) -> Result<Tensor<T>> {
    apply(SegmentExpand(segments.clone()), &[values])
}

/// `y[b] = Σ values[t]` over the entries t of bag b, `values: [N, D]`, `y: [B, D]`; the ids of the bags play no part.
///
/// # Errors
/// If `values` does not hold one row for each entry of the bags.
pub fn segment_sum<T: Element>(values: &Tensor<T>, bags: &Bags) -> Result<Tensor<T>> {
    if values.rank() != 2 || values.shape()[0] != bags.ids().len() {
        let rule = format!(
            "it must be [{}, dim], one row for each entry",
            bags.ids().len()
        );
        return Err(Error::shape("segment_sum", "values", values.shape(), rule));
    }
    let segments = Segments {
        bags: bags.clone(),
        scale: None,
    };
    apply(SegmentSum(segments), &[values])
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

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        let (values, dim) = (inputs[0].values(), inputs[0].shape()[1]);
        Ok(Tensor::build([self.0.count, dim], |out| {
            kernels::winners_expand(&values, dim, &self.0.entries, out);
        }))
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

    fn forward(&mut self, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
        let (values, dim) = (inputs[0].values(), inputs[0].shape()[1]);
        let bags = self.0.entries.len().checked_div(dim).unwrap_or(0);
        Ok(Tensor::build([bags, dim], |out| {
            kernels::winners_pick(&values, dim, &self.0.entries, out);
        }))
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
