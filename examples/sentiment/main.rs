//! Trains a classifier of sentences and says what it learned.
//!
//! `cargo run --release --example sentiment` trains on 8,333 sentences of movie reviews; `-- --help` lists the options.

mod args;
mod features;
mod model;
mod reader;
mod report;
mod train;

use std::error::Error;
use std::path::Path;

use clap::Parser;
use lexigrad::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

use args::Args;
use features::Features;
use model::Classifier;
use reader::Corpus;

fn main() {
    if let Err(error) = run(&Args::parse()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()?;
    }
    if let Some(path) = &args.load {
        let (features, model) = model::load(path)?;
        if args.predict.is_empty() {
            let corpus = read(args)?.relabel(features.labels())?;
            report::accuracy(&features, &model, &corpus.test)?;
        }
        return report::predictions(&features, &model, &args.predict);
    }
    let corpus = read(args)?;
    let features = Features::new(&corpus, args.min_count, args.ngrams, args.buckets);
    println!(
        "{} train, {} dev, {} test sentences; {} labels, {} words, {} rows of {}",
        corpus.train.len(),
        corpus.dev.len(),
        corpus.test.len(),
        corpus.labels.len(),
        features.words().len(),
        features.rows(),
        args.dim
    );
    let mut rng = StdRng::seed_from_u64(args.seed);
    let model = Classifier::new(features.rows(), args.dim, corpus.labels.len(), &mut rng)?;
    train::train(&model, &features, &corpus, args, &mut rng)?;
    report::accuracy(&features, &model, &corpus.test)?;
    report::words(&features, &model)?;
    if let Some(path) = &args.save {
        model::save(path, &features, &model)?;
        println!("saved {}", path.display());
    }
    report::predictions(&features, &model, &args.predict)
}

/// The user's file, cut into three by the seed, or the movie reviews of this repository.
fn read(args: &Args) -> Result<Corpus, Box<dyn Error>> {
    match &args.data {
        Some(path) => Corpus::split(path, args.seed),
        None => {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
            let part = |name: &str| folder.join(format!("movie_reviews.{name}.tsv"));
            Corpus::from_parts(&part("train"), &part("dev"), &part("test"))
        }
    }
}
