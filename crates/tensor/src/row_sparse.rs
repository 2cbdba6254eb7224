//! The gradient of a table of which a few rows were read.

use lexigrad_kernels::bag_sum::{Scale, bag_sum};
use lexigrad_kernels::rows::{self, Groups};
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Result, or_panic};
use crate::ids::Ids;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A gradient `[V, dim]` of which only some rows are there: `gradient[rows[i]] += values[i]`, `rows: [nnz]`, `values: [nnz, dim]`.
///
/// A row may occur more than once until [`coalesce`](Self::coalesce) adds them up. It costs O(nnz · dim), whatever V is.
///
/// PyTorch: a sparse COO tensor with one sparse dimension.
#[derive(Clone)]
pub struct RowSparse<T: Element = f32> {
    rows: Ids,
    values: Tensor<T>,
    table_rows: usize,
    coalesced: bool,
}

#[compiled]
impl<T: Element> RowSparse<T> {
    /// The gradient with `values[i]` at row `rows[i]` of a table of `table_rows` rows: `rows: [..]`, `values: [.., dim]`.
    ///
    /// # Errors
    /// If `values` does not hold one row for each of `rows`, or a row is beyond the table.
    pub fn new(rows: Ids, values: Tensor<T>, table_rows: usize) -> Result<Self> {
        rows.check_range("row-sparse gradient", table_rows)?;
        let dim = values.shape().last().copied().unwrap_or(1);
        let table = Shape::from([table_rows, dim]);
        table.checked("row-sparse gradient")?;
        let rows = rows.reshape([rows.len()])?;
        let values = values.reshape([rows.len(), dim])?;
        Ok(Self {
            rows,
            values,
            table_rows,
            coalesced: false,
        })
    }

    /// The gradient with `values[i]` at row `rows[i]`, no row twice and all of them in the table.
    #[inline]
    pub(crate) fn coalesced(rows: Vec<u32>, values: Tensor<T>, table_rows: usize) -> Self {
        let count = Shape::from(rows.len());
        Self {
            rows: Ids::from_parts(rows, count),
            values,
            table_rows,
            coalesced: true,
        }
    }

    /// The row of each entry: `[nnz]`.
    #[inline]
    pub fn rows(&self) -> &Ids {
        &self.rows
    }

    /// The entries: `[nnz, dim]`.
    #[inline]
    pub fn values(&self) -> &Tensor<T> {
        &self.values
    }

    /// The number of rows of the table, V.
    #[inline]
    pub fn table_rows(&self) -> usize {
        self.table_rows
    }

    /// The size of one row, dim.
    #[inline]
    pub fn dim(&self) -> usize {
        self.values.shape()[1]
    }

    /// The shape of the table: `[V, dim]`.
    pub fn shape(&self) -> Shape {
        Shape::from([self.table_rows, self.dim()])
    }

    /// Whether each row is known to occur once.
    #[inline]
    pub fn is_coalesced(&self) -> bool {
        self.coalesced
    }

    /// The same gradient with each row once, in the order of first appearance; entries of a row are added in their order.
    ///
    /// O(nnz · dim), and the same bits for any number of threads. A constant.
    ///
    /// ```
    /// use lexigrad_tensor::{Ids, RowSparse, Tensor};
    /// let values: Tensor = Tensor::new([[1.0], [2.0], [4.0]]);
    /// let sparse = RowSparse::new(Ids::new([7, 3, 7])?, values, 10)?.coalesce();
    /// assert_eq!(sparse.rows().as_slice(), [7, 3]);
    /// assert_eq!(sparse.values().to_vec(), [5.0, 2.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Panics
    /// If there is no memory for the sums.
    #[track_caller]
    pub fn coalesce(&self) -> Self {
        if self.coalesced {
            return self.clone();
        }
        let groups = Groups::labelled(self.rows.as_slice(), 0..);
        let distinct = groups.distinct.clone();
        let mut values = self.values.constant();
        if distinct.len() < self.rows.len() {
            let (dim, entries) = (self.dim(), self.values.values());
            let sums = Tensor::build([distinct.len(), dim], |out| {
                let (labels, offsets) = (&groups.labels, &groups.offsets);
                bag_sum(&entries, dim, labels, offsets, Scale::None, out);
            });
            values = or_panic("coalesce", sums);
        }
        Self::coalesced(distinct, values, self.table_rows)
    }

    /// The entries of all parts (at least one) one after another; coalesced if that halves them at least.
    pub(crate) fn concatenate(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            return parts.swap_remove(0);
        }
        let (table_rows, dim) = (parts[0].table_rows, parts[0].dim());
        let rows: Vec<u32> = parts
            .iter()
            .flat_map(|part| part.rows.as_slice())
            .copied()
            .collect();
        let count = rows.len();
        let values = Tensor::build([count, dim], |out| {
            let mut start = 0;
            for part in &parts {
                let end = start + part.rows.len() * dim;
                out[start..end].copy_from_slice(&part.values.values());
                start = end;
            }
        });
        let joined = Self {
            rows: Ids::from_parts(rows, Shape::from(count)),
            values: or_panic("gradients", values),
            table_rows,
            coalesced: false,
        };
        if count / 2 >= table_rows {
            joined.coalesce()
        } else {
            joined
        }
    }

    #[inline]
    pub(crate) fn values_tensor_mut(&mut self) -> &mut Tensor<T> {
        &mut self.values
    }

    /// Adds the entries into a dense gradient `[V, dim]`.
    pub(crate) fn add_into(&self, dense: &mut Tensor<T>) {
        let dim = self.dim();
        let values = self.values.values();
        rows::scatter_add_rows(&values, dim, self.rows.as_slice(), dense.values_mut());
    }
}

impl<T: Element> std::fmt::Debug for RowSparse<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RowSparse {} rows {:?} values {:?}",
            self.shape(),
            self.rows.as_slice(),
            self.values
        )
    }
}
