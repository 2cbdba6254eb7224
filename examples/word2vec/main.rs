//! Learns vectors of words from the words beside them.
//!
//! `cargo run --release --example word2vec` trains on a small sample; `-- --help` lists the options.

mod args;
mod model;
mod train;

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use lexigrad::tensor::set_seed;
use lexigrad_text::vectors::WordVectors;
use lexigrad_text::{VocabOptions, read, usage};
use rand::SeedableRng;
use rand::rngs::StdRng;

use args::Args;
use model::WordVectorModel;

type Outcome = std::result::Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let args = Args::parse();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.threads);
    // On a thread of the pool a step enters it at no cost.
    threads.build()?.install(|| run(&args))
}

fn run(args: &Args) -> Outcome {
    let training = &args.training;
    set_seed(training.seed);
    let lines: Vec<String> = read::lines(&args.text)?
        .map(|line| Ok(line?.text))
        .collect::<lexigrad_text::Result<_>>()?;
    let options = VocabOptions {
        minimum_count: args.min_count,
        ..VocabOptions::plain()
    };
    let vocab = options.build(lines.iter().flat_map(|line| line.split_whitespace()))?;
    let known = |line: &String| {
        line.split_whitespace()
            .filter_map(|word| vocab.id(word))
            .collect()
    };
    let sentences: Vec<Vec<u32>> = lines.iter().map(known).collect();
    let tokens: usize = lines
        .iter()
        .map(|line| line.split_whitespace().count())
        .sum();
    println!(
        "{tokens} words, {} of them different and frequent",
        vocab.len()
    );

    let counts: Vec<u64> = vocab.counts().collect();
    let mut rng = StdRng::seed_from_u64(training.seed);
    let model = WordVectorModel::new(&counts, args.dim, args.negatives, &mut rng)?;
    let started = Instant::now();
    training.run(&model, &vocab, &sentences, |epoch, loss| {
        println!("epoch {epoch}: loss {loss:.4} a word");
    })?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{seconds:.1} s, {:.0} words/s, {}",
        (tokens * training.epochs) as f64 / seconds,
        usage::peak_memory()
    );

    let vectors = WordVectors::from_table(&vocab, &model.input.weight.value())?;
    for word in args
        .neighbours
        .iter()
        .filter(|word| vocab.id(word).is_some())
    {
        let near: Vec<&str> = vectors
            .nearest(word, 8)?
            .into_iter()
            .map(|(word, _)| word)
            .collect();
        println!("nearest to {word}: {}", near.join(" "));
    }
    match &args.output {
        Some(path) if path.extension().is_some_and(|end| end == "bin") => {
            vectors.save_binary(path)?
        }
        Some(path) => vectors.save_text(path)?,
        None => {}
    }
    Ok(())
}
