//! Epochs for a loop of one's own.

use std::path::PathBuf;

use lexigrad_nn::ModuleState;
use lexigrad_tensor::{Element, Module, set_seed};

use super::checkpoint::{Best, Folder};
use super::epoch::Epoch;
use super::history::History;
use super::monitor::Monitor;
use crate::error::{Error, Result};

/// How long to train, what decides, what is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingOptions {
    /// The most epochs.
    pub epochs: usize,
    /// From it follows the randomness of each epoch: its generator's, and that of the tapes made in it.
    pub seed: u64,
    /// The metric by which an epoch is the best so far.
    pub monitor: Option<Monitor>,
    /// Stop after so many epochs without a better one; never, if `None`.
    pub patience: Option<usize>,
    /// Save there after every epoch, and go on from what is there.
    ///
    /// `last.safetensors` has the model, the rest of the training's state and the history; it and `best-0007.safetensors`, the weights
    /// of the best epoch, are what a training goes on from. They change together: a training that is killed at any moment goes on
    /// from the last epoch that was saved. `best.safetensors`, a copy, and `history.json` and `history.csv` are for people; they are
    /// written afterwards. Without `last.safetensors` a training begins anew and overwrites the rest. One training at a time may use the
    /// folder: other files named `best-`, a number, `.safetensors` are removed.
    pub folder: Option<PathBuf>,
    /// Whether progress bars are shown.
    pub progress: bool,
}

impl Default for TrainingOptions {
    /// Ten epochs, nothing monitored, nothing written.
    fn default() -> Self {
        Self {
            epochs: 10,
            seed: 1,
            monitor: None,
            patience: None,
            folder: None,
            progress: false,
        }
    }
}

/// Hands out epochs, and after each keeps its numbers, the last state and the best.
///
/// The loop, the steps and the evaluation are the user's. Each epoch sets this thread's [`set_seed`], so that tapes made in it
/// follow from the seed and the epoch: a training that was stopped between two epochs goes on to the same bits.
///
/// ```
/// use lexigrad_nn::{Linear, Reduction, mse};
/// use lexigrad_optim::{Build, Sgd};
/// use lexigrad_tensor::{Tape, Tensor};
/// use lexigrad_text::train::{Monitor, Training, TrainingOptions};
/// use rand::{SeedableRng, rngs::StdRng};
///
/// let model = Linear::new(1, 1, &mut StdRng::seed_from_u64(1));
/// let mut optimizer = Sgd::new(0.1).build(&model);
/// let (x, y) = (Tensor::new([[1.0], [2.0]]), Tensor::new([[2.0], [4.0]]));
///
/// let options = TrainingOptions { epochs: 50, monitor: Some(Monitor::lowest("loss")), ..Default::default() };
/// let mut training = Training::start(options, &model, &optimizer)?;
/// while let Some(mut epoch) = training.next_epoch() {
///     let tape = Tape::new();
///     let loss = mse(&model.forward(&x)?, &y, Reduction::Mean)?;
///     optimizer.step(&tape.backward(&loss)?)?;
///     epoch.record("loss", loss.item()?);
///     training.finish(epoch, &model, &optimizer)?;
/// }
/// let losses = training.history().series("loss");
/// assert!(losses[49] < 0.1 * losses[0]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Training<T: Element = f32> {
    options: TrainingOptions,
    folder: Option<Folder>,
    history: History,
    best: Option<Best<T>>,
    is_over: bool,
}

impl<T: Element> Training<T> {
    /// Begins, or goes on from the last epoch that the options' folder holds: then the model and `state`, whatever else
    /// changes in the training (the optimizer; a tuple of it and a weight average), are put back as they were.
    ///
    /// # Errors
    /// If there is a patience and nothing monitored, or the folder cannot be made or holds something else: the state of another model,
    /// a best epoch that is another by what is monitored now, or not the weights of the best epoch. Then the model is as it was.
    pub fn start(
        options: TrainingOptions,
        model: &(impl Module<T> + ?Sized),
        state: &(impl Module<T> + ?Sized),
    ) -> Result<Self> {
        if options.patience.is_some() && options.monitor.is_none() {
            let reason = "a patience needs a metric to monitor";
            return Err(Error::argument("training", reason));
        }
        let mut folder = options.folder.as_deref().map(Folder::create).transpose()?;
        let found = match &mut folder {
            Some(folder) => folder.resume(model, state, options.monitor.as_ref())?,
            None => None,
        };
        let (history, best) = found.unwrap_or_default();
        let mut training = Self {
            options,
            folder,
            history,
            best,
            is_over: false,
        };
        training.is_over = training.is_patience_over();
        Ok(training)
    }

    /// The next epoch; `None` when all are done, or the training has stopped.
    pub fn next_epoch(&mut self) -> Option<Epoch> {
        let index = self.history.epochs().len();
        if self.is_over || index >= self.options.epochs {
            return None;
        }
        // Far apart, because a seed is counted up by the tapes of an epoch.
        let seed = self.options.seed.wrapping_add((index as u64 + 1) << 32);
        set_seed(seed);
        let (epochs, progress) = (self.options.epochs, self.options.progress);
        Some(Epoch::new(index, epochs, seed, progress))
    }

    /// Writes the epoch down, keeps the model if it is the best so far, and saves. Returns whether it is the best.
    ///
    /// # Errors
    /// If the monitored metric was not recorded, or a file cannot be written. In the latter case the epoch counts: the training may go
    /// on, and the next call writes what is missing; or it starts again from the last epoch that was saved.
    pub fn finish(
        &mut self,
        epoch: Epoch,
        model: &(impl Module<T> + ?Sized),
        state: &(impl Module<T> + ?Sized),
    ) -> Result<bool> {
        let asked_to_stop = epoch.is_last();
        let record = epoch.into_record();
        if let Some(monitor) = &self.options.monitor
            && record.get(&monitor.metric).is_none()
        {
            let names: Vec<&str> = record
                .metrics
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            let reason = format!("no {:?} was recorded, only {names:?}", monitor.metric);
            return Err(Error::argument("training", reason));
        }
        self.history.push(record);
        let index = self.history.epochs().len() - 1;
        let monitor = self.options.monitor.as_ref();
        let best = monitor.and_then(|monitor| self.history.best(monitor));
        let is_best = best.is_some_and(|(best, _)| best == index);
        if is_best {
            let (epoch, weights) = (index, model.state_dict());
            self.best = Some(Best { epoch, weights });
        }
        self.is_over = asked_to_stop || self.is_patience_over();
        if let Some(folder) = &mut self.folder {
            folder.save(model, state, &self.history, self.best.as_ref())?;
        }
        Ok(is_best)
    }

    fn is_patience_over(&self) -> bool {
        let (Some(patience), Some(monitor)) = (self.options.patience, &self.options.monitor) else {
            return false;
        };
        let best = self.history.best(monitor).map_or(0, |(best, _)| best + 1);
        self.history.epochs().len() >= best + patience.max(1)
    }

    /// Puts the best epoch's weights into the model; leaves it as it is if nothing was monitored.
    ///
    /// # Errors
    /// If it is not the model that was trained.
    pub fn restore_best(&self, model: &(impl Module<T> + ?Sized)) -> Result<()> {
        match &self.best {
            Some(best) => Ok(model.load_state_dict(&best.weights)?),
            None => Ok(()),
        }
    }

    /// What was seen so far.
    pub fn history(&self) -> &History {
        &self.history
    }
}
