//! A training that stops and goes on: the same bits, the best model, a history that matches the state.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use lexigrad_nn::{Dropout, Embedding, Linear, Module, ModuleState, StateDict, cross_entropy};
use lexigrad_optim::{Adam, Average, Build, Optimizer};
use lexigrad_tensor::{Ids, Param, Tape, Tensor};
use lexigrad_text::batch;
use lexigrad_text::train::{History, Monitor, Training, TrainingOptions, fit};
use rand::SeedableRng;
use rand::rngs::StdRng;

const WORDS: usize = 30;

#[derive(Module)]
struct Classifier {
    embed: Embedding,
    dropout: Dropout,
    out: Linear,
}

impl Classifier {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(5);
        Self {
            embed: Embedding::new(WORDS, 4, &mut rng),
            dropout: Dropout::new(0.3).unwrap(),
            out: Linear::new(4, 3, &mut rng),
        }
    }

    fn loss(&self, words: &[usize]) -> lexigrad_text::Result<Tensor> {
        let labels = Ids::new(words.iter().map(|word| word % 3).collect::<Vec<_>>())?;
        let x = self
            .dropout
            .forward(&self.embed.forward(&Ids::new(words.to_vec())?)?)?;
        Ok(cross_entropy(&self.out.forward(&x)?, &labels)?)
    }

    fn bits(&self) -> Vec<u32> {
        let parameters = self.parameters().into_iter();
        parameters
            .flat_map(|param| param.value().to_vec())
            .map(f32::to_bits)
            .collect()
    }
}

fn options(epochs: usize, folder: Option<&Path>) -> TrainingOptions {
    TrainingOptions {
        epochs,
        seed: 7,
        monitor: Some(Monitor::lowest("loss")),
        folder: folder.map(Path::to_owned),
        ..TrainingOptions::default()
    }
}

/// Trains with dropout, shuffling, momentum and an average of the weights; returns the bits of model and average.
fn train(epochs: usize, folder: Option<&Path>) -> (Vec<u32>, Vec<u32>, History) {
    let model = Classifier::new();
    let mut optimizer = Adam::new(0.02).build(&model);
    let mut average = Average::new(&model, 0.9).unwrap();
    let mut training = {
        let state = (&optimizer, &average);
        Training::start(options(epochs, folder), &model, &state).unwrap()
    };
    while let Some(mut epoch) = training.next_epoch() {
        let mut last = 0.0;
        for words in batch::shuffled(WORDS, 7, &mut epoch.rng()) {
            let tape = Tape::new();
            let loss = model.loss(&words).unwrap();
            last = loss.item().unwrap();
            average
                .step(&mut optimizer, &tape.backward(&loss).unwrap())
                .unwrap();
        }
        epoch.record("loss", last);
        training
            .finish(epoch, &model, &(&optimizer, &average))
            .unwrap();
    }
    let averaged = average.value(&model.out.weight).unwrap().to_vec();
    let averaged = averaged.into_iter().map(f32::to_bits).collect();
    (model.bits(), averaged, training.history().clone())
}

#[test]
fn a_training_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let whole = train(6, None);
    train(2, Some(folder.path()));
    train(5, Some(folder.path()));
    let resumed = train(6, Some(folder.path()));
    assert_eq!((&resumed.0, &resumed.1), (&whole.0, &whole.1));
    assert_eq!(resumed.2.series("loss"), whole.2.series("loss"));
    let csv = std::fs::read_to_string(folder.path().join("history.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7);
    assert!(csv.starts_with("epoch,seconds,loss\n1,"), "{csv}");
}

#[test]
fn what_stands_beside_a_checkpoint_is_written_anew() {
    let (folder, whole) = (tempfile::tempdir().unwrap(), train(4, None));
    train(2, Some(folder.path()));
    let file = |name: &str| folder.path().join(name);
    let names = ["history.json", "history.csv", "best.safetensors"];
    let before = names.map(|name| std::fs::read(file(name)).unwrap());
    for are_empty in [false, true] {
        for name in names {
            std::fs::remove_file(file(name)).unwrap();
            if are_empty {
                std::fs::write(file(name), "").unwrap(); // as writing in place to a full disk leaves it
            }
        }
        train(2, Some(folder.path()));
        let after = names.map(|name| std::fs::read(file(name)).unwrap());
        assert_eq!(after, before);
    }
    let resumed = train(4, Some(folder.path()));
    assert_eq!((resumed.0, resumed.1), (whole.0, whole.1));
    assert_eq!(resumed.2.series("loss"), whole.2.series("loss"));
}

/// The text of the error with which a training that monitors this refuses to go on; the model stays as it was.
fn refusal(folder: &Path, monitor: Option<Monitor>) -> String {
    let model = Classifier::new();
    let (before, optimizer) = (model.bits(), Adam::new(0.02).build(&model));
    let average = Average::new(&model, 0.9).unwrap();
    let options = TrainingOptions {
        monitor,
        ..options(4, Some(folder))
    };
    let error = Training::start(options, &model, &(&optimizer, &average)).unwrap_err();
    assert_eq!(model.bits(), before);
    error.to_string()
}

#[test]
fn a_folder_without_the_weights_of_its_best_epoch_is_refused_by_name() {
    let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let losses = train(3, Some(folder.path())).2;
    train(3, Some(other.path()));
    let loss = Monitor::lowest("loss");
    let epoch = losses.best(&loss).unwrap().0 + 1;
    let name = format!("best-{epoch:04}.safetensors");
    let path = folder.path().join(&name);
    let kept = std::fs::read(&path).unwrap();

    let rule = "but last.safetensors names it as the best epoch; \
        put the file back, or name another folder to begin anew";
    std::fs::copy(other.path().join(&name), &path).unwrap();
    let message = refusal(folder.path(), Some(loss.clone()));
    let expected = format!(
        "{}: the weights of another training, {rule}",
        path.display()
    );
    assert_eq!(message, expected);
    std::fs::remove_file(&path).unwrap();
    let message = refusal(folder.path(), None);
    assert_eq!(message, format!("{}: no such file, {rule}", path.display()));

    std::fs::write(&path, &kept).unwrap();
    let state = StateDict::<f32>::load(&path).unwrap();
    let text = state.metadata("training.v1").unwrap().to_owned();
    let broken: StateDict = state
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.mul_scalar(f32::NAN)))
        .collect();
    broken
        .with_metadata("training.v1", text)
        .save(&path)
        .unwrap();
    let message = refusal(folder.path(), Some(loss));
    let start = format!("{}: refused: ", path.display());
    assert!(message.starts_with(&start), "{message}");
    assert!(message.contains("numbers must be finite"), "{message}");

    std::fs::write(&path, kept).unwrap();
    let last = folder.path().join("last.safetensors");
    let message = refusal(folder.path(), Some(Monitor::highest("loss")));
    let rule = "monitor what was monitored, or name another folder to begin anew";
    let start = format!("{}: by \"loss\" epoch ", last.display());
    assert!(
        message.starts_with(&start) && message.ends_with(rule),
        "{message}"
    );
    train(4, Some(folder.path()));
}

#[test]
fn a_file_that_is_no_checkpoint_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    train(2, Some(folder.path()));
    let path = folder.path().join("last.safetensors");
    let state = StateDict::<f32>::load(&path).unwrap();
    let text = state.metadata("training.v1").unwrap().to_owned();
    let plain: StateDict = state
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    let message = |state: &StateDict| {
        state.save(&path).unwrap();
        let message = refusal(folder.path(), None);
        let place = format!("{}: ", path.display());
        message.strip_prefix(&place).unwrap().to_owned()
    };
    let rule = "name another folder to begin anew";
    let expected = format!("no training.v1 in the header, so no checkpoint; {rule}");
    assert_eq!(message(&plain), expected);
    let with = |text: &str| plain.clone().with_metadata("training.v1", text);
    for (of, by, expected) in [
        ("\"best\":", "\"best\":9", "epoch 9"),
        ("\"seconds\":", "\"seconds\":-", "not below 0"),
        ("}", "", "at line 1"),
        ("{\"epochs\":", "[", "at line 1"),
        (&text, "[{\"epochs\":[]},null]", "expected an object"),
    ] {
        let changed = text.replacen(of, by, 1);
        let message = message(&with(&changed));
        assert!(
            message.starts_with("training.v1 in the header: "),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
    with(&text).save(&path).unwrap();
    train(3, Some(folder.path()));
}

#[test]
fn a_broken_state_is_refused_and_the_model_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    train(1, Some(folder.path()));
    let path = folder.path().join("last.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let model = Classifier::new();
    let before = model.bits();
    let start = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let optimizer = Adam::new(0.02).build(&model);
        let error = Training::<f32>::start(options(2, Some(folder.path())), &model, &optimizer);
        error.unwrap_err().to_string()
    };
    assert!(start(&whole[..whole.len() / 2]).contains("last.safetensors"));
    assert!(
        start(&whole).contains("training."),
        "the average is missing"
    );
    assert_eq!(model.bits(), before);
}

/// Weights that could not be loaded again do not take the place of those that can.
#[test]
fn a_state_that_could_not_be_loaded_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let (model, mut epochs) = (Classifier::new(), Vec::new());
    let optimizer = Adam::new(0.02).build(&model);
    let options = options(3, Some(folder.path()));
    let mut training = Training::start(options.clone(), &model, &optimizer).unwrap();
    for weight in [1.0, f32::INFINITY] {
        model
            .out
            .bias
            .as_ref()
            .unwrap()
            .set(&Tensor::full([3], weight))
            .unwrap();
        let mut epoch = training.next_epoch().unwrap();
        epoch.record("loss", 1.0);
        epochs.push(training.finish(epoch, &model, &optimizer));
    }
    let message = epochs.pop().unwrap().unwrap_err().to_string();
    assert!(
        message.ends_with(
            "last.safetensors: not saved: refused: model.out.bias holds inf at [0]; numbers must be finite"
        ),
        "{message}"
    );
    Training::start(options, &model, &optimizer).unwrap();
    assert_eq!(model.out.bias.unwrap().value().to_vec(), [1.0; 3]);
}

#[test]
fn the_best_epoch_is_restored_and_patience_ends_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let model = Classifier::new();
    let mut optimizer = Adam::new(0.02).build(&model);
    let options = TrainingOptions {
        epochs: 20,
        monitor: Some(Monitor::highest("accuracy")),
        patience: Some(2),
        folder: Some(folder.path().to_owned()),
        ..TrainingOptions::default()
    };
    let accuracies = [0.5, 0.8, f64::NAN, 0.8, 0.7];
    let mut bits = Vec::new();
    let history = run(&options, &model, &mut optimizer, |epoch| {
        bits.push(model.bits());
        accuracies[epoch]
    });
    assert_eq!(
        history.epochs().len(),
        4,
        "epochs 3 and 4 were no better than the second"
    );
    assert_eq!(model.bits(), bits[1]);
    let best = StateDict::<f32>::load(folder.path().join("best.safetensors")).unwrap();
    let other = Classifier::new();
    other.load_state_dict(&best).unwrap();
    assert_eq!(other.bits(), bits[1]);

    let again = run(&options, &model, &mut optimizer, |_| {
        unreachable!("it is over")
    });
    assert_eq!(again.epochs().len(), 4);
}

fn run(
    options: &TrainingOptions,
    model: &Classifier,
    optimizer: &mut Optimizer<Adam>,
    mut accuracy: impl FnMut(usize) -> f64,
) -> History {
    fit(
        options.clone(),
        model,
        optimizer,
        |epoch| batch::shuffled(WORDS, 7, &mut epoch.rng()),
        |words| model.loss(words),
        |epoch| {
            let value = accuracy(epoch.index());
            epoch.record("accuracy", value);
            Ok(())
        },
    )
    .unwrap()
}

#[test]
fn a_loss_that_is_not_finite_ends_the_training_before_its_step() {
    let model = Classifier::new();
    let mut optimizer = Adam::new(0.02).build(&model);
    let before = model.bits();
    let mut fit_with = |factor: f32| {
        let batches = |_: &mut lexigrad_text::train::Epoch| vec![vec![1, 2]];
        let loss = |words: &Vec<usize>| Ok(model.loss(words)?.mul_scalar(factor));
        let done = |_: &mut lexigrad_text::train::Epoch| Ok(());
        fit(
            TrainingOptions::default(),
            &model,
            &mut optimizer,
            batches,
            loss,
            done,
        )
    };
    let message = fit_with(f32::NAN).unwrap_err().to_string();
    assert_eq!(
        message,
        "fit: the loss is NaN at epoch 1, batch 1; it must be finite"
    );
    assert_eq!(model.bits(), before);
    assert!(fit_with(1.0).is_ok());
}

#[test]
fn a_gradient_that_is_not_finite_ends_the_training_before_its_step() {
    let start = [1.0, 4.0, 9.0];
    let weight: Param = Param::new(Tensor::new(start));
    let mut optimizer = Adam::new(0.5).build(&weight);
    let state = |optimizer: &Optimizer<Adam>| {
        let state = optimizer.state_dict();
        let values = state
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_vec()));
        values.collect::<Vec<_>>()
    };
    let mut before = Vec::new();
    let mut steps = 0;
    // The first step is by a finite slope; in the second the root of 0 is finite, and its slope is not.
    let result = fit(
        TrainingOptions::default(),
        &weight,
        &mut optimizer,
        |_| [Tensor::new([1.0, 1.0, 1.0]), Tensor::new([1.0, 0.0, 1.0])],
        |scale| {
            steps += 1;
            if steps == 2 {
                before = weight.value().to_vec();
            }
            Ok(weight.value().mul(scale)?.sqrt().sum())
        },
        |_| Ok(()),
    );
    let message = result.unwrap_err().to_string();
    assert_eq!(
        message,
        "fit: epoch 1, batch 2: the gradient holds NaN at [1]; it must be finite"
    );
    assert_eq!(weight.value().to_vec(), before);
    assert_ne!(before, start);
    assert_eq!(optimizer.steps(), 1);
    let once: Param = Param::new(Tensor::new(start));
    let mut other = Adam::new(0.5).build(&once);
    let tape = Tape::new();
    let loss = once.value().sqrt().sum();
    other.step(&tape.backward(&loss).unwrap()).unwrap();
    assert_eq!(state(&optimizer), state(&other));
}

#[test]
fn what_is_monitored_must_be_recorded() {
    let model = Classifier::new();
    let optimizer = Adam::new(0.02).build(&model);
    let mut training = Training::start(options(1, None), &model, &optimizer).unwrap();
    let mut epoch = training.next_epoch().unwrap();
    epoch.record("accuracy", 0.5);
    let message = training
        .finish(epoch, &model, &optimizer)
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "training: no \"loss\" was recorded, only [\"accuracy\"]"
    );
    let patient = TrainingOptions {
        patience: Some(1),
        ..TrainingOptions::default()
    };
    let message = Training::<f32>::start(patient, &model, &optimizer)
        .unwrap_err()
        .to_string();
    assert_eq!(message, "training: a patience needs a metric to monitor");
}
