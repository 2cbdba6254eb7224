//! How many numbers does a word need? Picks `embedding_dim` by cross-validation.
//!
//! `cargo run --release --example choose_dim` asks it of the movie reviews; `-- --help` lists the options.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use lexigrad::prelude::*;
use lexigrad_text::batch::{in_order, shuffled};
use lexigrad_text::metrics::Confusion;
use lexigrad_text::read::LabelledTexts;
use lexigrad_text::train::Progress;
use lexigrad_text::validate::{Fold, cross_validate, stratified_folds};
use lexigrad_text::{Vocab, VocabOptions, usage, words};
use rand::{SeedableRng, rngs::StdRng};

/// Trains the mean of word vectors under a linear layer for each dimension, on the same folds, and prints how each does on what it
/// has not seen. It picks the smallest that is at most one standard error below the best.
#[derive(Debug, Parser)]
#[command(name = "choose_dim")]
struct Args {
    /// Labelled texts: a label and a text on each line, with a tab between; or CSV, JSON lines, fastText's form.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/movie_reviews.train.tsv"))]
    data: PathBuf,
    /// The dimensions to try, from small to large, with commas between.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16,32,64,128")]
    dims: Vec<usize>,
    /// Parts of the texts, each held out once.
    #[arg(long, default_value_t = 8)]
    folds: usize,
    /// Times to go through the texts.
    #[arg(long, default_value_t = 4)]
    epochs: usize,
    /// Learning rate of sparse Adagrad.
    #[arg(long, default_value_t = 0.05)]
    lr: f64,
    /// Where the random numbers start: the same seed prints the same numbers, but for the times.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Module)]
struct Classifier {
    embed: EmbeddingBag,
    out: Linear,
}

/// Texts as ids, with their labels.
struct Texts {
    ids: Vec<Vec<u32>>,
    labels: Vec<u32>,
    classes: usize,
    vocab: Vocab,
}

/// What is seen of a dimension beside its scores, summed over the folds.
#[derive(Default)]
struct Seen {
    parameters: usize,
    seconds: f64,
    training_accuracy: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let texts = read(&args)?;
    let folds = stratified_folds(
        &texts.labels,
        args.folds,
        &mut StdRng::seed_from_u64(args.seed),
    )?;
    println!(
        "{} texts, {} words, {} folds",
        texts.ids.len(),
        texts.vocab.len(),
        folds.len()
    );
    let mut seen: Vec<Seen> = args.dims.iter().map(|_| Seen::default()).collect();
    let candidates: Vec<(String, usize)> = (0..args.dims.len())
        .map(|place| (args.dims[place].to_string(), place))
        .collect();
    let mut bar = Progress::new(0..args.dims.len() * folds.len(), "folds", true);
    let comparison = cross_validate(&candidates, &folds, |&place, fold, index| {
        bar.next();
        score(
            &texts,
            fold,
            args.dims[place],
            &args,
            index,
            &mut seen[place],
        )
    })?;

    println!(
        "{:>5}{:>12}{:>10}{:>9}{:>9}{:>9}{:>11}",
        "dim", "parameters", "accuracy", "± s.e.", "gap", "s/fold", "p vs best"
    );
    let (best, chosen) = (
        comparison.best(),
        comparison.simplest_within_one_standard_error(),
    );
    for (place, seen) in seen.iter().enumerate() {
        let (mean, count) = (comparison.mean(place), folds.len() as f64);
        let mark = if place == chosen {
            " <- chosen"
        } else if place == best {
            " best"
        } else {
            ""
        };
        println!(
            "{:>5}{:>12}{mean:>10.4}{:>9.4}{:>9.4}{:>9.2}{:>11.3}{mark}",
            args.dims[place],
            seen.parameters,
            comparison.standard_error(place),
            seen.training_accuracy / count - mean,
            seen.seconds / count,
            comparison.difference(place, best).p_value,
        );
    }
    println!(
        "gap: accuracy on the texts trained on, less that on those held out; p: sign flips of the folds' differences"
    );
    println!("{}", rules_of_thumb(texts.vocab.len()));
    println!("{}", usage::peak_memory());
    Ok(())
}

fn read(args: &Args) -> Result<Texts, Box<dyn Error>> {
    let read = LabelledTexts::load(&args.data)?;
    let tokens: Vec<Vec<String>> = read
        .examples
        .iter()
        .map(|example| words(&example.text))
        .collect();
    let vocab = VocabOptions {
        minimum_count: 2,
        ..VocabOptions::default()
    }
    .build(tokens.iter().flatten())?;
    let ids = tokens
        .iter()
        .map(|tokens| vocab.encode(tokens))
        .collect::<Result<_, _>>()?;
    Ok(Texts {
        ids,
        labels: read.label_ids(),
        classes: read.labels.len(),
        vocab,
    })
}

/// Trains on a fold, and returns the accuracy on what it holds out.
fn score(
    texts: &Texts,
    fold: &Fold,
    dim: usize,
    args: &Args,
    index: usize,
    seen: &mut Seen,
) -> lexigrad_text::Result<f64> {
    let started = Instant::now();
    let mut rng = StdRng::seed_from_u64(args.seed.wrapping_add(index as u64));
    let bound = 1.0 / dim as f32;
    let table = Tensor::uniform([texts.vocab.len(), dim], -bound, bound, &mut rng);
    let model = Classifier {
        embed: EmbeddingBag::from_pretrained(&table)?,
        out: Linear::new(dim, texts.classes, &mut rng),
    };
    model.embed.weight.set_requires_grad(true);
    let mut optimizer = Adagrad::new(args.lr).build(&model);
    for _ in 0..args.epochs {
        for batch in shuffled(fold.train.len(), 32, &mut rng) {
            let batch: Vec<usize> = batch.into_iter().map(|place| fold.train[place]).collect();
            let (bags, labels) = collate(texts, &batch)?;
            let tape = Tape::new();
            let loss = cross_entropy(&model.forward(&bags)?, &labels)?;
            optimizer.step(&tape.backward(&loss)?)?;
        }
    }
    seen.seconds += started.elapsed().as_secs_f64();
    seen.parameters = model.parameter_count();
    seen.training_accuracy += accuracy(&model, texts, &fold.train)?;
    accuracy(&model, texts, &fold.held_out)
}

impl Classifier {
    fn forward(&self, bags: &Bags) -> Result<Tensor> {
        self.out.forward(&self.embed.forward(bags)?)
    }
}

fn collate(texts: &Texts, batch: &[usize]) -> Result<(Bags, Ids)> {
    let lists: Vec<&[u32]> = batch.iter().map(|&index| &texts.ids[index][..]).collect();
    let labels: Vec<u32> = batch.iter().map(|&index| texts.labels[index]).collect();
    Ok((Bags::from_lists(&lists)?, Ids::new(labels)?))
}

fn accuracy(model: &Classifier, texts: &Texts, indices: &[usize]) -> lexigrad_text::Result<f64> {
    let mut confusion = Confusion::new(texts.classes);
    for batch in in_order(indices.len(), 256) {
        let batch: Vec<usize> = batch.into_iter().map(|place| indices[place]).collect();
        let (bags, labels) = collate(texts, &batch)?;
        confusion.add(&labels, &model.forward(&bags)?.argmax(-1)?)?;
    }
    Ok(confusion.accuracy())
}

/// What is said of the size of embeddings without looking at the data.
fn rules_of_thumb(words: usize) -> String {
    let count = words as f64;
    let rules = [
        ("fourth root of the words", count.powf(0.25)),
        (
            "1.6 times their 0.56th power, at most 600",
            (1.6 * count.powf(0.56)).min(600.0),
        ),
        ("half of the words, at most 50", (count / 2.0).min(50.0)),
    ];
    let rules: Vec<String> = rules
        .iter()
        .map(|(rule, dim)| format!("{rule}: {dim:.0}"))
        .collect();
    format!("rules of thumb for {words} words: {}", rules.join("; "))
}
