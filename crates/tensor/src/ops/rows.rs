//! Gather and scatter of rows: two linear maps, each the adjoint of the other.

use lexigrad_kernels::rows as kernels;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::op::{Cotangents, Needs, Notes, Op, Saved};
use crate::row_sparse::RowSparse;
use crate::tensor::Tensor;

/// `y[i] = table[ids[i]]`. It keeps the ids and the number of rows, never the table.
struct GatherRows {
    ids: Ids,
    rows: usize,
}

impl<T: Element> Op<T> for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn notes(&self) -> Notes<'_> {
        let ids = Some(&self.ids);
        Notes {
            ids,
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        rows_of(inputs[0], &self.ids)
    }

    /// The gradient of the table has rows only where it was read.
    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let sparse = RowSparse::new(self.ids.clone(), cotangent, self.rows)?;
        Ok(Cotangents::row_sparse(sparse))
    }
}

/// `table[ids[i]]` of a matrix that has all of these rows; a constant.
pub(super) fn rows_of<T: Element>(table: &Tensor<T>, ids: &Ids) -> Result<Tensor<T>> {
    let dim = table.shape()[1];
    let mut shape = ids.shape().clone();
    shape.push(dim);
    let table = table.read()?;
    Tensor::build(shape, |out| {
        kernels::gather_rows(&table, dim, ids.as_slice(), out);
    })
}

/// `table[ids[i]] += values[i]`, from zeros.
struct ScatterRows {
    ids: Ids,
    rows: usize,
}

impl<T: Element> Op<T> for ScatterRows {
    fn name(&self) -> &'static str {
        "scatter_rows"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let dim = inputs[0].shape()[inputs[0].rank() - 1];
        let mut table = Tensor::build_zeros([self.rows, dim])?;
        let values = inputs[0].read()?;
        kernels::scatter_add_rows(&values, dim, self.ids.as_slice(), table.values_mut());
        Ok(table)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(gather_rows(&cotangent, &self.ids)?))
    }
}

/// `y[i..] = table[ids[i..]]`, `table: [V, D]`, `ids: [..]`, `y: [.., D]`; the gradient of a table is row-sparse.
///
/// ```
/// use lexigrad_tensor::{Ids, Tensor, gather_rows};
/// let table: Tensor = Tensor::new([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]]);
/// let rows = gather_rows(&table, &Ids::new([2, 0])?)?;
/// assert_eq!(rows.to_array::<[[f32; 2]; 2]>()?, [[20.0, 21.0], [0.0, 1.0]]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the table is not a matrix or an id is beyond its rows.
///
/// PyTorch: `table[ids]`, `index_select(0, ids)`.
#[compiled]
pub fn gather_rows<T: Element>(table: &Tensor<T>, ids: &Ids) -> Result<Tensor<T>> {
    let rows = check_table("gather_rows", table)?;
    ids.check_range("gather_rows", rows)?;
    let ids = ids.clone();
    apply(GatherRows { ids, rows }, &[table])
}

/// The number of rows of a table, which must be a matrix.
pub(super) fn check_table<T: Element>(operation: &'static str, table: &Tensor<T>) -> Result<usize> {
    match table.shape()[..] {
        [rows, _] => Ok(rows),
        _ => Err(Error::shape(
            operation,
            "the table",
            table.shape(),
            "it must be [rows, dim]",
        )),
    }
}

/// `table[r] = Σ values[i]` over the i with `ids[i] = r`, `values: [.., D]`, `ids: [..]`, `table: [rows, D]`.
///
/// # Errors
/// If the shapes do not fit or an id is beyond `rows`.
///
/// PyTorch: `zeros(rows, D).index_add(0, ids, values)`.
#[compiled]
pub fn scatter_rows<T: Element>(values: &Tensor<T>, ids: &Ids, rows: usize) -> Result<Tensor<T>> {
    ids.check_range("scatter_rows", rows)?;
    let fits = values.rank() == ids.shape().rank() + 1 && values.shape().starts_with(ids.shape());
    if !fits {
        let rule = format!(
            "they must have that of the ids, {}, and one axis more",
            ids.shape()
        );
        return Err(Error::shape(
            "scatter_rows",
            "the values",
            values.shape(),
            rule,
        ));
    }
    let ids = ids.clone();
    apply(ScatterRows { ids, rows }, &[values])
}

#[compiled]
impl<T: Element> RowSparse<T> {
    /// The whole gradient `[V, dim]`, zeros where no row was read.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn to_dense(&self) -> Result<Tensor<T>> {
        scatter_rows(self.values(), self.rows(), self.table_rows())
    }
}
