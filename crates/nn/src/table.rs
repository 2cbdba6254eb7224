//! What [`Embedding`](crate::Embedding) and [`EmbeddingBag`](crate::EmbeddingBag) share: the table and its conventions.

use lexigrad_tensor::{Element, EmbeddingOptions, Error, Ids, Param, Result, Shape, Tensor};
use rand::Rng;

/// The conventions of a table, checked.
#[derive(Clone, Debug)]
pub(crate) struct TableOptions {
    operation: &'static str,
    max_norm: Option<f64>,
    norm_type: f64,
    pub(crate) lookup: EmbeddingOptions,
}

/// The conventions as a user gives them.
pub(crate) struct TableConfig {
    pub(crate) operation: &'static str,
    pub(crate) rows: usize,
    pub(crate) padding_idx: Option<i64>,
    pub(crate) max_norm: Option<f64>,
    pub(crate) norm_type: f64,
    pub(crate) scale_grad_by_freq: bool,
    pub(crate) sparse: bool,
}

impl TableConfig {
    pub(crate) fn check(&self) -> Result<TableOptions> {
        let operation = self.operation;
        if let Some(max_norm) = self.max_norm.filter(|&norm| norm.is_nan() || norm <= 0.0) {
            return Err(Error::value(operation, "max_norm", max_norm, "positive"));
        }
        if self.norm_type.is_nan() || self.norm_type <= 0.0 {
            let rule = "positive, or infinity";
            return Err(Error::value(operation, "norm_type", self.norm_type, rule));
        }
        Ok(TableOptions {
            operation,
            max_norm: self.max_norm,
            norm_type: self.norm_type,
            lookup: EmbeddingOptions {
                padding: self.padding()?,
                scale_grad_by_freq: self.scale_grad_by_freq,
                dense_grad: !self.sparse,
            },
        })
    }

    /// The padding row, where -1 is the last row of the table.
    fn padding(&self) -> Result<Option<u32>> {
        let Some(index) = self.padding_idx else {
            return Ok(None);
        };
        let rows = self.rows as i64;
        let row = if index < 0 { index + rows } else { index };
        match u32::try_from(row).ok().filter(|_| row < rows) {
            Some(row) => Ok(Some(row)),
            None => {
                let message = format!(
                    "padding_idx is {index}; it must be from -{rows} to {} for a table of {rows} rows",
                    rows - 1
                );
                Err(Error::other(self.operation, message))
            }
        }
    }
}

impl TableOptions {
    /// No conventions.
    pub(crate) fn plain(operation: &'static str) -> Self {
        Self {
            operation,
            max_norm: None,
            norm_type: 2.0,
            lookup: EmbeddingOptions::default(),
        }
    }

    /// A table drawn from N(0, 1), its padding row zero.
    pub(crate) fn draw<T: Element>(
        &self,
        shape: [usize; 2],
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Param<T>> {
        let table = Param::new(Tensor::normal(shape, T::zero(), T::one(), rng));
        if let Some(padding) = self.lookup.padding {
            table.update_rows(&Ids::new([padding])?, |_, row| row.fill(T::zero()))?;
        }
        self.fix_padding(table)
    }

    /// A table with given rows, which are left as they are, the padding too.
    pub(crate) fn adopt<T: Element>(&self, rows: &Tensor<T>) -> Result<Param<T>> {
        if rows.rank() != 2 {
            let rule = "it must be [rows, dim]";
            return Err(Error::shape(
                self.operation,
                "the table",
                rows.shape(),
                rule,
            ));
        }
        self.fix_padding(Param::new(rows.clone()))
    }

    fn fix_padding<T: Element>(&self, table: Param<T>) -> Result<Param<T>> {
        match self.lookup.padding {
            Some(padding) => table.with_fixed_row(padding as usize),
            None => Ok(table),
        }
    }

    /// The table for reading the rows `ids`, those of too large a norm shortened first.
    pub(crate) fn read<T: Element>(&self, table: &Param<T>, ids: &Ids) -> Result<Tensor<T>> {
        if let Some(max_norm) = self.max_norm {
            self.shorten(table, ids, max_norm)?;
        }
        table.rows(self.operation, ids)
    }

    /// `row ← row · max_norm / (norm + 1e-7)` for each row looked up whose norm is larger; once, in place, not differentiated.
    fn shorten<T: Element>(&self, table: &Param<T>, ids: &Ids, max_norm: f64) -> Result<()> {
        let rows = table.shape().first().copied().unwrap_or(0);
        ids.check_range(self.operation, rows)?;
        let mut distinct = ids.as_slice().to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let read = table.rows(self.operation, ids)?.constant();
        let factors = self.factors(&read, &mut distinct, max_norm);
        drop(read);
        let count = Shape::from(distinct.len());
        table.update_rows(&Ids::from_vec(distinct, count)?, |i, row| {
            row.iter_mut().for_each(|x| *x *= factors[i]);
        })
    }

    /// The factor of each row that is too long; `rows` is left with those alone.
    fn factors<T: Element>(&self, table: &Tensor<T>, rows: &mut Vec<u32>, max_norm: f64) -> Vec<T> {
        let dim = table.shape()[1];
        let values = table.values();
        let norm = |row: u32| self.norm(&values[row as usize * dim..][..dim]);
        let long: Vec<(u32, f64)> = rows
            .iter()
            .map(|&row| (row, norm(row)))
            .filter(|(_, norm)| *norm > max_norm)
            .collect();
        *rows = long.iter().map(|(row, _)| *row).collect();
        let factor = |(_, norm): &(u32, f64)| T::from_f64(max_norm / (norm + 1e-7));
        long.iter().map(factor).collect()
    }

    fn norm<T: Element>(&self, row: &[T]) -> f64 {
        let sizes = row.iter().map(|x| x.as_f64().abs());
        if self.norm_type.is_infinite() {
            sizes.fold(0.0, f64::max)
        } else if self.norm_type == 2.0 {
            sizes.map(|size| size * size).sum::<f64>().sqrt()
        } else {
            let p = self.norm_type;
            sizes.map(|size| size.powf(p)).sum::<f64>().powf(1.0 / p)
        }
    }
}
