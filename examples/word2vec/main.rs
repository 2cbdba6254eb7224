//! Learns vectors of words from the words beside them.
//!
//! `cargo run --release --example word2vec` trains on a small sample; `-- --help` lists the options.

mod args;
mod model;

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use lexigrad::prelude::*;
use lexigrad::tensor::set_seed;
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::Progress;
use lexigrad_text::vectors::WordVectors;
use lexigrad_text::{Vocab, VocabOptions, read, usage};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use args::Args;
use model::{Chunk, WordVectorModel};

/// Words of a chunk, more or less: it ends with a sentence.
const CHUNK: usize = 64;
/// Chunks before each step, of which threads take one at a time.
const CHUNKS: usize = 8;
/// The share of the rate that is left at the end.
const LAST_RATE: f64 = 0.004;

type Outcome = std::result::Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let args = Args::parse();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.threads);
    // On a thread of the pool a step enters it at no cost.
    threads.build()?.install(|| run(&args))
}

fn run(args: &Args) -> Outcome {
    set_seed(args.seed);
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
    let mut rng = StdRng::seed_from_u64(args.seed);
    let model = WordVectorModel::new(&counts, args.dim, args.negatives, &mut rng)?;
    let started = Instant::now();
    learn(&model, args, &kept(&vocab, args.subsample), &sentences)?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{seconds:.1} s, {:.0} words/s, {}",
        (tokens * args.epochs) as f64 / seconds,
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

/// Trains by sparse stochastic gradient descent, at a rate that falls evenly.
fn learn(model: &WordVectorModel, args: &Args, kept: &[f64], sentences: &[Vec<u32>]) -> Outcome {
    let mut optimizer = Sgd::new(args.rate()).build(model);
    for epoch in 0..args.epochs {
        let seed = args.seed.wrapping_add((epoch as u64 + 1) << 32);
        let chunks = chunks(
            sentences,
            kept,
            args.window,
            &mut StdRng::seed_from_u64(seed),
        );
        let batches = chunks.len().div_ceil(CHUNKS);
        let mut losses = Mean::default();
        let label = format!("epoch {}/{}", epoch + 1, args.epochs);
        for (index, batch) in Progress::new(chunks.chunks(CHUNKS), &label, true).enumerate() {
            let done = (epoch as f64 + index as f64 / batches as f64) / args.epochs as f64;
            optimizer.set_learning_rate(args.rate() * (1.0 - done).max(LAST_RATE));
            let (loss, grads) = data_parallel(batch, |chunk| model.loss(chunk, args.model))?;
            optimizer.step(&grads)?;
            losses.add(
                loss / batch.iter().map(|chunk| chunk.words.len()).sum::<usize>() as f32,
                1,
            );
        }
        println!("epoch {}: loss {:.4} a word", epoch + 1, losses.value());
    }
    Ok(())
}

/// The probability with which each word is kept: `√(t/f) + t/f`, at most 1, of its share f of the text.
fn kept(vocab: &Vocab, threshold: f64) -> Vec<f64> {
    let total: u64 = vocab.counts().sum();
    let ratio = |count: u64| threshold * total as f64 / count as f64;
    vocab
        .counts()
        .map(|count| ratio(count).sqrt() + ratio(count))
        .collect()
}

/// The words that are kept this time, a few sentences in each chunk.
fn chunks(sentences: &[Vec<u32>], kept: &[f64], window: usize, rng: &mut StdRng) -> Vec<Chunk> {
    let (mut chunks, mut chunk) = (Vec::new(), Chunk::default());
    for (index, sentence) in sentences.iter().enumerate() {
        let words: Vec<u32> = sentence
            .iter()
            .copied()
            .filter(|&word| rng.random::<f64>() < kept[word as usize])
            .collect();
        for part in words.chunks(CHUNK).filter(|part| part.len() > 1) {
            chunk.words.extend(part);
            chunk.sentences.resize(chunk.words.len(), index);
            let reaches = part.iter().map(|_| rng.random_range(1..=window));
            chunk.reaches.extend(reaches);
        }
        if chunk.words.len() >= CHUNK {
            chunks.push(std::mem::take(&mut chunk));
        }
    }
    chunks.push(chunk);
    chunks.retain(|chunk| !chunk.words.is_empty());
    chunks
}
