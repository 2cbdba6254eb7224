//! What [`Embedding`](crate::Embedding) and [`EmbeddingBag`](crate::EmbeddingBag) share: the table and its conventions.

use std::borrow::Cow;

use lexigrad_tensor::{
    Bags, Cotangents, Element, EmbeddingOptions, Error, Ids, Needs, Notes, Op, Param, Result,
    Saved, Shape, Tensor, apply, change_state, embedding, is_shard,
};
use rand::Rng;

use crate::embedding::EmbeddingConfig;
use crate::start;

/// The conventions of a table, checked.
#[derive(Clone, Debug)]
pub(crate) struct TableOptions {
    operation: &'static str,
    max_norm: Option<f64>,
    norm_type: f64,
    pub(crate) lookup: EmbeddingOptions,
}

impl EmbeddingConfig {
    /// The conventions of a layer, checked, and a table drawn from N(0, 1), its padding row zero.
    pub(crate) fn draw<T: Element>(
        &self,
        layer: &'static str,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<(TableOptions, Param<T>)> {
        let options = self.check(layer, self.num_embeddings)?;
        let shape = [self.num_embeddings, self.embedding_dim];
        let table = start::normal(layer, shape, 1.0, rng)?;
        if let Some(padding) = options.lookup.padding {
            table.update_rows(&Ids::new([padding])?, |_, row| row.fill(T::zero()))?;
        }
        let table = options.fix_padding(table)?;
        Ok((options, table))
    }

    /// The conventions of a layer, checked, and a frozen table with given rows, which are left as they are, the padding too.
    pub(crate) fn adopt<T: Element>(
        &self,
        layer: &'static str,
        rows: &Tensor<T>,
    ) -> Result<(TableOptions, Param<T>)> {
        let options = self.check(layer, rows.shape().first().copied().unwrap_or(0))?;
        if rows.rank() != 2 {
            let rule = "it must be [rows, dim]";
            return Err(Error::shape(layer, "the table", rows.shape(), rule));
        }
        let table = options.fix_padding(Param::new(rows.clone()))?;
        table.set_requires_grad(false);
        Ok((options, table))
    }

    fn check(&self, layer: &'static str, rows: usize) -> Result<TableOptions> {
        if let Some(max_norm) = self.max_norm.filter(|&norm| norm.is_nan() || norm <= 0.0) {
            return Err(Error::value(layer, "max_norm", max_norm, "positive"));
        }
        if self.norm_type.is_nan() || self.norm_type <= 0.0 {
            let rule = "positive, or infinity";
            return Err(Error::value(layer, "norm_type", self.norm_type, rule));
        }
        Ok(TableOptions {
            operation: layer,
            max_norm: self.max_norm,
            norm_type: self.norm_type,
            lookup: EmbeddingOptions {
                padding: self.padding(layer, rows as i64)?,
                scale_grad_by_freq: self.scale_grad_by_freq,
                dense_grad: !self.sparse,
            },
        })
    }

    /// The padding row, where -1 is the last row of the table.
    fn padding(&self, layer: &'static str, rows: i64) -> Result<Option<u32>> {
        let Some(index) = self.padding_idx else {
            return Ok(None);
        };
        let row = if index < 0 { index + rows } else { index };
        match u32::try_from(row).ok().filter(|_| row < rows) {
            Some(row) => Ok(Some(row)),
            None => {
                let message = format!(
                    "padding_idx is {index}; it must be from -{rows} to {} for a table of {rows} rows",
                    rows - 1
                );
                Err(Error::other(layer, message))
            }
        }
    }
}

/// What is looked up: a table, in which rows, by which conventions.
pub(crate) struct Rows<T: Element> {
    pub(crate) table: Tensor<T>,
    /// The rows, if they are not those of the ids that were asked for.
    pub(crate) ids: Option<Ids>,
    pub(crate) lookup: EmbeddingOptions,
}

impl<T: Element> Rows<T> {
    /// Bags of these rows in the place of those that were asked for.
    pub(crate) fn bags<'a>(&self, asked: &'a Bags) -> Result<Cow<'a, Bags>> {
        Ok(match &self.ids {
            None => Cow::Borrowed(asked),
            Some(ids) => Cow::Owned(Bags::from_offsets_with_last(ids, asked.offsets())?),
        })
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

    fn fix_padding<T: Element>(&self, table: Param<T>) -> Result<Param<T>> {
        match self.lookup.padding {
            Some(padding) => table.with_fixed_row(padding as usize),
            None => Ok(table),
        }
    }

    /// The rows `ids` of the table for a lookup, those of too large a norm shortened first.
    pub(crate) fn read<T: Element>(&self, table: &Param<T>, ids: &Ids) -> Result<Rows<T>> {
        let whole = |table| Rows {
            table,
            ids: None,
            lookup: self.lookup,
        };
        let Some(max_norm) = self.max_norm else {
            return Ok(whole(table.rows(self.operation, ids)?));
        };
        let mut distinct = ids.as_slice().to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let read = table.rows(self.operation, ids)?;
        let mut long = distinct.clone();
        let factors = self.factors(&read.constant(), &mut long, max_norm);
        if long.is_empty() {
            return Ok(whole(read));
        }
        if is_shard() {
            let (options, table, ids) = (self.clone(), table.clone(), ids.clone());
            let rows = options.shortened(&read, &ids, distinct, (&long, factors))?;
            // An earlier shard may have shortened some of these rows already; shortening a row again changes nothing.
            change_state(move || drop(options.read(&table, &ids)));
            return Ok(rows);
        }
        drop(read);
        shorten(table, long, &factors)?;
        Ok(whole(table.rows(self.operation, ids)?))
    }

    /// The distinct rows, the long ones shortened. The table stays as it is, because other shards read it.
    fn shortened<T: Element>(
        &self,
        table: &Tensor<T>,
        ids: &Ids,
        distinct: Vec<u32>,
        (long, factors): (&[u32], Vec<T>),
    ) -> Result<Rows<T>> {
        let number = |id: u32| distinct.partition_point(|&other| other < id) as u32;
        let places = long.iter().map(|&row| number(row) as usize);
        let places = places.zip(factors).collect();
        let numbers = ids.as_slice().iter().map(|&id| number(id)).collect();
        let numbers = Ids::from_vec(numbers, ids.shape().clone())?;
        let present = |padding: &u32| distinct.binary_search(padding).is_ok();
        let lookup = EmbeddingOptions {
            padding: self.lookup.padding.filter(present).map(number),
            ..self.lookup
        };
        let count = Shape::from(distinct.len());
        let distinct = Ids::from_vec(distinct, count)?;
        let rows = EmbeddingOptions {
            scale_grad_by_freq: false,
            ..self.lookup
        };
        let rows = embedding(table, &distinct, &rows)?;
        Ok(Rows {
            table: apply(Shortened { places }, &[&rows])?,
            ids: Some(numbers),
            lookup,
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

/// `row ← row · factor` for the long rows; in place, not differentiated.
fn shorten<T: Element>(table: &Param<T>, long: Vec<u32>, factors: &[T]) -> Result<()> {
    let count = Shape::from(long.len());
    table.update_rows(&Ids::from_vec(long, count)?, |i, row| {
        row.iter_mut().for_each(|x| *x *= factors[i]);
    })
}

/// Multiplies some rows by a factor. The gradient passes unchanged, as if the rows had been changed in place before they were read.
struct Shortened<T> {
    places: Vec<(usize, T)>,
}

impl<T: Element> Op<T> for Shortened<T> {
    fn name(&self) -> &'static str {
        "max_norm"
    }

    fn notes(&self) -> Notes<'_> {
        Notes {
            convention: Some("a row's shortening is not differentiated"),
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (mut values, dim) = (inputs[0].values().to_vec(), inputs[0].shape()[1]);
        for &(place, factor) in &self.places {
            let row = &mut values[place * dim..][..dim];
            row.iter_mut().for_each(|x| *x *= factor);
        }
        Tensor::from(values).reshape(inputs[0].shape())
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent))
    }
}
