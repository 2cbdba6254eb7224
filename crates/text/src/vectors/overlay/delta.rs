//! The rows that moved, in a file of their own.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;

use lexigrad_optim::Rule;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::table::Overlay;
use crate::error::{Error, Place, Result};
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
    /// If the file cannot be read, is no such file, or belongs to another table. Then nothing has changed.
    pub fn apply_delta(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|cause| Error::io(path, cause))?;
        let read = self.read_delta(&bytes);
        let (ids, values) =
            read.map_err(|reason| Error::format(path.display().to_string(), Place::Whole, reason))?;
        self.put(&ids, &values)
    }

    /// The ids and numbers of a delta of this table; else what is wrong with it.
    fn read_delta(&self, bytes: &[u8]) -> Result<(Vec<u32>, Vec<f32>), String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let found = header.metadata().as_ref();
        let mut identity: Vec<_> = self.identity().into_iter().collect();
        identity.sort_unstable();
        for (name, own) in identity {
            let theirs = found.and_then(|found| found.get(&name));
            if theirs != Some(&own) {
                let theirs = theirs.map_or("none", String::as_str);
                return Err(format!(
                    "a delta of another table: its {name} is {theirs}, this one's {own}"
                ));
            }
        }
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let tensor = |name: &str| file.tensor(name).map_err(|error| error.to_string());
        let (ids, values) = (tensor("ids")?, tensor("values")?);
        let count = ids.shape().iter().product();
        let is_right = ids.dtype() == Dtype::U32 && values.dtype() == Dtype::F32;
        if !is_right || ids.shape().len() != 1 || values.shape() != [count, self.base.dim()] {
            let rule = format!(
                "ids must be U32 [n] and values F32 [n, {}]",
                self.base.dim()
            );
            return Err(format!(
                "ids {:?} and values {:?}; {rule}",
                ids.shape(),
                values.shape()
            ));
        }
        let ids: Vec<u32> = ids
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|id| u32::from_le_bytes(*id))
            .collect();
        let values: Vec<f32> = values
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|number| f32::from_le_bytes(*number))
            .collect();
        let mut seen = HashSet::new();
        if let Some(id) = ids
            .iter()
            .find(|&&id| id as usize >= self.base.len() || !seen.insert(id))
        {
            return Err(format!(
                "id {id} stands there twice or is not below {}",
                self.base.len()
            ));
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let row = ids[place / self.base.dim()];
            return Err(format!(
                "row {row} holds {}; numbers must be finite",
                values[place]
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
