//! The rows of one batch.

use lexigrad_tensor::{EmbeddingOptions, Ids, Param, Result, Tensor, embedding};

/// The distinct rows that a batch looks up, copied out of an [`Overlay`](super::Overlay): a small table `[n, D]` of its own.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The rows, `[n, D]`; what the loss is differentiated by.
    pub rows: Param,
    /// Which row of the table each of them is: `[n]`, in the order in which the batch names them.
    pub(super) ids: Vec<u32>,
    /// For each id of the batch, which of the rows is its: `[..]`.
    pub(super) positions: Ids,
    /// Which of the rows stands for nothing.
    pub(super) padding: Option<u32>,
}

impl Lookup {
    /// `y[i..] = W[ids[i..]]`, `ids: [..]`, `y: [.., D]`, for the ids that were looked up.
    ///
    /// # Errors
    /// None.
    pub fn forward(&self) -> Result<Tensor> {
        let options = EmbeddingOptions {
            padding: self.padding,
            ..EmbeddingOptions::default()
        };
        let rows = self.rows.rows("lookup", &self.positions)?;
        embedding(&rows, &self.positions, &options)
    }

    /// The distinct ids of the batch, in the order in which it names them.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// For each id of the batch, which of the rows is its: `[..]`.
    pub fn positions(&self) -> &Ids {
        &self.positions
    }
}
