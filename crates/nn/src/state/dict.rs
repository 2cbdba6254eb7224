//! Tensors by name.

use lexigrad_tensor::{Element, Tensor};

/// Tensors by name, in order.
///
/// PyTorch: a state dict; a safetensors file written from one loads as it is.
#[derive(Clone, Debug, Default)]
pub struct StateDict<T: Element = f32>(pub(super) Vec<(String, Tensor<T>)>);

impl<T: Element> StateDict<T> {
    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&Tensor<T>> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, tensor)| tensor)
    }

    /// The names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<T>)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same tensors under names in which `from` at the beginning has become `to`; other names stay as they are.
    ///
    /// ```
    /// use lexigrad_nn::StateDict;
    /// use lexigrad_tensor::Tensor;
    /// let state: StateDict = [("model.out.bias".to_owned(), Tensor::zeros([2]))].into_iter().collect();
    /// assert!(state.with_prefix_replaced("model.", "").get("out.bias").is_some());
    /// assert!(state.with_prefix_replaced("", "outer.").get("outer.model.out.bias").is_some());
    /// ```
    #[must_use]
    pub fn with_prefix_replaced(&self, from: &str, to: &str) -> Self {
        let renamed = |(name, tensor): &(String, Tensor<T>)| {
            let name = match name.strip_prefix(from) {
                Some(rest) => format!("{to}{rest}"),
                None => name.clone(),
            };
            (name, tensor.clone())
        };
        Self(self.0.iter().map(renamed).collect())
    }
}

impl<T: Element> FromIterator<(String, Tensor<T>)> for StateDict<T> {
    fn from_iter<I: IntoIterator<Item = (String, Tensor<T>)>>(tensors: I) -> Self {
        Self(tensors.into_iter().collect())
    }
}
