//! The product of two matrices at a few places: the rest of it is never worked out.

use lexigrad_kernels::bag_sum::{Scale, bag_sum};
use lexigrad_kernels::bags as kernels;
use lexigrad_macros::compiled;

use super::embedding::EmbeddingOptions;
use super::embedding_bag::{BagMode, embedding_bag_weighted};
use super::rows::scatter_rows;
use super::segments::segment_expand;
use crate::apply::apply;
use crate::bags::Bags;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Notes, Op, Saved, Saves};
use crate::tensor::Tensor;

const NAME: &str = "sampled_matmul";

/// `y[t] = a[b] · c[ids[t]]` for each entry t of bag b.
struct SampledMatmul {
    places: Bags,
    /// The rows of a and of c.
    rows: [usize; 2],
}

impl<T: Element> Op<T> for SampledMatmul {
    fn name(&self) -> &'static str {
        NAME
    }

    fn notes(&self) -> Notes<'_> {
        let ids = Some(self.places.ids());
        Notes {
            ids,
            ..Notes::default()
        }
    }

    fn saves(&self, needs: Needs) -> Saves {
        let first = Saves::input(0).when(needs.input(1));
        first.and(Saves::input(1).when(needs.input(0)))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let dim = inputs[0].shape()[1];
        let (a, c) = (inputs[0].read()?, inputs[1].read()?);
        let (ids, offsets) = (self.places.ids().as_slice(), self.places.offsets());
        Tensor::build([ids.len()], |out| {
            kernels::bag_dots(&a, &c, dim, ids, offsets, out);
        })
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let by_a = || self.composed_by_a(saved.input(1), &cotangent);
        let by_c = || self.composed_by_c(saved.input(0), &cotangent);
        Ok(Cotangents::two(
            saved.needs(0).then(by_a).transpose()?,
            saved.needs(1).then(by_c).transpose()?,
        ))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let by_a = || self.fused_by_a(saved.input(1), &cotangent);
        let by_c = || self.fused_by_c(saved.input(0), &cotangent);
        Ok(Cotangents::two(
            saved.needs(0).then(by_a).transpose()?,
            saved.needs(1).then(by_c).transpose()?,
        ))
    }
}

impl SampledMatmul {
    fn composed_by_a<T: Element>(&self, c: &Tensor<T>, cotangent: &Tensor<T>) -> Result<Tensor<T>> {
        let options = EmbeddingOptions::default();
        embedding_bag_weighted(c, &self.places, cotangent, BagMode::Sum, &options)
    }

    fn composed_by_c<T: Element>(&self, a: &Tensor<T>, cotangent: &Tensor<T>) -> Result<Tensor<T>> {
        let values = segment_expand(a, &self.places)?.mul(&cotangent.unsqueeze(-1)?)?;
        scatter_rows(&values, self.places.ids(), self.rows[1])
    }

    fn fused_by_a<T: Element>(&self, c: &Tensor<T>, cotangent: &Tensor<T>) -> Result<Tensor<T>> {
        let dim = c.shape()[1];
        let (ids, offsets) = (self.places.ids().as_slice(), self.places.offsets());
        let (c, scale) = (c.read()?, cotangent.read()?);
        Tensor::build([self.rows[0], dim], |out| {
            bag_sum(&c, dim, ids, offsets, Scale::OfEntries(&scale), out);
        })
    }

    fn fused_by_c<T: Element>(&self, a: &Tensor<T>, cotangent: &Tensor<T>) -> Result<Tensor<T>> {
        let dim = a.shape()[1];
        let (ids, offsets) = (self.places.ids().as_slice(), self.places.offsets());
        let (a, scale) = (a.read()?, cotangent.read()?);
        let mut sums = Tensor::build_zeros([self.rows[1], dim])?;
        kernels::bag_scatter(&a, dim, ids, offsets, &scale, sums.values_mut());
        Ok(sums)
    }
}

/// `y[t] = a[b] · c[ids[t]]` for each entry t of bag b: the elements of `a cᵀ` at those places, `a: [B, D]`, `c: [C, D]`, `y: [N]`.
///
/// It costs O(N D). Its gradients are dense; look up the rows of a table first, and the table's stays row-sparse.
///
/// ```
/// use lexigrad_tensor::{Bags, Tensor, sampled_matmul};
/// let a = Tensor::new([[1.0, 0.0], [1.0, 2.0]]);
/// let c = Tensor::new([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]);
/// let places = Bags::from_lists(&[vec![2_u32], vec![0, 1]])?;
/// assert_eq!(sampled_matmul(&a, &c, &places)?.to_vec(), [7.0, 11.0, 17.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the two are no matrices of rows of one size, there is not one bag for each row of `a`, or an id is beyond the rows of `c`.
///
/// PyTorch: `torch.sparse.sampled_addmm` with a zero matrix and `c` transposed; it returns a CSR matrix.
#[compiled]
pub fn sampled_matmul<T: Element>(
    a: &Tensor<T>,
    c: &Tensor<T>,
    places: &Bags,
) -> Result<Tensor<T>> {
    let [bags, dim] = a.shape()[..] else {
        return Err(Error::shape(NAME, "a", a.shape(), "it must be [bags, dim]"));
    };
    if bags != places.len() {
        let rule = format!("it must be [{}, dim], one row for each bag", places.len());
        return Err(Error::shape(NAME, "a", a.shape(), rule));
    }
    let rows = match c.shape()[..] {
        [rows, size] if size == dim => rows,
        _ => {
            let rule = format!("it must be [rows, {dim}]");
            return Err(Error::shape(NAME, "c", c.shape(), rule));
        }
    };
    places.ids().check_range(NAME, rows)?;
    let op = SampledMatmul {
        places: places.clone(),
        rows: [bags, rows],
    };
    apply(op, &[a, c])
}
