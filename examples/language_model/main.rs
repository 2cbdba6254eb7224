//! Learns what word comes next, and writes on from a beginning.
//!
//! `cargo run --release --example language_model` trains on a small sample; `-- --help` lists the options.

mod args;
mod model;
mod trained;

use std::error::Error;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use lexigrad::nn::LstmState;
use lexigrad::optim::schedule::OneCycle;
use lexigrad::prelude::*;
use lexigrad_text::batch::{Stream, Window};
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::{Training, TrainingOptions};
use lexigrad_text::{VocabOptions, read, usage};
use rand::{SeedableRng, rngs::StdRng};

use args::Args;
use model::LanguageModel;
use trained::{END, Trained, cut};

/// Texts that a thread takes at a time: what is summed in which order follows from it, never from the number of threads.
const SHARD: usize = 16;

/// A window of some of the texts, with the states that they had, and then have.
struct Shard {
    window: Window,
    states: Mutex<Vec<LstmState>>,
}

fn main() {
    if let Err(error) = run(&Args::parse()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    let started = Instant::now();
    let [train, dev, test] = read_parts(args)?;
    let options = VocabOptions {
        minimum_count: args.min_count,
        padding: None,
        specials: vec![END.to_owned()],
        ..VocabOptions::default()
    };
    let vocab = options.build(&train)?;
    let mut rng = StdRng::seed_from_u64(args.seed);
    let trained = Trained {
        model: LanguageModel::new(vocab.len(), args, &mut rng)?,
        vocab,
        characters: args.characters,
    };
    println!(
        "{} tokens, {} of them different, {} parameters",
        train.len(),
        trained.vocab.len(),
        trained.model.parameter_count()
    );
    learn(&trained, args, &train, &dev)?;
    trained.judge("test", &test)?;
    println!(
        "{:.0} s, {}",
        started.elapsed().as_secs_f64(),
        usage::peak_memory()
    );
    for beginning in &args.sample {
        println!(
            "{}",
            trained.write_on(beginning, args.temperature, &mut rng)?
        );
    }
    Ok(())
}

/// The tokens to train on, to watch progress by and to judge by, an end after each line.
fn read_parts(args: &Args) -> Result<[Vec<String>; 3], Box<dyn Error>> {
    let lines: Vec<String> = read::lines(&args.data)?
        .map(|line| Ok(line?.text))
        .collect::<lexigrad_text::Result<_>>()?;
    let tokens = |lines: Vec<&String>| {
        let cut = |line: &String| [cut(line, args.characters), vec![END.to_owned()]].concat();
        lines.into_iter().flat_map(cut).collect()
    };
    if let Some(path) = &args.split {
        let parts = read::parts(path)?;
        let part = |name| read::items_of(&lines, &parts, name).map(tokens);
        return Ok([part("train")?, part("dev")?, part("test")?]);
    }
    let tenth = lines.len() / 10;
    let (rest, test) = lines.split_at(lines.len() - tenth);
    let (train, dev) = rest.split_at(rest.len() - tenth);
    Ok([train, dev, test].map(|lines| tokens(lines.iter().collect())))
}

/// Trains by Adam, truncating back-propagation at each window; states go on from window to window.
fn learn(
    trained: &Trained,
    args: &Args,
    train: &[String],
    dev: &[String],
) -> Result<(), Box<dyn Error>> {
    let model = &trained.model;
    let train = &trained.vocab.encode(train)?;
    let mut optimizer = Adam::new(args.lr).build(model);
    let windows = Stream::new(train, args.batch_size, args.window)?.len();
    let schedule = OneCycle {
        rising: 0.1,
        ..OneCycle::new(args.lr, (args.epochs * windows) as u64)
    };
    let options = TrainingOptions {
        epochs: args.epochs,
        seed: args.seed,
        progress: true,
        ..TrainingOptions::default()
    };
    let mut training = Training::start(options, model, &optimizer)?;
    while let Some(mut epoch) = training.next_epoch() {
        let mut losses = Mean::default();
        let mut states: Vec<Vec<LstmState>> = vec![Vec::new(); args.batch_size.div_ceil(SHARD)];
        for window in epoch.progress(Stream::new(train, args.batch_size, args.window)?) {
            let windows = window?.shards(SHARD)?;
            let share = 1.0 / windows.len() as f32;
            let shards: Vec<Shard> = windows
                .into_iter()
                .zip(states)
                .map(|(window, states)| Shard {
                    window,
                    states: Mutex::new(states),
                })
                .collect();
            let (loss, mut grads) = data_parallel(&shards, |Shard { window, states }| {
                let mut states = states.lock().unwrap_or_else(|error| error.into_inner());
                let (loss, after) = model.loss(&window.inputs, &window.targets, &states)?;
                *states = after;
                Ok(loss.mul_scalar(share))
            })?;
            clip_grad_norm(&mut grads, 1.0)?;
            optimizer.follow(&schedule);
            optimizer.step(&grads)?;
            losses.add(loss, 1);
            states = shards
                .into_iter()
                .map(|shard| shard.states.into_inner())
                .collect::<Result<_, _>>()
                .unwrap_or_default();
        }
        epoch.record("train loss", losses.value());
        println!(
            "epoch {}: perplexity {:.1} in training",
            epoch.index() + 1,
            losses.perplexity()
        );
        trained.judge("dev", dev)?;
        training.finish(epoch, model, &optimizer)?;
    }
    Ok(())
}
