//! The weight of a linear map: a tensor, or a parameter that keeps a packed copy of itself.

use std::sync::Arc;

use lexigrad_kernels::product::Packed;

use crate::element::Element;
use crate::packed::PackedCopies;
use crate::param::Param;
use crate::tape::is_recording;
use crate::tensor::Tensor;

/// `W: [out, in]`, which inputs are multiplied with: a tensor, or a parameter.
///
/// While no tape records, products with a parameter read a copy of it that is packed in the microkernel's order. The parameter keeps the copy
/// until it changes: see [`Param::set_keeps_packed`].
///
/// ```
/// use lexigrad_tensor::{Param, Tensor, linear};
/// let weight: Param = Param::new(Tensor::ones([2, 3]));
/// let y = linear(&Tensor::ones([1, 3]), &weight, None)?;
/// assert_eq!(y.to_vec(), [3.0, 3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone)]
pub struct Weight<T: Element = f32> {
    pub(crate) value: Tensor<T>,
    pub(crate) copies: Option<Arc<PackedCopies<T>>>,
}

impl<T: Element> Weight<T> {
    /// `Wᵀ` in blocks after one another, block i of `rows[i]` of W's rows, if a parameter keeps them packed and no tape records.
    pub(crate) fn packed(&self, rows: &[usize]) -> Option<Arc<[Packed<T>]>> {
        let copies = self.copies.as_ref()?;
        if is_recording() {
            return None;
        }
        copies.blocks(&self.value, rows)
    }
}

impl<T: Element> From<Tensor<T>> for Weight<T> {
    fn from(value: Tensor<T>) -> Self {
        let copies = None;
        Self { value, copies }
    }
}

impl<T: Element> From<&Tensor<T>> for Weight<T> {
    fn from(value: &Tensor<T>) -> Self {
        value.clone().into()
    }
}

impl<T: Element> From<&Param<T>> for Weight<T> {
    fn from(param: &Param<T>) -> Self {
        param.weight()
    }
}
