//! A training that is killed, or whose files cannot be written, goes on to the bits of one that is left alone.
//!
//! The training runs in a process of its own: this program again, with the one test that is the training.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use lexigrad_nn::{Dropout, Linear, Module, ModuleState, Reduction, mse};
use lexigrad_optim::{Adam, Build};
use lexigrad_tensor::{Tape, Tensor};
use lexigrad_text::Result;
use lexigrad_text::train::{History, Monitor, Training, TrainingOptions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

/// Where the training in a process of its own writes to, and how many epochs it has.
const FOLDER: &str = "LEXIGRAD_KILLED_FOLDER";
const EPOCHS: &str = "LEXIGRAD_KILLED_EPOCHS";

/// How often the training opens and writes to a device before it begins. strace counts the calls of each thread; the main thread of a
/// test program makes fewer by then, so that a higher number is always a call of the training.
const HARMLESS_CALLS: usize = 30;

#[derive(Module)]
struct Model {
    dropout: Dropout,
    out: Linear,
}

/// What a training leaves, but for the time it took.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// Model and optimizer at the end, then the model of the best epoch.
    bits: Vec<Vec<u32>>,
    losses: Vec<u64>,
    best: Option<usize>,
}

fn bits(module: &impl Module<f32>) -> Vec<u32> {
    let state = module.state_dict();
    let numbers = state.iter().flat_map(|(_, tensor)| tensor.to_vec());
    numbers.map(f32::to_bits).collect()
}

/// Trains with dropout, a step an epoch, and saves after each.
fn train(epochs: usize, folder: Option<&Path>) -> Result<Outcome> {
    train_around(epochs, folder, |_, finish| finish().map(drop))
}

/// The same, where the end of each epoch, which saves, is called by `around`.
fn train_around(
    epochs: usize,
    folder: Option<&Path>,
    mut around: impl FnMut(usize, &mut dyn FnMut() -> Result<bool>) -> Result<()>,
) -> Result<Outcome> {
    let model = Model {
        dropout: Dropout::new(0.5)?,
        out: Linear::new(3, 2, &mut StdRng::seed_from_u64(5)),
    };
    let mut optimizer = Adam::new(0.01).build(&model);
    let x = Tensor::new([[1.0, -2.0, 0.5], [0.3, 1.0, -1.0]]);
    let y = Tensor::new([[1.0, 0.0], [0.0, 1.0]]);
    let monitor = Monitor::lowest("loss");
    let options = TrainingOptions {
        epochs,
        monitor: Some(monitor.clone()),
        folder: folder.map(Path::to_owned),
        ..TrainingOptions::default()
    };
    let mut training = Training::start(options, &model, &optimizer)?;
    while let Some(mut epoch) = training.next_epoch() {
        let tape = Tape::new();
        let scores = model.out.forward(&model.dropout.forward(&x)?)?;
        let loss = mse(&scores, &y, Reduction::Mean)?;
        epoch.record("loss", loss.item()?);
        optimizer.step(&tape.backward(&loss)?)?;
        let (index, mut epoch) = (epoch.index(), Some(epoch));
        around(index, &mut || {
            training.finish(epoch.take().unwrap(), &model, &optimizer)
        })?;
    }
    let mut all = vec![bits(&model), bits(&optimizer)];
    training.restore_best(&model)?;
    all.push(bits(&model));
    let history = training.history();
    let losses = history.series("loss").into_iter().map(f64::to_bits);
    Ok(Outcome {
        bits: all,
        losses: losses.collect(),
        best: history.best(&monitor).map(|(epoch, _)| epoch),
    })
}

#[test]
#[ignore = "the training that the other tests kill"]
fn the_training() {
    if let (Some(folder), Ok(epochs)) = (std::env::var_os(FOLDER), std::env::var(EPOCHS)) {
        for _ in 0..HARMLESS_CALLS {
            let mut nothing = File::options().write(true).open("/dev/null").unwrap();
            nothing.write_all(b"-").unwrap();
        }
        train(epochs.parse().unwrap(), Some(Path::new(&folder))).unwrap();
    }
}

/// This program, which trains into `folder`; run by `strace` with these options, if there are any.
fn training(folder: &Path, epochs: usize, strace: &[&str]) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match strace {
        [] => Command::new(this),
        options => {
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq"]).args(options).arg(this);
            strace
        }
    };
    command.args(["the_training", "--exact", "--ignored", "--nocapture"]);
    command
        .env(FOLDER, folder)
        .env(EPOCHS, epochs.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// A folder in memory, where there is such a one: what counts here is the order of calls, not the disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Trainings of 0, 1, 2, .. epochs that were left alone.
fn left_alone(epochs: usize) -> Vec<Outcome> {
    let train = |epochs| train(epochs, None).unwrap();
    (0..=epochs).map(train).collect()
}

/// Looks whether what is there is a training that was left alone up to some epoch, lets it go on to the end, and looks whether all
/// is as it would have been and nothing else is there.
fn goes_on(folder: &Path, left_alone: &[Outcome], what: &str) {
    let go_on =
        |epochs| train(epochs, Some(folder)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = go_on(0);
    assert_eq!(
        found,
        left_alone[found.losses.len()],
        "{what}: what is there"
    );
    let epochs = left_alone.len() - 1;
    let whole = &left_alone[epochs];
    assert_eq!(go_on(epochs), *whole, "{what}");
    assert_eq!(go_on(epochs), *whole, "{what}: what was written last");
    let history = History::load(folder.join("history.json")).unwrap();
    let losses: Vec<u64> = history
        .series("loss")
        .into_iter()
        .map(f64::to_bits)
        .collect();
    assert_eq!(losses, whole.losses, "{what}");
    let names: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let best = format!("best-{:04}.safetensors", whole.best.unwrap() + 1);
    let best = best.as_str();
    let expected = [
        best,
        "best.safetensors",
        "history.csv",
        "history.json",
        "last.safetensors",
    ];
    assert_eq!(names, expected.map(str::to_owned).into(), "{what}");
    let [named, second] = [best, "best.safetensors"].map(|name| std::fs::read(folder.join(name)));
    assert_eq!(named.unwrap(), second.unwrap(), "{what}");
}

/// Kills trainings at random moments, until so many were killed.
fn kill(times: usize) {
    let epochs = 100;
    let left_alone = left_alone(epochs);
    assert!(
        left_alone[epochs].best < Some(epochs - 1),
        "the best is not the last"
    );
    let alone = folder();
    let started = Instant::now();
    assert!(
        training(alone.path(), epochs, &[])
            .status()
            .unwrap()
            .success()
    );
    let length = started.elapsed();
    goes_on(alone.path(), &left_alone, "left alone");

    let mut rng = StdRng::seed_from_u64(times as u64);
    let mut killed = 0;
    while killed < times {
        let folder = folder();
        // The second training goes on from what the first left, and is killed as well.
        let mut moments = Vec::new();
        for _ in 0..2 {
            let mut child = training(folder.path(), epochs, &[]);
            let mut child = child.stderr(Stdio::null()).spawn().unwrap();
            let moment = length.mul_f64(rng.random_range(0.0..1.0));
            std::thread::sleep(moment);
            let is_over = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            killed += usize::from(!is_over);
            moments.push(moment);
        }
        goes_on(
            folder.path(),
            &left_alone,
            &format!("killed after {moments:?}"),
        );
    }
}

#[test]
fn a_training_killed_at_random_goes_on_to_the_same_bits() {
    kill(20);
}

#[test]
#[ignore = "takes a minute"]
fn a_training_killed_at_random_200_times_goes_on_to_the_same_bits() {
    kill(200);
}

/// What happens at a call: the process is killed, the disk is full, the device fails.
const FAULTS: [&str; 3] = ["signal=KILL", "error=ENOSPC", "error=EIO"];

/// The calls by which files change.
const CALLS: [&str; 8] = [
    "openat",
    "write",
    "copy_file_range",
    "fchmod",
    "fsync",
    "rename",
    "renameat",
    "unlink",
];

/// How often a training that is left alone makes each call.
fn count_calls(epochs: usize) -> [usize; CALLS.len()] {
    let folder = folder();
    let trace = folder.path().join("trace");
    let run = training(
        &folder.path().join("run"),
        epochs,
        &["-o", trace.to_str().unwrap()],
    )
    .status();
    assert!(run.expect("strace is not there").success());
    let text = std::fs::read_to_string(trace).unwrap();
    let calls = || {
        text.lines()
            .filter_map(|line| line.split_once(char::is_whitespace))
    };
    let (thread, _) = calls()
        .find(|(_, call)| call.trim().starts_with("fsync("))
        .unwrap();
    let own = calls().filter(|(id, _)| *id == thread);
    let names: Vec<&str> = own
        .filter_map(|(_, call)| call.trim().split('(').next())
        .collect();
    CALLS.map(|call| names.iter().filter(|name| **name == call).count())
}

#[test]
#[ignore = "needs strace"]
fn a_training_stopped_at_any_call_goes_on_to_the_same_bits() {
    let epochs = 6; // of which the fifth is the best
    let left_alone = left_alone(epochs);
    let mut stopped = 0;
    for (call, count) in CALLS.iter().zip(count_calls(epochs)) {
        let first = if ["openat", "write"].contains(call) {
            HARMLESS_CALLS
        } else {
            0
        };
        for (fault, number) in FAULTS
            .iter()
            .flat_map(|fault| (first..count).map(move |n| (fault, n + 1)))
        {
            let folder = folder();
            let inject = format!("inject={call}:{fault}:when={number}");
            let run = training(folder.path(), epochs, &["-o", "/dev/null", "-e", &inject]).output();
            let run = run.unwrap();
            stopped += usize::from(!run.status.success());
            if *fault != "signal=KILL" && !run.status.success() {
                let message = String::from_utf8_lossy(&run.stderr);
                assert!(
                    message.contains(folder.path().to_str().unwrap()),
                    "{inject}: {message}"
                );
            }
            goes_on(folder.path(), &left_alone, &inject);
        }
    }
    assert!(stopped > 200, "{stopped} trainings were stopped");
}

#[test]
fn a_training_goes_on_after_a_file_could_not_be_written() {
    let epochs = 6;
    let left_alone = left_alone(epochs);
    for name in [
        "last.safetensors",
        "best.safetensors",
        "history.json",
        "history.csv",
    ] {
        let mut failures = 0;
        for failing in 0..epochs {
            let [folder, aside] = [folder(), folder()];
            let [path, kept] = [&folder, &aside].map(|folder| folder.path().join(name));
            let outcome = train_around(epochs, Some(folder.path()), |epoch, finish| {
                if epoch != failing {
                    return finish().map(drop);
                }
                let was_there = std::fs::rename(&path, &kept).is_ok();
                std::fs::create_dir(&path).unwrap(); // in the way of the file
                if let Err(error) = finish() {
                    assert!(error.to_string().contains(name), "{error}");
                    failures += 1;
                }
                std::fs::remove_dir(&path).unwrap();
                if was_there {
                    std::fs::rename(&kept, &path).unwrap();
                }
                Ok(())
            });
            assert_eq!(outcome.unwrap(), left_alone[epochs]);
            goes_on(
                folder.path(),
                &left_alone,
                &format!("{name} failed at {failing}"),
            );
        }
        assert!(failures > 1, "{name} failed {failures} times");
    }
}
