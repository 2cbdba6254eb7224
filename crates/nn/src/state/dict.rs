//! Tensors by name.

use std::collections::HashMap;

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Tensor};
use safetensors::Dtype;

/// Tensors by name, in order, and texts by name that go with them.
///
/// One that was [loaded](Self::load) knows the file, and the types that its tensors have there: integers are not taken for weights.
/// Tensors that were collected are taken as they are.
///
/// ```
/// use lexigrad_nn::StateDict;
/// use lexigrad_tensor::Tensor;
/// let state: StateDict = [("scale".to_owned(), Tensor::new([2.0]))].into_iter().collect();
/// let halved = state.iter().map(|(name, tensor)| (name.to_owned(), tensor.mul_scalar(0.5)));
/// assert_eq!(halved.collect::<StateDict>().get("scale").unwrap().to_vec(), [1.0]);
/// ```
///
/// PyTorch: a state dict; a safetensors file written from one loads as it is.
#[derive(Clone, Debug)]
pub struct StateDict<T: Element = f32> {
    pub(super) entries: Vec<Named<T>>,
    pub(super) metadata: HashMap<String, String>,
    /// The file that it was read from.
    pub(super) file: Option<String>,
}

/// A name with what stands under it.
#[derive(Clone, Debug)]
pub(super) struct Named<T: Element> {
    pub(super) name: String,
    /// The tensor, or why it could not be read.
    pub(super) value: Result<Tensor<T>, String>,
    /// The type that it has in a file.
    pub(super) stored: Option<Dtype>,
}

impl<T: Element> Named<T> {
    /// The type in a file, if it is none of those that weights have.
    pub(super) fn foreign_type(&self) -> Option<Dtype> {
        let floats = [Dtype::F64, Dtype::F32, Dtype::F16, Dtype::BF16];
        self.stored.filter(|dtype| !floats.contains(dtype))
    }
}

#[compiled]
impl<T: Element> StateDict<T> {
    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&Tensor<T>> {
        self.iter()
            .find(|(own, _)| *own == name)
            .map(|(_, tensor)| tensor)
    }

    /// The names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<T>)> {
        let entries = self.entries.iter();
        entries.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_ref().ok()?)))
    }

    /// The names of the tensors of a file that could not be read, and why: a type of numbers that T cannot hold.
    pub fn unread(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.entries.iter();
        entries
            .filter_map(|entry| Some((entry.name.as_str(), entry.value.as_ref().err()?.as_str())))
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        let mut renamed = self.clone();
        for entry in &mut renamed.entries {
            if let Some(rest) = entry.name.strip_prefix(from) {
                entry.name = format!("{to}{rest}");
            }
        }
        renamed
    }
}

impl<T: Element> Default for StateDict<T> {
    fn default() -> Self {
        Self::from_iter([])
    }
}

impl<T: Element> FromIterator<(String, Tensor<T>)> for StateDict<T> {
    fn from_iter<I: IntoIterator<Item = (String, Tensor<T>)>>(tensors: I) -> Self {
        let entries = tensors.into_iter().map(|(name, tensor)| Named {
            name,
            value: Ok(tensor),
            stored: None,
        });
        Self {
            entries: entries.collect(),
            metadata: HashMap::new(),
            file: None,
        }
    }
}
