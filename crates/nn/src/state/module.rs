//! The state of a model: what it is made of, by path.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use lexigrad_tensor::{
    Buffer, Element, Entry, Error, ErrorKind, Module, Param, Result, Shape, Tensor, Visitor,
};

use super::StateDict;

/// What holds a value in a model.
enum Place<T: Element> {
    Param(Param<T>),
    Buffer(Buffer<T>),
}

impl<T: Element> Place<T> {
    fn value(&self) -> Tensor<T> {
        match self {
            Self::Param(param) => param.value().constant(),
            Self::Buffer(buffer) => buffer.value(),
        }
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Param(param) => param.shape(),
            Self::Buffer(buffer) => buffer.value().shape().clone(),
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

/// What became of each name when a state dict was loaded in part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Names that were loaded.
    pub matched: Vec<String>,
    /// Names that the model has and the state dict lacks.
    pub missing: Vec<String>,
    /// Names that the state dict has and the model lacks.
    pub unexpected: Vec<String>,
    /// Names whose shapes differ: name, shape in the model, shape in the state dict.
    pub misshapen: Vec<(String, Shape, Shape)>,
}

impl LoadReport {
    fn new<T: Element>(places: &[(String, Place<T>)], state: &StateDict<T>) -> Self {
        let given: HashMap<&str, &Tensor<T>> = state.iter().collect();
        let names: HashSet<&str> = places.iter().map(|(path, _)| path.as_str()).collect();
        let mut report = Self::default();
        for (path, place) in places {
            let own = place.shape();
            match given.get(path.as_str()) {
                None => report.missing.push(path.clone()),
                Some(value) if *value.shape() != own => {
                    let misshapen = (path.clone(), own, value.shape().clone());
                    report.misshapen.push(misshapen);
                }
                Some(_) => report.matched.push(path.clone()),
            }
        }
        let unexpected = state.iter().map(|(name, _)| name);
        let unexpected = unexpected.filter(|name| !names.contains(name));
        report.unexpected = unexpected.map(str::to_owned).collect();
        report
    }

    /// Whether every name of either was loaded.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

/// Sets what was matched.
fn set<T: Element>(
    places: &[(String, Place<T>)],
    state: &StateDict<T>,
    found: &LoadReport,
) -> Result<()> {
    let given: HashMap<&str, &Tensor<T>> = state.iter().collect();
    let matched: HashSet<&str> = found.matched.iter().map(String::as_str).collect();
    for (path, place) in places {
        if let Some(value) = given
            .get(path.as_str())
            .filter(|_| matched.contains(path.as_str()))
        {
            place.set(value)?;
        }
    }
    Ok(())
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
        let found = LoadReport::new(&places, state);
        if !found.is_complete() {
            let kind = ErrorKind::StateDict {
                missing: found.missing,
                unexpected: found.unexpected,
                misshapen: found.misshapen,
            };
            return Err(Error::new("load_state_dict", kind));
        }
        set(&places, state, &found)
    }

    /// Sets those parameters and buffers that `state` has a value of the right shape for, and says what it did with each.
    ///
    /// ```
    /// use lexigrad_nn::{Linear, LinearConfig, ModuleState};
    /// use rand::{SeedableRng, rngs::StdRng};
    /// let mut rng = StdRng::seed_from_u64(1);
    /// let wide: Linear = Linear::new(3, 2, &mut rng);
    /// let report = wide.load_partial(&Linear::new(4, 2, &mut rng).state_dict())?;
    /// assert_eq!((report.matched, report.misshapen.len()), (vec!["bias".to_owned()], 1));
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// PyTorch: `load_state_dict(strict=False)`, which still refuses tensors of another shape.
    ///
    /// # Errors
    /// None on a state dict that was made whole; what does not fit is in the report.
    fn load_partial(&self, state: &StateDict<T>) -> Result<LoadReport> {
        let places = places(self);
        let found = LoadReport::new(&places, state);
        set(&places, state, &found)?;
        Ok(found)
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
