//! Trains a classifier of sentences and says what it learned.
//!
//! `cargo run --release --example sentiment` trains on 8,333 sentences of movie reviews; `-- --help` lists the options.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod model;
mod reader;
mod report;
mod tokenizer;
mod train;
mod vocabulary;

use std::error::Error;
use std::path::Path;

use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};

use args::Args;
use model::{Classifier, Trained};
use reader::Corpus;
use tokenizer::tokenize;
use vocabulary::{Features, Vocabulary};

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
    let trained = match &args.load {
        Some(path) => Trained::load(path)?,
        None => learn(args)?,
    };
    if args.load.is_some() && args.predict.is_empty() {
        let corpus = read(args)?;
        if corpus.labels != trained.labels {
            let message = format!(
                "the data has the labels {:?}, the model {:?}",
                corpus.labels, trained.labels
            );
            return Err(message.into());
        }
        report::accuracy(&trained, &corpus.test)?;
    }
    report::predictions(&trained, &args.predict)
}

/// Trains on the corpus, reports, and saves if asked to.
fn learn(args: &Args) -> Result<Trained, Box<dyn Error>> {
    let corpus = read(args)?;
    let texts: Vec<Vec<String>> = corpus
        .train
        .iter()
        .map(|example| tokenize(&example.text))
        .collect();
    let features = Features {
        ngrams: args.ngrams,
        prefix: args.prefix,
        buckets: args.buckets,
    };
    let vocabulary =
        Vocabulary::from_texts(texts.iter().map(Vec::as_slice), args.min_count, features);
    println!(
        "{} train, {} dev, {} test sentences; {} labels, {} words, {} rows of {}",
        corpus.train.len(),
        corpus.dev.len(),
        corpus.test.len(),
        corpus.labels.len(),
        vocabulary.words().len(),
        vocabulary.rows(),
        args.dim
    );
    let mut rng = StdRng::seed_from_u64(args.seed);
    let model = Classifier::new(vocabulary.rows(), args.dim, corpus.labels.len(), &mut rng)?;
    let trained = Trained {
        labels: corpus.labels.clone(),
        vocabulary,
        model,
    };
    train::train(&trained, &corpus, args, &mut rng)?;
    report::accuracy(&trained, &corpus.test)?;
    report::words(&trained)?;
    if let Some(path) = &args.save {
        trained.save(path)?;
        println!("saved {}", path.display());
    }
    Ok(trained)
}

/// The user's file, cut into three by the seed, or the movie reviews of this repository.
fn read(args: &Args) -> Result<Corpus, Box<dyn Error>> {
    Ok(match &args.data {
        Some(path) => Corpus::from_file(path, args.seed)?,
        None => {
            Corpus::movie_reviews(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data"))?
        }
    })
}
