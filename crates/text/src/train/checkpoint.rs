//! A training's files.
//!
//! `last.safetensors` is a generation: the model, the rest of the training's state, and in its header the history and which epoch is
//! the best. The weights of that epoch lie in a file of their own, `best-0007.safetensors`, which is there before a generation names
//! it and stays as long as one does. So one rename makes all of it visible together. `best.safetensors`, `history.json` and
//! `history.csv` are for people: they follow from the generation and are written after it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lexigrad_nn::{ModuleState, StateDict};
use lexigrad_tensor::{Element, Module, Visitor};
use serde::{Deserialize, Serialize};

use super::history::{History, Record};
use super::monitor::Monitor;
use crate::error::{Error, Place, Result};
use crate::object;
use crate::save::write_whole;

/// The text in the header of a file in which a generation, or a best epoch, says what it is; the last part is the version.
const HEADER: &str = "training.v1";

/// The folder that a training writes to.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The epoch whose weights have been written as the best.
    written_best: Option<usize>,
}

/// The weights of the best epoch.
#[derive(Clone, Debug)]
pub(super) struct Best<T: Element> {
    /// Counted from 0.
    pub(super) epoch: usize,
    pub(super) weights: StateDict<T>,
}

/// What a generation says of itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(bound(deserialize = "H: Deserialize<'de>"))]
struct Generation<H> {
    #[serde(deserialize_with = "object::one")]
    history: H,
    /// Counted from 1.
    best: Option<usize>,
}

/// What the file of a best epoch says of itself. The record holds how long the epoch took, so no other training has the same one.
#[derive(Serialize)]
struct BestEpoch<'a> {
    /// Counted from 1.
    epoch: usize,
    record: &'a Record,
}

/// All that changes in a training.
struct Everything<'a, M: ?Sized, S: ?Sized> {
    model: &'a M,
    state: &'a S,
}

impl<M: Module<T> + ?Sized, S: Module<T> + ?Sized, T: Element> Module<T> for Everything<'_, M, S> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.field("model", self.model);
        visitor.field("training", self.state);
    }
}

impl Folder {
    pub(super) fn create(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(|cause| Error::io(path, cause))?;
        Ok(Self {
            path: path.to_owned(),
            written_best: None,
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the weights of a best epoch lie.
    fn best_file(&self, epoch: usize) -> PathBuf {
        self.file(&format!("best-{:04}.safetensors", epoch + 1))
    }

    /// Writes the next generation. After an error the one before is there, or the next one; what is missing beside it, the next call
    /// writes.
    pub(super) fn save<T: Element>(
        &mut self,
        model: &(impl Module<T> + ?Sized),
        state: &(impl Module<T> + ?Sized),
        history: &History,
        best: Option<&Best<T>>,
    ) -> Result<()> {
        let path = self.file("last.safetensors");
        let everything = Everything { model, state };
        let last = everything.state_dict();
        // What could not be loaded again must not take the place of what can.
        let unsaved = |path: &Path, error: lexigrad_tensor::Error| {
            let reason = format!("not saved: {}", error.kind());
            Error::format(path.display().to_string(), Place::Whole, reason)
        };
        let checked = everything.check_state_dict(&last);
        checked.map_err(|error| unsaved(&path, error))?;
        let new_best = best.filter(|best| self.written_best != Some(best.epoch));
        if let Some(best) = new_best {
            let checked = model.check_state_dict(&best.weights);
            checked.map_err(|error| unsaved(&self.best_file(best.epoch), error))?;
            let text = describe_best(best.epoch, history)?;
            let weights = best.weights.clone().with_metadata(HEADER, text);
            weights.save(self.best_file(best.epoch))?;
        }
        let best = best.map(|best| best.epoch);
        let text = to_json(&Generation {
            history,
            best: best.map(|epoch| epoch + 1),
        })?;
        last.with_metadata(HEADER, text).save(path)?;
        self.write_for_people(history, best.filter(|_| new_best.is_some()))?;
        let earlier = std::mem::replace(&mut self.written_best, best);
        if let Some(earlier) = earlier.filter(|_| earlier != best) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(self.best_file(earlier));
        }
        Ok(())
    }

    /// Puts the last generation into the model and the rest, and returns its history and best epoch; `None` if there is none.
    /// After an error the model is as it was.
    pub(super) fn resume<T: Element>(
        &mut self,
        model: &(impl Module<T> + ?Sized),
        state: &(impl Module<T> + ?Sized),
        monitor: Option<&Monitor>,
    ) -> Result<Option<(History, Option<Best<T>>)>> {
        let path = self.file("last.safetensors");
        if !path.try_exists().map_err(|cause| Error::io(&path, cause))? {
            return Ok(None);
        }
        let fail = |reason| Error::format(path.display().to_string(), Place::Whole, reason);
        let saved = StateDict::<T>::load(&path)?;
        let Generation { history, best } = read_generation(&saved).map_err(fail)?;
        if let Some(monitor) = monitor {
            check_monitor(monitor, &history, best).map_err(fail)?;
        }
        let everything = Everything { model, state };
        everything.check_state_dict(&saved)?;
        let best = match best {
            Some(epoch) => Some(self.load_best(epoch - 1, &history, model)?),
            None => None,
        };
        everything.load_state_dict(&saved)?;
        self.written_best = best.as_ref().map(|best| best.epoch);
        let copied = StateDict::<T>::load(self.file("best.safetensors")).ok();
        let text = copied.as_ref().and_then(|copied| copied.metadata(HEADER));
        let uncopied = best.as_ref();
        let uncopied = uncopied.filter(|best| best.weights.metadata(HEADER) != text);
        // A training can resume from a read-only folder. If it has more epochs, the next save says what cannot be written.
        let _ = self.write_for_people(&history, uncopied.map(|best| best.epoch));
        self.remove_other_best(self.written_best);
        Ok(Some((history, best)))
    }

    /// The weights of the epoch that a generation names as the best.
    fn load_best<T: Element>(
        &self,
        epoch: usize,
        history: &History,
        model: &(impl Module<T> + ?Sized),
    ) -> Result<Best<T>> {
        let path = self.best_file(epoch);
        let fail = |what: String| {
            let rule = "put the file back, or name another folder to begin anew";
            let reason = format!("{what}, but last.safetensors names it as the best epoch; {rule}");
            Error::format(path.display().to_string(), Place::Whole, reason)
        };
        if !path.try_exists().map_err(|cause| Error::io(&path, cause))? {
            return Err(fail("no such file".to_owned()));
        }
        let weights = StateDict::<T>::load(&path)?;
        if weights.metadata(HEADER) != Some(&describe_best(epoch, history)?) {
            return Err(fail("the weights of another training".to_owned()));
        }
        model
            .check_state_dict(&weights)
            .map_err(|error| fail(error.kind().to_string()))?;
        Ok(Best { epoch, weights })
    }

    /// Writes the files that follow from a generation and differ from what is there; `best` is given if its copy is to be written.
    fn write_for_people(&self, history: &History, best: Option<usize>) -> Result<()> {
        if let Some(epoch) = best {
            write_whole(&self.file("best.safetensors"), |file| {
                io::copy(&mut File::open(self.best_file(epoch))?, file).map(drop)
            })?;
        }
        let texts = [
            ("history.json", history.to_json()?),
            ("history.csv", history.to_csv()),
        ];
        for (name, text) in texts {
            let path = self.file(name);
            if fs::read(&path).is_ok_and(|found| found == text.as_bytes()) {
                continue;
            }
            write_whole(&path, |file| file.write_all(text.as_bytes()))?;
        }
        Ok(())
    }

    /// Removes the weights of every epoch but `best`, which a killed training has left: no generation names them.
    fn remove_other_best(&self, best: Option<usize>) {
        let kept = best.map(|epoch| self.best_file(epoch));
        // What cannot be removed is in nobody's way.
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            let number = name.strip_prefix("best-");
            let number = number.and_then(|name| name.strip_suffix(".safetensors"));
            let is_best = number.is_some_and(|number| number.parse::<usize>().is_ok());
            if is_best && kept.as_ref() != Some(&path) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|cause| Error::argument("training", cause.to_string()))
}

fn describe_best(epoch: usize, history: &History) -> Result<String> {
    let record = &history.epochs()[epoch];
    let epoch = epoch + 1;
    to_json(&BestEpoch { epoch, record })
}

fn read_generation<T: Element>(saved: &StateDict<T>) -> Result<Generation<History>, String> {
    let Some(text) = saved.metadata(HEADER) else {
        let rule = "name another folder to begin anew";
        return Err(format!(
            "no {HEADER} in the header, so no checkpoint; {rule}"
        ));
    };
    let generation: Generation<History> =
        object::from_json(text).map_err(|cause| format!("{HEADER} in the header: {cause}"))?;
    let epochs = generation.history.epochs().len();
    match generation.best {
        Some(best) if !(1..=epochs).contains(&best) => Err(format!(
            "{HEADER} in the header: epoch {best} is the best of {epochs}"
        )),
        _ => Ok(generation),
    }
}

/// Only the weights of the epoch that was the best are there.
fn check_monitor(monitor: &Monitor, history: &History, best: Option<usize>) -> Result<(), String> {
    let wanted = history.best(monitor).map(|(epoch, _)| epoch + 1);
    if wanted == best {
        return Ok(());
    }
    let name = |epoch: Option<usize>| match epoch {
        Some(epoch) => format!("epoch {epoch}"),
        None => "no epoch".to_owned(),
    };
    let (metric, wanted, best) = (&monitor.metric, name(wanted), name(best));
    let rule = "monitor what was monitored, or name another folder to begin anew";
    Err(format!(
        "by {metric:?} {wanted} is the best, but the weights of {best} were kept; {rule}"
    ))
}
