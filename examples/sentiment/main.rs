//! Trains a classifier of sentences and says what it learned.
//!
//! `cargo run --release --example sentiment` trains on 8,333 sentences of movie reviews; `-- --help` lists the options.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod learned;
mod model;
mod trained;

use std::error::Error;
use std::path::Path;

use clap::Parser;
use lexigrad::prelude::*;
use lexigrad_text::batch::by_length;
use lexigrad_text::read::LabelledTexts;
use lexigrad_text::train::{TrainingOptions, fit};
use lexigrad_text::vectors::{MissingRows, VectorOptions};
use lexigrad_text::{HashedFeatures, VocabOptions, words};
use rand::{SeedableRng, rngs::StdRng};

use args::{Args, Kind};
use model::{Classifier, Settings};
use trained::{Description, Trained, collate};

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
        let [_, _, test] = read(args)?;
        let test = test.with_labels(&trained.description.labels)?;
        learned::accuracy(&trained, &test.examples)?;
    }
    learned::predictions(&trained, &args.predict)
}

/// Trains by cross-entropy and sparse Adagrad: a step touches the rows of its texts and no other.
fn learn(args: &Args) -> Result<Trained, Box<dyn Error>> {
    let [train, dev, test] = read(args)?;
    let mut rng = StdRng::seed_from_u64(args.seed);
    let (trained, vectors) = prepare(args, &train, &mut rng)?;
    let description = &trained.description;
    println!(
        "{} train, {} dev, {} test sentences; {} labels, {} words, {} parameters",
        train.examples.len(),
        dev.examples.len(),
        test.examples.len(),
        train.labels.len(),
        description.vocab.len(),
        trained.models.parameter_count()
    );
    vectors.iter().for_each(|report| println!("{report}"));
    let before = trained.models[0].words.weight.value();
    let texts = description.encode_all(&train.examples)?;
    let dev = description.encode_all(&dev.with_labels(&train.labels)?.examples)?;
    let lengths: Vec<usize> = texts.iter().map(|text| text.words.len()).collect();
    let (epochs, rate) = if args.model == Kind::Bag {
        (4, 0.05)
    } else {
        (6, 0.02)
    };
    let histories = trained.models.iter().enumerate().map(|(place, model)| {
        let epochs = args.epochs.unwrap_or(epochs);
        fit(
            TrainingOptions {
                epochs,
                seed: args.seed + place as u64,
                progress: true,
                ..TrainingOptions::default()
            },
            model,
            &mut Adagrad::new(args.lr.unwrap_or(rate)).build(model),
            |epoch| by_length(&lengths, args.batch_size, &mut epoch.rng()),
            |batch| {
                let (texts, labels) = collate(&texts, batch)?;
                Ok(cross_entropy(&model.forward(&texts)?, &labels)?)
            },
            |epoch| {
                epoch.record(
                    "dev accuracy",
                    trained.confusion(place + 1, &dev)?.accuracy(),
                );
                let numbers: Vec<String> = epoch
                    .metrics()
                    .iter()
                    .map(|(name, value)| format!("{name} {value:.4}"))
                    .collect();
                println!("epoch {}: {}", epoch.index() + 1, numbers.join(", "));
                Ok(())
            },
        )
    });
    let history = histories.collect::<Result<Vec<_>, _>>()?.remove(0);
    let test = test.with_labels(&train.labels)?.examples;
    learned::accuracy(&trained, &test)?;
    learned::words(&trained)?;
    if let Some(path) = &args.report {
        learned::report(&trained, &before, &history, &test, args)?.save(path)?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = &args.save {
        trained.save(path)?;
        println!("saved {}", path.display());
    }
    Ok(trained)
}

/// A model that has learned nothing yet, and what became of its vectors.
fn prepare(
    args: &Args,
    train: &LabelledTexts,
    rng: &mut StdRng,
) -> Result<(Trained, Option<String>), Box<dyn Error>> {
    let tokens = train
        .examples
        .iter()
        .flat_map(|example| words(&example.text));
    let mut vocab = VocabOptions {
        minimum_count: args.min_count,
        ..VocabOptions::default()
    }
    .build(tokens)?;
    let pretrained = match &args.vectors {
        Some(path) => Some(VectorOptions::default().load(path)?),
        None => None,
    };
    if let Some((vectors, _)) = &pretrained {
        // Words that only other texts hold have vectors too.
        vocab.grow(vectors.words(), 1)?;
    }
    let dim = pretrained
        .as_ref()
        .map_or(args.dim, |(vectors, _)| vectors.dim());
    let features = HashedFeatures {
        longest_run: args.ngrams,
        beginning: args.prefix,
        buckets: args.buckets,
    };
    let settings = Settings {
        kind: args.model,
        words: vocab.len(),
        dim,
        hidden: args.hidden,
        labels: train.labels.len(),
        features,
    };
    let (mut models, mut report) = (Vec::new(), None);
    for _ in 0..args.ensemble {
        let mut embedding = None;
        if let Some((vectors, loaded)) = &pretrained {
            let (table, matching) = vectors.embedding(&vocab, MissingRows::Normal, true, rng)?;
            embedding = Some(table);
            report = Some(format!("{loaded}; {matching}"));
        }
        models.push(Classifier::new(&settings, embedding, rng)?);
    }
    let description = Description {
        settings,
        labels: train.labels.clone(),
        vocab,
        models: models.len(),
    };
    Ok((
        Trained {
            description,
            models,
        },
        report,
    ))
}

/// The user's file, cut in three by the seed, or the movie reviews of this repository.
fn read(args: &Args) -> Result<[LabelledTexts; 3], Box<dyn Error>> {
    if let Some(path) = &args.data {
        let parts = LabelledTexts::load(path)?
            .split(&[0.8, 0.1, 0.1], &mut StdRng::seed_from_u64(args.seed))?;
        if parts.iter().any(|part| part.examples.is_empty()) {
            return Err(format!(
                "{}: too few examples to train, tune and test",
                path.display()
            )
            .into());
        }
        return parts.try_into().map_err(|_| "three parts".into());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let part = |name| LabelledTexts::load(folder.join(format!("movie_reviews.{name}.tsv")));
    Ok([part("train")?, part("dev")?, part("test")?])
}
