//! Learns to turn one sequence into another from pairs, such as spelling into phones.
//!
//! `cargo run --release --example translate` trains on a small sample; `-- --help` lists the options.

mod args;
mod draw;
mod model;
mod trained;

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use lexigrad::optim::schedule::OneCycle;
use lexigrad::prelude::*;
use lexigrad_text::batch::{Padded, by_length};
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::{Training, TrainingOptions};
use lexigrad_text::{VocabOptions, read, usage};
use rand::{SeedableRng, rngs::StdRng};

use args::Args;
use model::{Sizes, Translator};
use trained::{PADDING, Trained};

/// Pairs that a thread takes at a time: what is summed in which order follows from it, never from the number of threads.
const SHARD: usize = 64;
/// Pairs of dev that are translated after each epoch.
const WATCHED: usize = 1000;

type Pairs = Vec<(String, String)>;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    let started = Instant::now();
    let mut train = read::pairs(&args.train)?;
    let mut part = |path: &Option<_>| match path {
        Some(path) => read::pairs(path),
        None => Ok(train.split_off(train.len() - train.len() / 10)),
    };
    let (dev, test) = (part(&args.dev)?, part(&args.test)?);
    let trained = learn(&args, &train, &dev)?;
    trained.judge("test", &test, args.beam)?;
    println!(
        "{:.0} s, {}",
        started.elapsed().as_secs_f64(),
        usage::peak_memory()
    );
    for text in &args.predict {
        println!("{text}: {}", trained.translated(text, args.beam)?);
    }
    match (&args.attention, args.predict.first()) {
        (Some(path), Some(text)) => trained.draw(path, text, args.beam),
        _ => Ok(()),
    }
}

/// Trains by Adam on what comes next, label by label, a rate that rises and falls, gradients no longer than 1.
fn learn(args: &Args, train: &Pairs, dev: &Pairs) -> Result<Trained, Box<dyn Error>> {
    let special = ["<s>".to_owned(), "</s>".to_owned()].to_vec();
    let options = VocabOptions {
        specials: special,
        ..VocabOptions::default()
    };
    let source = options.build(train.iter().flat_map(|pair| args.source.cut(&pair.0)))?;
    let target = options.build(train.iter().flat_map(|pair| args.target.cut(&pair.1)))?;
    let sizes = Sizes {
        source: source.len(),
        target: target.len(),
        dim: 64,
        hidden: args.hidden,
        dropout: 0.2,
    };
    let mut rng = StdRng::seed_from_u64(args.seed);
    let model = Translator::new(sizes, &mut rng)?;
    println!(
        "{} pairs, {} source and {} target tokens, {} parameters",
        train.len(),
        source.len(),
        target.len(),
        model.parameter_count()
    );
    let trained = Trained {
        model,
        source: (args.source, source),
        target: (args.target, target),
    };
    let pairs: Vec<[Vec<u32>; 2]> = train
        .iter()
        .map(|pair| trained.encode(pair))
        .collect::<Result<_, _>>()?;
    let lengths: Vec<usize> = pairs.iter().map(|[source, _]| source.len()).collect();

    let mut optimizer = Adam::new(args.lr).build(&trained.model);
    let steps = (args.epochs * pairs.len().div_ceil(args.batch_size)) as u64;
    let schedule = OneCycle {
        rising: 0.1,
        ..OneCycle::new(args.lr, steps)
    };
    let options = TrainingOptions {
        epochs: args.epochs,
        seed: args.seed,
        progress: true,
        ..TrainingOptions::default()
    };
    let mut training = Training::start(options, &trained.model, &optimizer)?;
    while let Some(mut epoch) = training.next_epoch() {
        let mut losses = Mean::default();
        for batch in epoch.progress(by_length(&lengths, args.batch_size, &mut epoch.rng())) {
            let tokens: usize = batch.iter().map(|&index| pairs[index][1].len() - 1).sum();
            let shards: Vec<_> = batch
                .chunks(SHARD)
                .map(|shard| collate(&pairs, shard))
                .collect::<Result<_, _>>()?;
            let (loss, mut grads) = data_parallel(&shards, |[source, given, wanted]| {
                Ok(trained
                    .model
                    .loss(source, given, wanted)?
                    .mul_scalar(1.0 / tokens as f32))
            })?;
            clip_grad_norm(&mut grads, 1.0)?;
            optimizer.follow(&schedule);
            optimizer.step(&grads)?;
            losses.add(loss, tokens);
        }
        epoch.record("train loss", losses.value());
        println!("epoch {}: loss {:.4}", epoch.index() + 1, losses.value());
        trained.judge("dev", &dev[..dev.len().min(WATCHED)], 1)?;
        training.finish(epoch, &trained.model, &optimizer)?;
    }
    Ok(trained)
}

/// The sources, what the decoder is given, and what it is to say next.
fn collate(pairs: &[[Vec<u32>; 2]], shard: &[usize]) -> lexigrad_text::Result<[Padded; 3]> {
    let pad = |cut: &dyn Fn(&[Vec<u32>; 2]) -> Vec<u32>| {
        let lists: Vec<Vec<u32>> = shard.iter().map(|&index| cut(&pairs[index])).collect();
        Padded::new(&lists, PADDING)
    };
    let source = pad(&|[source, _]| source.clone())?;
    let given = pad(&|[_, target]| target[..target.len() - 1].to_vec())?;
    Ok([source, given, pad(&|[_, target]| target[1..].to_vec())?])
}
