//! Learns to turn one sequence into another from pairs, such as spelling into phones.
//!
//! `cargo run --release --example translate` trains on a small sample; `-- --help` lists the options.

mod args;
mod draw;
mod model;
mod trained;

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use lexigrad::optim::schedule::OneCycle;
use lexigrad::prelude::*;
use lexigrad_text::batch::{Padded, by_length};
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::{Training, TrainingOptions};
use lexigrad_text::{read, usage};

use args::Args;
use trained::{PADDING, Pair, Trained};

/// Pairs that a thread takes at a time: what is summed in which order follows from it, never from the number of threads.
const SHARD: usize = 64;
/// Pairs of dev that are translated after each epoch.
const WATCHED: usize = 1000;

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
    if let Some(path) = &args.attention {
        // A name that cannot be written is known before the training, not after it.
        let file = File::options().append(true).create(true).open(path);
        file.map_err(|cause| format!("{}: {cause}", path.display()))?;
    }
    let trained = learn(args, &train, &dev)?;
    trained.judge("test", &test, args.beam)?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{seconds:.0} s, {}", usage::peak_memory());
    let first = [test[0].0.clone()];
    let sources = [&first, &args.predict[..]][usize::from(!args.predict.is_empty())];
    for text in sources {
        println!("{text}: {}", trained.translated(text, args.beam)?);
    }
    match &args.attention {
        Some(path) => trained.draw(path, &sources[0], args.beam),
        None => Ok(()),
    }
}

/// The pairs to train on, to watch and to judge by, some of each.
fn read_parts(args: &Args) -> Result<[Vec<Pair>; 3], Box<dyn Error>> {
    let mut train = read::pairs(&args.train)?;
    let mut part = |path: &Option<PathBuf>| match path {
        Some(path) => read::pairs(path),
        None => Ok(train.split_off(train.len() - train.len() / 10)),
    };
    let (dev, test) = (part(&args.dev)?, part(&args.test)?);
    let parts = [train, dev, test];
    let files = [
        ("train", None),
        ("dev", args.dev.as_ref()),
        ("test", args.test.as_ref()),
    ];
    for (part, (name, path)) in parts.iter().zip(files) {
        if part.is_empty() {
            let path = path.unwrap_or(&args.train).display();
            return Err(format!("{path}: there is no pair for {name}").into());
        }
    }
    Ok(parts)
}

/// Trains by Adam on what comes next, label by label, a rate that rises and falls, gradients no longer than 1.
fn learn(args: &Args, train: &[Pair], dev: &[Pair]) -> Result<Trained, Box<dyn Error>> {
    let trained = Trained::new(args, train)?;
    let pairs: Vec<[Vec<u32>; 2]> = train
        .iter()
        .map(|pair| trained.encode(pair))
        .collect::<Result<_, _>>()?;
    let lengths: Vec<usize> = pairs.iter().map(|[source, _]| source.len()).collect();

    let mut optimizer = Adam::new(args.lr).build(&trained.model);
    let steps = args.epochs * pairs.len().div_ceil(args.batch_size);
    let schedule = OneCycle {
        rising: 0.1,
        ..OneCycle::new(args.lr, steps as u64)
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
            let (loss, tokens, mut grads) = gradients(&trained, &pairs, &batch)?;
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

/// The mean loss of a batch's target tokens, how many they are, and the gradients.
fn gradients(
    trained: &Trained,
    pairs: &[[Vec<u32>; 2]],
    batch: &[usize],
) -> lexigrad_text::Result<(f32, usize, Gradients)> {
    let tokens: usize = batch.iter().map(|&index| pairs[index][1].len() - 1).sum();
    let shards: Vec<[Padded; 3]> = batch
        .chunks(SHARD)
        .map(|shard| collate(pairs, shard))
        .collect::<Result<_, _>>()?;
    let (loss, gradients) = data_parallel(&shards, |[source, given, wanted]| {
        let loss = trained.model.loss(source, given, wanted)?;
        Ok(loss.mul_scalar(1.0 / tokens as f32))
    })?;
    Ok((loss, tokens, gradients))
}

/// The sources, what the decoder is given, and what it is to say next.
fn collate(pairs: &[[Vec<u32>; 2]], shard: &[usize]) -> lexigrad_text::Result<[Padded; 3]> {
    let pad = |cut: fn(&[Vec<u32>; 2]) -> &[u32]| {
        let lists: Vec<&[u32]> = shard.iter().map(|&index| cut(&pairs[index])).collect();
        Padded::new(&lists, PADDING)
    };
    let source = pad(|[source, _]| source)?;
    let given = pad(|[_, target]| &target[..target.len() - 1])?;
    Ok([source, given, pad(|[_, target]| &target[1..])?])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    /// Runs of up to four letters, each to be said backwards and in capitals.
    fn backwards() -> Vec<Pair> {
        let word = |number: usize| -> String {
            let letter = |place: u32| char::from(b'a' + (number / 3_usize.pow(place) % 3) as u8);
            (0..1 + number as u32 % 4).map(letter).collect()
        };
        let said = |word: &String| -> String { word.to_uppercase().chars().rev().collect() };
        (0..60)
            .map(word)
            .map(|word| (word.clone(), said(&word)))
            .collect()
    }

    fn learned(threads: usize, pairs: &[Pair]) -> Trained {
        let options =
            "translate --target characters --hidden 16 --epochs 40 --batch-size 20 --lr 0.02";
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let args = Args::parse_from(options.split(' '));
        pool.unwrap()
            .install(|| learn(&args, pairs, &pairs[..1]).unwrap())
    }

    #[test]
    fn it_learns_and_the_number_of_threads_changes_no_bit() {
        let pairs = backwards();
        let trained = learned(1, &pairs);
        let right = |(source, target): &&Pair| trained.translated(source, 3).unwrap() == *target;
        assert!(pairs.iter().filter(right).count() >= 57);
        let (one, three) = (
            trained.model.parameters(),
            learned(3, &pairs).model.parameters(),
        );
        for (one, three) in one.iter().zip(&three) {
            assert_eq!(one.value().to_vec(), three.value().to_vec());
        }
    }

    #[test]
    fn a_part_without_pairs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.tsv");
        std::fs::write(&path, "a\tb\n".repeat(10)).unwrap();
        let args = Args::parse_from(["translate", "--train", path.to_str().unwrap()]);
        let message = read_parts(&args).unwrap_err().to_string();
        assert!(
            message.ends_with("pairs.tsv: there is no pair for test"),
            "{message}"
        );
        std::fs::write(&path, "a\tb\n".repeat(11)).unwrap();
        assert!(read_parts(&args).is_ok());
    }
}
