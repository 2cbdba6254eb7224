//! Looking up rows of a table, with the conventions of an embedding.

use lexigrad_kernels::rows::Groups;
use lexigrad_macros::compiled;

use super::rows::{check_table, gather_rows, rows_of};
use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Notes, Op, Saved};
use crate::row_sparse::RowSparse;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The conventions of a lookup that change its gradient.
///
/// They are conventions, not derivatives: the padding row gets no gradient, and `scale_grad_by_freq` divides a row's gradient by
/// how often the row was looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EmbeddingOptions {
    /// The row that gets no gradient.
    pub padding: Option<u32>,
    /// Whether a row's gradient is divided by its count in the ids.
    pub scale_grad_by_freq: bool,
    /// Whether the gradient is `[V, D]` with zeros, instead of the rows looked up alone.
    pub dense_grad: bool,
}

impl EmbeddingOptions {
    /// Why a gradient under these options is not the derivative.
    pub(super) fn convention(&self) -> Option<&'static str> {
        match (self.padding, self.scale_grad_by_freq) {
            (None, false) => None,
            (Some(_), false) => Some("the padding row gets no gradient"),
            (None, true) => Some("a row's gradient is divided by how often it was looked up"),
            (Some(_), true) => Some(
                "the padding row gets no gradient, and a row's is divided by how often it was looked up",
            ),
        }
    }
}

struct Embedding {
    ids: Ids,
    rows: usize,
    options: EmbeddingOptions,
}

impl<T: Element> Op<T> for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn notes(&self) -> Notes<'_> {
        Notes {
            ids: Some(&self.ids),
            convention: self.options.convention(),
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        rows_of(inputs[0], &self.ids)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let ids = self.ids.reshape([self.ids.len()])?;
        let dim = cotangent.shape()[cotangent.rank() - 1];
        let values = cotangent.reshape([ids.len(), dim])?;
        let sparse = table_gradient(&ids, values, self.rows, &self.options)?;
        Ok(if self.options.dense_grad {
            Cotangents::one(sparse.to_dense()?)
        } else {
            Cotangents::row_sparse(sparse)
        })
    }
}

/// The gradient of a table from `values: [N, D]`, one row for each of `ids: [N]`, under the conventions of `options`.
pub(super) fn table_gradient<T: Element>(
    ids: &Ids,
    mut values: Tensor<T>,
    rows: usize,
    options: &EmbeddingOptions,
) -> Result<RowSparse<T>> {
    if options.scale_grad_by_freq {
        values = values.mul(&inverse_counts(ids)?)?;
    }
    let Some(padding) = options
        .padding
        .filter(|padding| ids.as_slice().contains(padding))
    else {
        return RowSparse::new(ids.clone(), values, rows);
    };
    let positions = ids.as_slice().iter().zip(0u32..);
    let (ids, kept): (Vec<u32>, Vec<u32>) = positions.filter(|(id, _)| **id != padding).unzip();
    let count = Shape::from(ids.len());
    let kept = Ids::from_parts(kept, count.clone());
    RowSparse::new(
        Ids::from_parts(ids, count),
        gather_rows(&values, &kept)?,
        rows,
    )
}

/// 1 / (how often the id occurs) for each id: `[N, 1]`.
fn inverse_counts<T: Element>(ids: &Ids) -> Result<Tensor<T>> {
    let groups = Groups::numbered(ids.as_slice());
    let mut counts = vec![0.0; groups.distinct.len()];
    for &number in &groups.numbers {
        counts[number as usize] += 1.0;
    }
    Tensor::build([ids.len(), 1], |out| {
        for (out, &number) in out.iter_mut().zip(&groups.numbers) {
            *out = T::from_f64(1.0 / counts[number as usize]);
        }
    })
}

/// `y[i..] = table[ids[i..]]`, `table: [V, D]`, `ids: [..]`, `y: [.., D]`, under the conventions of `options`.
///
/// ```
/// use lexigrad_tensor::{EmbeddingOptions, Ids, Tape, Tensor, embedding};
/// let tape = Tape::new();
/// let table = tape.watch(&Tensor::<f32>::ones([1000, 2]));
/// let y = embedding(&table, &Ids::new([[7, 3], [7, 0]])?, &EmbeddingOptions { padding: Some(0), ..Default::default() })?;
/// let grads = tape.backward(&y.sum())?;
/// let sparse = grads.of(&table).and_then(|grad| grad.as_row_sparse()).unwrap();
/// assert_eq!(sparse.rows().as_slice(), [7, 3, 7]); // in input order, without the padding
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the table is not a matrix, or an id or the padding is beyond its rows.
///
/// PyTorch: `nn.functional.embedding`.
#[compiled]
pub fn embedding<T: Element>(
    table: &Tensor<T>,
    ids: &Ids,
    options: &EmbeddingOptions,
) -> Result<Tensor<T>> {
    let rows = check_table("embedding", table)?;
    ids.check_range("embedding", rows)?;
    check_padding("embedding", options, rows)?;
    let op = Embedding {
        ids: ids.clone(),
        rows,
        options: *options,
    };
    apply(op, &[table])
}

pub(super) fn check_padding(
    operation: &'static str,
    options: &EmbeddingOptions,
    rows: usize,
) -> Result<()> {
    match options.padding {
        Some(padding) if padding as usize >= rows => {
            let rule = format!("below the table's {rows} rows");
            Err(Error::value(operation, "padding", f64::from(padding), rule))
        }
        _ => Ok(()),
    }
}
