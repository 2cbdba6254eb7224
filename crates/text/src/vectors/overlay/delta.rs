//! The rows that moved, in a file of their own.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use lexigrad_nn::Archive;
use lexigrad_optim::Rule;
use lexigrad_tensor::message::printable_name;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::table::Overlay;
use crate::error::{Error, Place, Result};
use crate::file;
use crate::save::write_whole;

impl<R: Rule<f32>> Overlay<R> {
    /// Writes the rows that moved, and no other, as a safetensors file: `ids` (`U32`, `[n]`, rising) and `values` (`F32`, `[n, D]`),
    /// with V, D and the checksum of the table that they belong to. What the rule remembers is not written.
    ///
    /// The file is written beside `path` and then takes its name.
    ///
    /// # Errors
    /// If writing fails; then a file that was there is as it was.
    pub fn save_delta(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dim = self.base.dim();
        let mut rows: Vec<(u32, usize)> = self
            .touched
            .places
            .iter()
            .map(|(&id, &place)| (id, place))
            .collect();
        rows.sort_unstable();
        let ids: Vec<u8> = rows.iter().flat_map(|(id, _)| id.to_le_bytes()).collect();
        let numbers = rows
            .iter()
            .flat_map(|&(_, place)| &self.touched.values[place * dim..][..dim]);
        let values: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        let fail = |error: safetensors::SafeTensorError| {
            Error::format(path.display().to_string(), Place::Whole, error.to_string())
        };
        let tensors = [
            (
                "ids",
                TensorView::new(Dtype::U32, vec![rows.len()], &ids).map_err(fail)?,
            ),
            (
                "values",
                TensorView::new(Dtype::F32, vec![rows.len(), dim], &values).map_err(fail)?,
            ),
        ];
        let bytes = safetensors::serialize(tensors, Some(self.identity())).map_err(fail)?;
        write_whole(path, |file| file.write_all(&bytes))
    }

    /// Puts back the rows that [`save_delta`](Self::save_delta) wrote; other rows stay as they are. The rule begins anew with them.
    ///
    /// # Errors
    /// If the file cannot be read, is no such file, belongs to another table, or its ids do not rise below V or a number is not finite.
    /// Then nothing has changed.
    pub fn apply_delta(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = file::read(path)?;
        let read = self.read_delta(&bytes);
        let (ids, values) =
            read.map_err(|reason| Error::format(path.display().to_string(), Place::Whole, reason))?;
        self.put(&ids, &values)
    }

    /// The ids and numbers of a delta of this table; else what is wrong with it.
    fn read_delta(&self, bytes: &[u8]) -> Result<(Vec<u32>, Vec<f32>), String> {
        let file = Archive::read(bytes)?;
        let mut identity: Vec<_> = self.identity().into_iter().collect();
        identity.sort_unstable();
        for (name, own) in identity {
            let theirs = file.note(&name);
            if theirs != Some(&own) {
                let theirs = theirs.map_or("none".into(), printable_name);
                return Err(format!(
                    "a delta of another table: its {name} is {theirs}, this one's {own}"
                ));
            }
        }
        let dim = self.base.dim();
        let tensor = |name: &str| {
            let found = file.get(name);
            found.ok_or_else(|| format!("no tensor {name}; a delta has ids and values"))
        };
        let (ids, values) = (tensor("ids")?, tensor("values")?);
        let is_right = match ids.shape[..] {
            [count] => {
                ids.dtype == Dtype::U32
                    && values.dtype == Dtype::F32
                    && values.shape == [count, dim]
            }
            _ => false,
        };
        if !is_right {
            return Err(format!(
                "ids {} {:?} and values {} {:?}; they must be U32 [n] and F32 [n, {dim}]",
                ids.dtype, ids.shape, values.dtype, values.shape
            ));
        }
        let ids = numbers(ids.data, u32::from_le_bytes);
        let values = numbers(values.data, f32::from_le_bytes);
        if let Some(place) = ids.windows(2).position(|pair| pair[0] >= pair[1]) {
            let (id, next) = (ids[place], ids[place + 1]);
            let place = place + 1;
            return Err(format!(
                "ids: {next} at [{place}] after {id}; ids must rise"
            ));
        }
        // The last is the largest.
        let (last, rows) = (ids.len().wrapping_sub(1), self.base.len());
        if let Some(id) = ids.last().filter(|&&id| id as usize >= rows) {
            return Err(format!(
                "ids: {id} at [{last}] is not below the table's {rows} rows"
            ));
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let (row, column, value) = (place / dim, place % dim, values[place]);
            let id = ids[row];
            return Err(format!(
                "values: {value} at [{row}, {column}], of row {id}; numbers must be finite"
            ));
        }
        Ok((ids, values))
    }

    /// What a delta says of the table that it belongs to.
    fn identity(&self) -> HashMap<String, String> {
        let entries = [
            ("rows", self.base.len().to_string()),
            ("dim", self.base.dim().to_string()),
            ("checksum", format!("{:016x}", self.base.checksum())),
        ];
        entries.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

fn numbers<T, const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = data.as_chunks::<N>();
    numbers.iter().map(|bytes| read(*bytes)).collect()
}
