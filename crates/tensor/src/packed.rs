//! The packed copy of a weight, which a parameter keeps.

use std::sync::Arc;

use lexigrad_kernels::product::Packed;
use lexigrad_kernels::view::Matrix;
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::tensor::Tensor;

/// The rows of a weight, packed in pieces.
pub(crate) struct PackedRows<T: Element> {
    /// How many rows each piece has.
    rows: Vec<usize>,
    pieces: Arc<[Packed<T>]>,
}

#[compiled]
impl<T: Element> PackedRows<T> {
    /// `None` if it does not pay, or there is no memory for it.
    pub(crate) fn new(weight: &Tensor<T>, rows: &[usize]) -> Option<Self> {
        let values = weight.in_order()?;
        let inner = *weight.shape().get(1)?;
        let mut first = 0;
        let pieces = rows.iter().map(|&count| {
            let piece = Matrix::rows(values, inner).from_row(first);
            first += count;
            let sizes = [inner, count];
            Packed::<T>::is_worth_keeping(sizes)
                .then(|| Packed::new(sizes, piece.transposed()).ok())
                .flatten()
        });
        let pieces = pieces.collect::<Option<_>>()?;
        let rows = rows.to_vec();
        Some(Self { rows, pieces })
    }

    /// The pieces, if they have so many rows each.
    pub(crate) fn pieces(&self, rows: &[usize]) -> Option<Arc<[Packed<T>]>> {
        (self.rows == rows).then(|| self.pieces.clone())
    }
}
