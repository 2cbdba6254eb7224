//! The plain training loop.

use lexigrad_optim::{Optimizer, Rule};
use lexigrad_tensor::{Element, Module, Tape, Tensor};

use super::epoch::Epoch;
use super::history::History;
use super::training::{Training, TrainingOptions};
use crate::error::{Error, Result};
use crate::statistics::Mean;

/// Trains: each epoch a step for each of `batches(epoch)`, on the gradient of `loss(batch)`; then `evaluate(epoch)`, which records
/// what it finds and may [`stop`](Epoch::stop). At the end the model has the weights of the best epoch, if a metric is monitored.
///
/// The mean of the batches' losses is recorded as `train loss`. It is [`Training`] with the loop written out; where that does not
/// fit (schedules, clipping, shards on threads), write it yourself.
///
/// ```
/// use lexigrad_nn::{Embedding, cross_entropy};
/// use lexigrad_optim::{Adam, Build};
/// use lexigrad_tensor::Ids;
/// use lexigrad_text::{batch, train::{TrainingOptions, fit}};
/// use rand::{SeedableRng, rngs::StdRng};
///
/// let (words, labels) = ([0_u32, 1, 2, 3], [0_u32, 1, 0, 1]);
/// let model = Embedding::new(4, 2, &mut StdRng::seed_from_u64(1));
/// let mut optimizer = Adam::new(0.1).build(&model);
/// let gather = |from: &[u32], batch: &Vec<usize>| Ids::new(batch.iter().map(|&i| from[i]).collect::<Vec<_>>());
/// let history = fit(
///     TrainingOptions { epochs: 20, ..Default::default() },
///     &model,
///     &mut optimizer,
///     |epoch| batch::shuffled(4, 2, &mut epoch.rng()),
///     |batch| Ok(cross_entropy(&model.forward(&gather(&words, batch)?)?, &gather(&labels, batch)?)?),
///     |epoch| Ok(epoch.record("done", 1.0)),
/// )?;
/// assert!(history.series("train loss")[19] < 0.3);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
///
/// # Errors
/// If a batch's loss or a gradient of it is not finite. Then no parameter and no state of the optimizer has moved; what a forward pass
/// moves, such as running statistics, has. Else what a closure or [`Training`] returns.
pub fn fit<T: Element, R: Rule<T>, B: IntoIterator>(
    options: TrainingOptions,
    model: &(impl Module<T> + ?Sized),
    optimizer: &mut Optimizer<R, T>,
    mut batches: impl FnMut(&mut Epoch) -> B,
    mut loss: impl FnMut(&B::Item) -> Result<Tensor<T>>,
    mut evaluate: impl FnMut(&mut Epoch) -> Result<()>,
) -> Result<History> {
    let mut training = Training::start(options, model, optimizer)?;
    while let Some(mut epoch) = training.next_epoch() {
        let mut losses = Mean::default();
        let items = batches(&mut epoch);
        for (index, batch) in epoch.progress(items).enumerate() {
            let tape = Tape::new().inspect_gradients();
            let loss = loss(&batch)?;
            let value = loss.constant().item()?.as_f64();
            let place = || format!("epoch {}, batch {}", epoch.index() + 1, index + 1);
            if !value.is_finite() {
                let reason = format!("the loss is {value} at {}; it must be finite", place());
                return Err(Error::argument("fit", reason));
            }
            let gradients = tape.backward(&loss)?;
            optimizer.check_finite(&gradients).map_err(|error| {
                Error::argument("fit", format!("{}: {}", place(), error.kind()))
            })?;
            optimizer.step(&gradients)?;
            losses.add(value, 1);
        }
        epoch.record("train loss", losses.value());
        evaluate(&mut epoch)?;
        training.finish(epoch, model, optimizer)?;
    }
    training.restore_best(model)?;
    Ok(training.history().clone())
}
