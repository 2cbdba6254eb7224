//! The sum, mean or maximum of the rows of each bag, without the rows in between.

use std::sync::Arc;

use lexigrad_kernels::bag_sum::{self as sums, Scale};
use lexigrad_kernels::bags as kernels;
use lexigrad_kernels::rows::Groups;
use lexigrad_kernels::threads;
use lexigrad_macros::compiled;

use super::embedding::{EmbeddingOptions, check_padding, embedding, table_gradient};
use super::rows::{check_table, gather_rows};
use super::segments::{Winners, bag_sum, segment_expand, winners_expand};
use crate::apply::apply;
use crate::bags::Bags;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Notes, Op, Saved};
use crate::room;
use crate::row_sparse::RowSparse;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How the rows of a bag become one. An empty bag gives zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BagMode {
    /// Their sum.
    Sum,
    /// Their mean.
    #[default]
    Mean,
    /// The largest of each column; of equal ones the first gets the gradient.
    Max,
}

/// Below so many elements of a table the rows of a step stay in the cache of one core, from the lookup to the optimizer: fetching
/// them from there takes another core longer than adding them up.
const SHARED_FROM: usize = 1 << 20;

/// Runs kernels on this thread alone if they touch fewer elements of a table than is worth sharing.
fn shared_from(elements: usize, kernels: impl FnOnce()) {
    if elements < SHARED_FROM {
        threads::alone(kernels);
    } else {
        kernels();
    }
}

/// `y[b] = scales[b] Σ table[ids[t]]` over bag b, the bags without padding.
struct BagSum<T: Element> {
    bags: Bags,
    /// 1 / (the length of the bag) for a mean; none for a sum.
    scales: Option<Tensor<T>>,
    rows: usize,
    options: EmbeddingOptions,
}

impl<T: Element> Op<T> for BagSum<T> {
    fn name(&self) -> &'static str {
        "embedding_bag"
    }

    fn notes(&self) -> Notes<'_> {
        Notes {
            ids: Some(self.bags.ids()),
            convention: self.options.convention(),
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (table, dim) = (inputs[0].read()?, inputs[0].shape()[1]);
        let scales = self.scales.as_ref().map(Tensor::values);
        let scale = scales.as_deref().map_or(Scale::None, Scale::OfBags);
        Tensor::build([self.bags.len(), dim], |out| {
            let (ids, offsets) = (self.bags.ids().as_slice(), self.bags.offsets());
            shared_from(ids.len() * dim, || {
                sums::bag_sum(&table, dim, ids, offsets, scale, out);
            });
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let values = segment_expand(&self.of_each_bag(cotangent)?, &self.bags)?;
        let sparse = table_gradient(self.bags.ids(), values, self.rows, &self.options)?;
        cotangents(sparse, &self.options)
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        if self.options.scale_grad_by_freq {
            return self.vjp(saved, cotangent);
        }
        let sparse = self.gradient(&self.of_each_bag(cotangent)?)?;
        cotangents(sparse, &self.options)
    }
}

impl<T: Element> BagSum<T> {
    /// The cotangent of the sum over each bag.
    fn of_each_bag(&self, cotangent: Tensor<T>) -> Result<Tensor<T>> {
        match &self.scales {
            None => Ok(cotangent),
            Some(scales) => cotangent.mul(&scales.unsqueeze(-1)?),
        }
    }

    /// The gradient of the table, coalesced: the sum over the bags of each row, as if they were the rows of a bag. So nothing is
    /// spread over the rows of a bag.
    fn gradient(&self, of_each_bag: &Tensor<T>) -> Result<RowSparse<T>> {
        let (values, dim) = (of_each_bag.read()?, of_each_bag.shape()[1]);
        let groups = Groups::labelled(self.bags.ids().as_slice(), self.bags.bag_of_each());
        let sums = Tensor::build([groups.distinct.len(), dim], |out| {
            let (bags, offsets) = (&groups.labels, &groups.offsets);
            shared_from(bags.len() * dim, || {
                sums::bag_sum(&values, dim, bags, offsets, Scale::None, out);
            });
        })?;
        let rows = groups.distinct.clone();
        Ok(RowSparse::coalesced(rows, sums, self.rows))
    }
}

/// `y[b, d] = max table[ids[t], d]` over bag b, the bags without padding.
struct BagMax {
    bags: Bags,
    rows: usize,
    options: EmbeddingOptions,
    winners: Winners,
}

impl<T: Element> Op<T> for BagMax {
    fn name(&self) -> &'static str {
        "embedding_bag"
    }

    fn notes(&self) -> Notes<'_> {
        Notes {
            ids: Some(self.bags.ids()),
            convention: self.options.convention(),
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>> {
        let (table, dim) = (inputs[0].read()?, inputs[0].shape()[1]);
        let mut winners = room::filled([self.bags.len(), dim], u32::MAX)?;
        let output = Tensor::build([self.bags.len(), dim], |out| {
            let (ids, offsets) = (self.bags.ids().as_slice(), self.bags.offsets());
            kernels::bag_max(&table, dim, ids, offsets, out, &mut winners);
        });
        if needs.any() {
            self.winners = Winners {
                entries: winners.into(),
                count: self.bags.ids().len(),
            };
        }
        output
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let values = winners_expand(&cotangent, &self.winners)?;
        let sparse = table_gradient(self.bags.ids(), values, self.rows, &self.options)?;
        cotangents(sparse, &self.options)
    }
}

fn cotangents<T: Element>(
    sparse: RowSparse<T>,
    options: &EmbeddingOptions,
) -> Result<Cotangents<T>> {
    Ok(if options.dense_grad {
        Cotangents::one(sparse.to_dense()?)
    } else {
        Cotangents::row_sparse(sparse)
    })
}

/// `y[b] = reduce table[ids[t]]` over the entries t of bag b, `table: [V, D]`, `y: [B, D]`; padding is left out of the sum, of
/// the mean's count and of the maximum.
///
/// ```
/// use lexigrad_tensor::{BagMode, Bags, EmbeddingOptions, Tensor, embedding_bag};
/// let table: Tensor = Tensor::new([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]]);
/// let bags = Bags::from_lists(&[vec![0_u32, 2], vec![]])?;
/// let y = embedding_bag(&table, &bags, BagMode::Mean, &EmbeddingOptions::default())?;
/// assert_eq!(y.to_array::<[[f32; 2]; 2]>()?, [[10.0, 11.0], [0.0, 0.0]]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the table is not a matrix, or an id or the padding is beyond its rows.
///
/// PyTorch: `nn.functional.embedding_bag`; here every mode has a sparse gradient and a second derivative, and that of a sum or mean
/// has each row once.
#[compiled]
pub fn embedding_bag<T: Element>(
    table: &Tensor<T>,
    bags: &Bags,
    mode: BagMode,
    options: &EmbeddingOptions,
) -> Result<Tensor<T>> {
    let rows = check_bags(table, bags, options)?;
    let padding = options.padding;
    let bags = match padding.and_then(|padding| bags.without(padding)) {
        Some((kept, _)) => kept,
        None => bags.clone(),
    };
    let options = *options;
    if mode == BagMode::Max {
        let winners = Winners {
            entries: Arc::from([]),
            count: 0,
        };
        let op = BagMax {
            bags,
            rows,
            options,
            winners,
        };
        return apply(op, &[table]);
    }
    let scales = (mode == BagMode::Mean)
        .then(|| inverse_lengths(&bags))
        .transpose()?;
    let op = BagSum {
        bags,
        scales,
        rows,
        options,
    };
    apply(op, &[table])
}

/// [`embedding_bag`] in mode sum or mean with a factor for each entry, `weights: [N]`, which has a gradient too. The mean divides
/// by the count, as without weights.
///
/// # Errors
/// As for [`embedding_bag`]; if there is not one weight for each entry; in mode max.
///
/// PyTorch: `per_sample_weights`, which it takes in mode sum only.
#[compiled]
pub fn embedding_bag_weighted<T: Element>(
    table: &Tensor<T>,
    bags: &Bags,
    weights: &Tensor<T>,
    mode: BagMode,
    options: &EmbeddingOptions,
) -> Result<Tensor<T>> {
    check_bags(table, bags, options)?;
    if mode == BagMode::Max {
        let message = "per-sample weights go with mode sum or mean, not max";
        return Err(Error::other("embedding_bag", message));
    }
    if *weights.shape() != [bags.ids().len()] {
        let rule = format!("they must be [{}], one for each id", bags.ids().len());
        return Err(Error::shape(
            "embedding_bag",
            "the weights",
            weights.shape(),
            rule,
        ));
    }
    let mut weights = weights.unsqueeze(-1)?;
    let mut bags = bags.clone();
    if let Some((kept, positions)) = options.padding.and_then(|padding| bags.without(padding)) {
        let count = Shape::from(positions.len());
        weights = gather_rows(&weights, &Ids::from_parts(positions, count))?;
        bags = kept;
    }
    if mode == BagMode::Mean {
        let scales = inverse_lengths::<T>(&bags)?;
        let scales = scales.read()?;
        let of_each = bags.bag_of_each().map(|bag| scales[bag as usize]);
        let scale = Tensor::from_slice(&of_each.collect::<Vec<T>>(), [bags.ids().len(), 1])?;
        weights = weights.mul(&scale)?;
    }
    let lookup = embedding(table, bags.ids(), options)?;
    bag_sum(&lookup.mul(&weights)?, &bags)
}

fn check_bags<T: Element>(
    table: &Tensor<T>,
    bags: &Bags,
    options: &EmbeddingOptions,
) -> Result<usize> {
    let rows = check_table("embedding_bag", table)?;
    bags.ids().check_range("embedding_bag", rows)?;
    check_padding("embedding_bag", options, rows)?;
    Ok(rows)
}

/// 1 / (its length) for each bag: `[B]`; any number for one that is empty.
fn inverse_lengths<T: Element>(bags: &Bags) -> Result<Tensor<T>> {
    Tensor::build([bags.len()], |out| {
        for (out, bag) in out.iter_mut().zip(bags.offsets().windows(2)) {
            *out = T::from_f64(((bag[1] - bag[0]).max(1)) as f64).recip();
        }
    })
}
