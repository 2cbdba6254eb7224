//! The state of a model: what it is made of, by path.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use lexigrad_tensor::{
    Buffer, Domain, Element, Entry, Error, ErrorKind, Module, Param, Result, Shape, Tensor, Visitor,
};
use safetensors::Dtype;

use super::StateDict;
use super::dict::Named;

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
            Self::Buffer(buffer) => buffer.shape(),
        }
    }

    fn fits(&self, shape: &Shape) -> bool {
        match self {
            Self::Param(param) => param.shape() == *shape,
            Self::Buffer(buffer) => buffer.fits(shape),
        }
    }

    /// Whether this value, of the right shape, may be loaded; if not, what it holds and the rule.
    fn check(&self, value: &Tensor<T>, foreign_type: Option<Dtype>) -> Result<(), String> {
        let takes_integers = match self {
            Self::Param(_) => false,
            Self::Buffer(buffer) => buffer.takes_integers(),
        };
        if let Some(dtype) = foreign_type.filter(|_| !takes_integers) {
            let rule = "it must be F64, F32, F16 or BF16";
            return Err(format!("is stored as {dtype}; {rule}"));
        }
        match self {
            Self::Param(_) => Domain::Finite.check(value),
            Self::Buffer(buffer) => buffer.check(value),
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
    /// Names whose numbers cannot stand in the model, and why: they are not finite, or of another type.
    pub refused: Vec<(String, String)>,
    /// Those of the unexpected names whose numbers are no floats in the file: name and type.
    pub foreign: Vec<(String, String)>,
}

impl LoadReport {
    fn new<T: Element>(places: &[(String, Place<T>)], state: &StateDict<T>) -> Self {
        let mut given: HashMap<&str, Vec<&Named<T>>> = HashMap::new();
        for entry in &state.entries {
            given.entry(&entry.name).or_default().push(entry);
        }
        let names: HashSet<&str> = places.iter().map(|(path, _)| path.as_str()).collect();
        let mut report = Self::default();
        for (path, place) in places {
            match given.get(path.as_str()).map(Vec::as_slice) {
                None => report.missing.push(path.clone()),
                Some([entry]) => report.judge(path, place, entry),
                Some(_) => report.refuse(path, "stands twice".to_owned()),
            }
        }
        let unexpected = state.entries.iter();
        for entry in unexpected.filter(|entry| !names.contains(entry.name.as_str())) {
            report.unexpected.push(entry.name.clone());
            if let Some(dtype) = entry.foreign_type() {
                report.foreign.push((entry.name.clone(), dtype.to_string()));
            }
        }
        report
    }

    /// Says whether the entry can stand at the place with its name.
    fn judge<T: Element>(&mut self, path: &str, place: &Place<T>, entry: &Named<T>) {
        let value = match &entry.value {
            Ok(value) => value,
            Err(reason) => return self.refuse(path, reason.clone()),
        };
        if !place.fits(value.shape()) {
            let (own, given) = (place.shape(), value.shape().clone());
            return self.misshapen.push((path.to_owned(), own, given));
        }
        match place.check(value, entry.foreign_type()) {
            Ok(()) => self.matched.push(path.to_owned()),
            Err(reason) => self.refuse(path, reason),
        }
    }

    fn refuse(&mut self, path: &str, reason: String) {
        self.refused.push((path.to_owned(), reason));
    }

    /// Whether every name of either was loaded.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
            && self.unexpected.is_empty()
            && self.misshapen.is_empty()
            && self.refused.is_empty()
    }

    /// The same as an error.
    fn into_error(self, file: Option<&String>) -> Error {
        let types: HashMap<String, String> = self.foreign.into_iter().collect();
        let with_type = |name: String| match types.get(&name) {
            Some(dtype) => format!("{name} ({dtype})"),
            None => name,
        };
        let kind = ErrorKind::StateDict {
            missing: self.missing,
            unexpected: self.unexpected.into_iter().map(with_type).collect(),
            misshapen: self.misshapen,
            refused: self.refused,
            file: file.cloned(),
        };
        Error::new("load_state_dict", kind)
    }
}

/// What is found for the places, if that is everything and nothing else.
fn complete<T: Element>(places: &[(String, Place<T>)], state: &StateDict<T>) -> Result<LoadReport> {
    let found = LoadReport::new(places, state);
    if found.is_complete() {
        Ok(found)
    } else {
        Err(found.into_error(state.file.as_ref()))
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
    /// Parameters must be finite and stored as floats. A buffer states what it takes ([`Buffer::of`]); those of an optimizer do so for
    /// steps, rates and squares. To load other numbers, collect a [`StateDict`] in which they are mended, or set the parameter itself.
    ///
    /// # Errors
    /// If a name is missing or unexpected, a shape differs, or a number or a type cannot stand there; then the model is as it was. The
    /// message lists the first twenty of each, the [`ErrorKind`] all.
    fn load_state_dict(&self, state: &StateDict<T>) -> Result<()> {
        let places = places(self);
        let found = complete(&places, state)?;
        set(&places, state, &found)
    }

    /// Whether [`load_state_dict`](Self::load_state_dict) would take `state`; changes nothing.
    ///
    /// # Errors
    /// As there.
    fn check_state_dict(&self, state: &StateDict<T>) -> Result<()> {
        complete(&places(self), state).map(drop)
    }

    /// Sets those parameters and buffers that `state` has a value for, of the right shape and with numbers that can stand there, and says
    /// what it did with each.
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
    /// If reading fails or the names, shapes or numbers do not fit; then the model is as it was.
    fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        self.load_state_dict(&StateDict::load(path)?)
    }
}

impl<T: Element, M: Module<T> + ?Sized> ModuleState<T> for M {}
