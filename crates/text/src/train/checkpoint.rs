//! A training's files: `last.safetensors`, `best.safetensors`, `history.json`, `history.csv`.

use std::path::{Path, PathBuf};

use lexigrad_nn::{ModuleState, StateDict};
use lexigrad_tensor::{Buffer, Element, Module, Tensor, Visitor};

use super::history::History;
use crate::error::{Error, Place, Result};

/// The folder that a training writes to.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// All that changes in a training, in one file.
struct Everything<'a, M: ?Sized, S: ?Sized, T: Element> {
    model: &'a M,
    state: &'a S,
    /// How many epochs are done.
    epochs: Buffer<T>,
}

impl<M: Module<T> + ?Sized, S: Module<T> + ?Sized, T: Element> Module<T>
    for Everything<'_, M, S, T>
{
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.field("model", self.model);
        visitor.field("training", self.state);
        visitor.field("epochs", &self.epochs);
    }
}

impl Folder {
    pub(super) fn create(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).map_err(|cause| Error::io(path, cause))?;
        Ok(Self(path.to_owned()))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes the epochs so far. The history comes first: one that has more epochs than the state can be cut, not the other way.
    pub(super) fn save_last<T: Element>(
        &self,
        model: &(impl Module<T> + ?Sized),
        state: &(impl Module<T> + ?Sized),
        history: &History,
    ) -> Result<()> {
        history.save(self.file("history.json"))?;
        history.save_csv(self.file("history.csv"))?;
        let epochs = Buffer::new(Tensor::full(
            [1],
            T::from_f64(history.epochs().len() as f64),
        ));
        let everything = Everything {
            model,
            state,
            epochs,
        };
        Ok(everything.save(self.file("last.safetensors"))?)
    }

    pub(super) fn save_best<T: Element>(&self, model: &(impl Module<T> + ?Sized)) -> Result<()> {
        Ok(model.save(self.file("best.safetensors"))?)
    }

    /// The best model so far, if there is one.
    pub(super) fn load_best<T: Element>(&self) -> Result<Option<StateDict<T>>> {
        let path = self.file("best.safetensors");
        Ok(if path.exists() {
            Some(StateDict::load(path)?)
        } else {
            None
        })
    }

    /// Puts the last saved state into the model and the rest, and returns the history up to there; `None` if there is none.
    /// After an error the model is as it was.
    pub(super) fn resume<T: Element>(
        &self,
        model: &(impl Module<T> + ?Sized),
        state: &(impl Module<T> + ?Sized),
    ) -> Result<Option<History>> {
        let path = self.file("last.safetensors");
        if !path.exists() {
            return Ok(None);
        }
        let mut history = History::load(self.file("history.json"))?;
        let saved = StateDict::<T>::load(&path)?;
        let epochs = saved.get("epochs").and_then(|epochs| epochs.item().ok());
        let epochs = epochs.map_or(0, |epochs| epochs.as_f64() as usize);
        if epochs > history.epochs().len() {
            let known = history.epochs().len();
            let reason = format!("{known} epochs; the state beside it is after {epochs}");
            let name = self.file("history.json").display().to_string();
            return Err(Error::format(name, Place::Whole, reason));
        }
        let epochs_place = Buffer::new(Tensor::zeros([1]));
        let everything = Everything {
            model,
            state,
            epochs: epochs_place,
        };
        everything.load_state_dict(&saved)?;
        history.truncate(epochs);
        Ok(Some(history))
    }
}
