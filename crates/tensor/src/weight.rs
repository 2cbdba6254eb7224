//! The weight of a linear map: a tensor, or a parameter that keeps a packed copy of itself.

use std::sync::Arc;

use lexigrad_kernels::product::Packed;

use crate::element::Element;
use crate::param::Param;
use crate::tape::is_recording;
use crate::tensor::Tensor;

/// `W: [out, in]`, which inputs are multiplied with: a tensor, or a parameter.
///
/// Of a parameter, a pass that no tape records reads a packed copy, in the order in which the product's microkernel does. The parameter
/// keeps it until it changes, unless [`set_keeps_packed`](Param::set_keeps_packed) says no.
#[derive(Clone, Debug)]
pub struct Weight<T: Element = f32> {
    pub(crate) value: Tensor<T>,
    /// Where no tape records.
    param: Option<Param<T>>,
}

impl<T: Element> Weight<T> {
    /// `W[rows]ᵀ: [in, rows]` for some rows after one another, `rows` of them each, if a parameter keeps them packed.
    pub(crate) fn packed(&self, rows: &[usize]) -> Option<Arc<[Packed<T>]>> {
        self.param.as_ref()?.packed(&self.value, rows)
    }
}

impl<T: Element> From<Tensor<T>> for Weight<T> {
    fn from(value: Tensor<T>) -> Self {
        let param = None;
        Self { value, param }
    }
}

impl<T: Element> From<&Tensor<T>> for Weight<T> {
    fn from(value: &Tensor<T>) -> Self {
        value.clone().into()
    }
}

impl<T: Element> From<&Param<T>> for Weight<T> {
    fn from(param: &Param<T>) -> Self {
        Self {
            value: param.value(),
            param: (!is_recording()).then(|| param.clone()),
        }
    }
}
