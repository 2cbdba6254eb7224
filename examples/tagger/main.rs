//! Learns the tag of each word, such as its part of speech, from tagged sentences.
//!
//! `cargo run --release --example tagger` trains on a small sample; `-- --help` lists the options.

mod args;
mod data;
mod model;
mod trained;

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use lexigrad::optim::schedule::OneCycle;
use lexigrad::prelude::*;
use lexigrad_text::batch::by_length;
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::{Training, TrainingOptions};
use lexigrad_text::{VocabOptions, usage};
use rand::{SeedableRng, rngs::StdRng};

use args::Args;
use data::Tagged;
use model::{Batch, Tagger};
use trained::{SHARD, Trained};

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
    let [train, dev, test] = data::read(args)?;
    let trained = learn(args, &train, &dev)?;
    trained.judge("test", &test)?;
    println!(
        "{:.0} s, {}",
        started.elapsed().as_secs_f64(),
        usage::peak_memory()
    );
    for sentence in &args.predict {
        println!("{}", trained.tagged(sentence)?);
    }
    Ok(())
}

/// Trains by Adam on the likelihood of the tags, a rate that rises and falls, gradients no longer than 1.
fn learn(args: &Args, train: &[Tagged], dev: &[Tagged]) -> Result<Trained, Box<dyn Error>> {
    let options = VocabOptions {
        minimum_count: 2,
        ..VocabOptions::default()
    };
    let words = options.build(train.iter().flat_map(|(words, _)| words))?;
    let tags = VocabOptions::plain().build(train.iter().flat_map(|(_, tags)| tags))?;
    let mut rng = StdRng::seed_from_u64(args.seed);
    let model = Tagger::new(words.len(), tags.len(), args.hidden, &mut rng)?;
    println!(
        "{} sentences, {} words, {} tags, {} parameters",
        train.len(),
        words.len(),
        tags.len(),
        model.parameter_count()
    );
    let trained = Trained { model, words, tags };
    let lengths: Vec<usize> = train.iter().map(|(words, _)| words.len()).collect();

    let mut optimizer = Adam::new(args.lr).build(&trained.model);
    let steps = (args.epochs * train.len().div_ceil(args.batch_size)) as u64;
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
            let tokens: usize = batch.iter().map(|&index| lengths[index]).sum();
            let sentences: Vec<&Tagged> = batch.iter().map(|&index| &train[index]).collect();
            let shards: Vec<Batch> = sentences
                .chunks(SHARD)
                .map(|shard| trained.collate(shard))
                .collect::<Result<_, _>>()?;
            let (loss, mut grads) = data_parallel(&shards, |shard| {
                Ok(trained.model.loss(shard)?.mul_scalar(1.0 / tokens as f32))
            })?;
            clip_grad_norm(&mut grads, 1.0)?;
            optimizer.follow(&schedule);
            optimizer.step(&grads)?;
            losses.add(loss, tokens);
        }
        epoch.record("train loss", losses.value());
        println!(
            "epoch {}: loss {:.4} a word",
            epoch.index() + 1,
            losses.value()
        );
        trained.judge("dev", dev)?;
        training.finish(epoch, &trained.model, &optimizer)?;
    }
    Ok(trained)
}
