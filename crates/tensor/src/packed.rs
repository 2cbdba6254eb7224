//! The packed copies of a weight, which a parameter keeps.

use std::sync::{Arc, Mutex, PoisonError};

use lexigrad_kernels::product::Packed;
use lexigrad_kernels::view::Matrix;
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::tensor::Tensor;

/// The blocks of rows of a weight, each transposed and packed; nothing if that does not pay, or there is no memory for it.
type Blocks<T> = Option<Arc<[Packed<T>]>>;

/// The packed copies of one value, by how many rows each block has: layers that share a weight may cut it differently.
///
/// What is found once stays, also that there is no copy, so that the bits of a product do not depend on how often it is computed.
pub(crate) struct PackedCopies<T: Element>(Mutex<Vec<(Vec<usize>, Blocks<T>)>>);

#[compiled]
impl<T: Element> PackedCopies<T> {
    pub(crate) fn none() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn clear(&mut self) {
        let copies = self.0.get_mut();
        copies.unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The blocks of this weight; packed by the first that asks, for whom the others wait.
    pub(crate) fn blocks(&self, weight: &Tensor<T>, rows: &[usize]) -> Blocks<T> {
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, blocks)) = copies.iter().find(|(known, _)| known == rows) {
            return blocks.clone();
        }
        let blocks = pack(weight, rows);
        copies.push((rows.to_vec(), blocks.clone()));
        blocks
    }
}

fn pack<T: Element>(weight: &Tensor<T>, rows: &[usize]) -> Blocks<T> {
    let inner = *weight.shape().get(1)?;
    if !Packed::<T>::is_worth_keeping([inner, rows.iter().sum()]) {
        return None;
    }
    let values = weight.in_order()?;
    let mut first = 0;
    let blocks = rows.iter().map(|&count| {
        let block = Matrix::rows(values, inner).from_row(first);
        first += count;
        Packed::new([inner, count], block.transposed()).ok()
    });
    blocks.collect()
}
