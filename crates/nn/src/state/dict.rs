//! Tensors by name.

use std::collections::HashMap;

use lexigrad_tensor::{Element, Tensor};

/// Tensors by name, in order, and texts by name that go with them.
///
/// PyTorch: a state dict; a safetensors file written from one loads as it is.
#[derive(Clone, Debug, Default)]
pub struct StateDict<T: Element = f32> {
    pub(super) tensors: Vec<(String, Tensor<T>)>,
    pub(super) metadata: HashMap<String, String>,
}

impl<T: Element> StateDict<T> {
    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&Tensor<T>> {
        self.tensors
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, tensor)| tensor)
    }

    /// The names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<T>)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The text with this name, which a safetensors file keeps in its header.
    ///
    /// ```
    /// use lexigrad_nn::{Linear, ModuleState, StateDict};
    /// use rand::{SeedableRng, rngs::StdRng};
    /// let linear = Linear::new(3, 2, &mut StdRng::seed_from_u64(1));
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("linear.safetensors");
    /// linear.state_dict().with_metadata("labels", "bad good").save(&path)?;
    /// assert_eq!(StateDict::<f32>::load(&path)?.metadata("labels"), Some("bad good"));
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// PyTorch: `safe_open(..).metadata()`.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }

    /// The same with a text of this name, which takes the place of an earlier one.
    #[must_use]
    pub fn with_metadata(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), text.into());
        self
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
        Self {
            tensors: self.tensors.iter().map(renamed).collect(),
            metadata: self.metadata.clone(),
        }
    }
}

impl<T: Element> FromIterator<(String, Tensor<T>)> for StateDict<T> {
    fn from_iter<I: IntoIterator<Item = (String, Tensor<T>)>>(tensors: I) -> Self {
        Self {
            tensors: tensors.into_iter().collect(),
            metadata: HashMap::new(),
        }
    }
}
