//! The state of a model: its tensors by name, in memory and in a safetensors file.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;

use lexigrad_tensor::{
    Buffer, Element, Entry, Error, ErrorKind, Module, Param, Result, Shape, Tensor, Visitor,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};

/// Tensors by name, in order.
///
/// PyTorch: a state dict; a safetensors file written from one loads as it is.
#[derive(Clone, Debug, Default)]
pub struct StateDict<T: Element = f32>(Vec<(String, Tensor<T>)>);

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

    /// Writes a safetensors file: to a temporary file beside it, which then takes its place.
    ///
    /// # Errors
    /// If writing fails; then a file that was there is as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let fail = |reason: &dyn std::fmt::Display| file_error("save", path, reason);
        let tensors = self.0.iter().map(|(name, tensor)| (name, Stored(tensor)));
        let bytes = safetensors::serialize(tensors, None).map_err(|error| fail(&error))?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .map_err(|error| fail(&error))?;
        file.write_all(&bytes).map_err(|error| fail(&error))?;
        file.as_file().sync_all().map_err(|error| fail(&error))?;
        file.persist(path).map_err(|error| fail(&error.error))?;
        Ok(())
    }

    /// Reads a safetensors file of `f32` or `f64`, converting if it holds the other.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file or is cut short, or holds another type of numbers.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |reason: &dyn std::fmt::Display| file_error("load", path, reason);
        let bytes = std::fs::read(path).map_err(|error| fail(&error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fail(&error))?;
        let mut tensors = Vec::new();
        for (name, view) in file.tensors() {
            let tensor = read(&view).ok_or_else(|| {
                let message = format!(
                    "tensor {name} holds {:?}; F32 and F64 are read",
                    view.dtype()
                );
                fail(&message)
            })?;
            tensors.push((name, tensor));
        }
        Ok(Self(tensors))
    }
}

impl<T: Element> FromIterator<(String, Tensor<T>)> for StateDict<T> {
    fn from_iter<I: IntoIterator<Item = (String, Tensor<T>)>>(tensors: I) -> Self {
        Self(tensors.into_iter().collect())
    }
}

fn file_error(operation: &str, path: &Path, reason: &dyn std::fmt::Display) -> Error {
    let kind = ErrorKind::File {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    Error::new(operation, kind)
}

/// A tensor as safetensors writes it.
struct Stored<'a, T: Element>(&'a Tensor<T>);

impl<T: Element> View for Stored<'_, T> {
    fn dtype(&self) -> Dtype {
        if size_of::<T>() == 4 {
            Dtype::F32
        } else {
            Dtype::F64
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.0.values();
        let wide = values.iter().map(|value| value.as_f64());
        match self.dtype() {
            Dtype::F32 => wide
                .flat_map(|value| (value as f32).to_le_bytes())
                .collect(),
            _ => wide.flat_map(f64::to_le_bytes).collect(),
        }
    }

    fn data_len(&self) -> usize {
        self.0.elements() * size_of::<T>()
    }
}

/// The tensor of a view; `None` if it does not hold `f32` or `f64`.
fn read<T: Element>(view: &TensorView<'_>) -> Option<Tensor<T>> {
    let values: Vec<T> = match view.dtype() {
        Dtype::F32 => {
            let (numbers, _) = view.data().as_chunks::<4>();
            let wide = numbers
                .iter()
                .map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
            wide.map(T::from_f64).collect()
        }
        Dtype::F64 => {
            let (numbers, _) = view.data().as_chunks::<8>();
            numbers
                .iter()
                .map(|bytes| T::from_f64(f64::from_le_bytes(*bytes)))
                .collect()
        }
        _ => return None,
    };
    Tensor::from_slice(&values, view.shape()).ok()
}

/// What holds a value in a model.
enum Place<T: Element> {
    Param(Param<T>),
    Buffer(Buffer<T>),
}

impl<T: Element> Place<T> {
    fn value(&self) -> Tensor<T> {
        match self {
            Self::Param(param) => param.value().detach(),
            Self::Buffer(buffer) => buffer.value(),
        }
    }

    fn set(&self, value: &Tensor<T>) -> Result<()> {
        match self {
            Self::Param(param) => param.set(value),
            Self::Buffer(buffer) => buffer.set(value),
        }
    }
}

fn places<T: Element>(model: &(impl Module<T> + ?Sized)) -> Vec<(String, Place<T>)> {
    let mut found = Vec::new();
    let mut see = |path: &str, entry: Entry<'_, T>| {
        let place = match entry {
            Entry::Param(param) => Place::Param(param.clone()),
            Entry::Buffer(buffer) => Place::Buffer(buffer.clone()),
        };
        found.push((path.to_owned(), place));
    };
    model.visit(&mut Visitor::new(&mut see));
    found
}

/// Saving and loading, for every [`Module`].
///
/// ```
/// use lexigrad_nn::{Linear, ModuleState};
/// use rand::{SeedableRng, rngs::StdRng};
/// let mut rng = StdRng::seed_from_u64(1);
/// let (trained, fresh) = (Linear::new(3, 2, &mut rng), Linear::new(3, 2, &mut rng));
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("linear.safetensors");
/// trained.save(&path)?;
/// fresh.load(&path)?;
/// assert_eq!(fresh.weight.value().to_vec(), trained.weight.value().to_vec());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
pub trait ModuleState<T: Element = f32>: Module<T> {
    /// Every parameter and buffer by its path, in declaration order; the values at this moment.
    fn state_dict(&self) -> StateDict<T> {
        let places = places(self).into_iter();
        places.map(|(path, place)| (path, place.value())).collect()
    }

    /// Sets every parameter and buffer to the value under its path.
    ///
    /// # Errors
    /// If a name is missing or unexpected or a shape differs, all of them listed; then the model is as it was.
    fn load_state_dict(&self, state: &StateDict<T>) -> Result<()> {
        let places = places(self);
        let given: HashMap<&str, &Tensor<T>> = state.iter().collect();
        let names: HashSet<&str> = places.iter().map(|(path, _)| path.as_str()).collect();
        let mut missing = Vec::new();
        let mut misshapen: Vec<(String, Shape, Shape)> = Vec::new();
        for (path, place) in &places {
            let own = place.value();
            match given.get(path.as_str()) {
                None => missing.push(path.clone()),
                Some(value) if value.shape() != own.shape() => {
                    misshapen.push((path.clone(), own.shape().clone(), value.shape().clone()));
                }
                Some(_) => {}
            }
        }
        let unexpected: Vec<String> = state
            .iter()
            .filter(|(name, _)| !names.contains(name))
            .map(|(name, _)| name.to_owned())
            .collect();
        if !(missing.is_empty() && unexpected.is_empty() && misshapen.is_empty()) {
            let kind = ErrorKind::StateDict {
                missing,
                unexpected,
                misshapen,
            };
            return Err(Error::new("load_state_dict", kind));
        }
        for (path, place) in &places {
            if let Some(value) = given.get(path.as_str()) {
                place.set(value)?;
            }
        }
        Ok(())
    }

    /// Writes the state dict to a safetensors file; see [`StateDict::save`].
    ///
    /// # Errors
    /// If writing fails; then a file that was there is as it was.
    fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.state_dict().save(path)
    }

    /// Reads the state dict from a safetensors file; see [`StateDict::load`] and [`load_state_dict`](Self::load_state_dict).
    ///
    /// # Errors
    /// If reading fails or the names or shapes do not fit; then the model is as it was.
    fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        self.load_state_dict(&StateDict::load(path)?)
    }
}

impl<T: Element, M: Module<T> + ?Sized> ModuleState<T> for M {}
