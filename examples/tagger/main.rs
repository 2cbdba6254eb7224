//! Learns the tag of each word, such as its part of speech, from tagged sentences.
//!
//! `cargo run --release --example tagger` trains on a small sample; `-- --help` lists the options.

mod args;
mod model;

use std::error::Error;
use std::time::Instant;

use clap::Parser;
use lexigrad::optim::schedule::OneCycle;
use lexigrad::prelude::*;
use lexigrad_text::batch::{Padded, by_length};
use lexigrad_text::metrics::Mean;
use lexigrad_text::train::{Training, TrainingOptions};
use lexigrad_text::{HashedFeatures, Vocab, VocabOptions, read, usage};
use rand::{SeedableRng, rngs::StdRng};
use rayon::prelude::*;

use args::Args;
use model::{BUCKETS, Batch, Tagger, affixes};

/// Sentences that a thread takes at a time: what is summed in which order follows from it, never from the number of threads.
const SHARD: usize = 8;

/// A sentence and its tags.
type Tagged = (Vec<String>, Vec<String>);

/// A model with its words and tags.
struct Trained {
    model: Tagger,
    words: Vocab,
    tags: Vocab,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    let started = Instant::now();
    let [train, dev, test] = read_parts(&args)?;
    let trained = learn(&args, &train, &dev)?;
    trained.judge("test", &test)?;
    println!(
        "{:.0} s, {}",
        started.elapsed().as_secs_f64(),
        usage::peak_memory()
    );
    for sentence in &args.predict {
        let words: Vec<String> = sentence.split_whitespace().map(str::to_lowercase).collect();
        let found = trained.tag(&[&(words.clone(), Vec::new())])?.remove(0);
        let tags = trained.tags.decode(&found)?;
        let pairs: Vec<String> = words
            .iter()
            .zip(tags)
            .map(|(word, tag)| format!("{word}/{tag}"))
            .collect();
        println!("{}", pairs.join(" "));
    }
    Ok(())
}

/// The sentences to train on, to watch progress by and to judge by.
fn read_parts(args: &Args) -> Result<[Vec<Tagged>; 3], Box<dyn Error>> {
    let cut = |tag: String| {
        let mut tag = tag.as_str();
        while let Some(rest) = args
            .drop_suffix
            .iter()
            .find_map(|suffix| tag.strip_suffix(suffix.as_str()))
        {
            tag = rest;
        }
        tag.to_owned()
    };
    let mut sentences: Vec<Tagged> = Vec::new();
    for sentence in read::columns(&args.data)? {
        let mut columns = sentence?.columns;
        let tags = columns
            .pop()
            .unwrap_or_default()
            .into_iter()
            .map(cut)
            .collect();
        sentences.push((columns.swap_remove(0), tags));
    }
    if let Some(path) = &args.split {
        let parts = read::parts(path)?;
        let part = |name| -> lexigrad_text::Result<Vec<Tagged>> {
            Ok(read::items_of(&sentences, &parts, name)?
                .into_iter()
                .cloned()
                .collect())
        };
        return Ok([part("train")?, part("dev")?, part("test")?]);
    }
    let tenth = sentences.len() / 10;
    let test = sentences.split_off(sentences.len() - tenth);
    let dev = sentences.split_off(sentences.len() - tenth);
    Ok([sentences, dev, test])
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

impl Trained {
    fn collate(&self, sentences: &[&Tagged]) -> lexigrad_text::Result<Batch> {
        let words = sentences.iter().map(|(words, _)| self.words.encode(words));
        let words = Padded::new(&words.collect::<Result<Vec<_>, _>>()?, 0)?;
        let tags = sentences.iter().map(|(_, tags)| self.tags.encode(tags));
        let tags = Padded::new(&tags.collect::<Result<Vec<_>, _>>()?, 0)?;
        Ok(Batch {
            letters: letters(sentences, words.ids.shape()[1])?,
            words,
            tags,
        })
    }

    fn tag(&self, sentences: &[&Tagged]) -> lexigrad_text::Result<Vec<Vec<u32>>> {
        let words = sentences.iter().map(|(words, _)| self.words.encode(words));
        let words = Padded::new(&words.collect::<Result<Vec<_>, _>>()?, 0)?;
        Ok(self
            .model
            .tag(&words, &letters(sentences, words.ids.shape()[1])?)?)
    }

    /// The share of words whose tag is right, and of those never seen in training.
    fn judge(&self, name: &str, sentences: &[Tagged]) -> Result<(), Box<dyn Error>> {
        let all: Vec<&Tagged> = sentences.iter().collect();
        let found: Vec<Vec<Vec<u32>>> = all
            .par_chunks(SHARD)
            .map(|shard| self.tag(shard))
            .collect::<Result<_, _>>()?;
        let (mut right, mut unseen) = (Mean::default(), Mean::default());
        for ((words, tags), found) in sentences.iter().zip(found.into_iter().flatten()) {
            for ((word, tag), found) in words.iter().zip(tags).zip(found) {
                let is_right = f64::from(u8::from(self.tags.id(tag) == Some(found)));
                right.add(is_right, 1);
                if self.words.id(word).is_none() {
                    unseen.add(is_right, 1);
                }
            }
        }
        println!(
            "{name}: {:.4} of {} words right; {:.4} of {} rare or unseen",
            right.value(),
            right.items(),
            unseen.value(),
            unseen.items()
        );
        Ok(())
    }
}

/// A bag of affixes for each place of the padded sentences, an empty one for padding.
fn letters(sentences: &[&Tagged], length: usize) -> lexigrad_text::Result<Bags> {
    let features = HashedFeatures {
        longest_run: 0,
        beginning: 1,
        buckets: BUCKETS,
    };
    let mut bags = Vec::with_capacity(sentences.len() * length);
    for (words, _) in sentences {
        for word in words {
            let rows = affixes(word)
                .into_iter()
                .map(|affix| features.row(&[&affix]));
            bags.push(rows.collect::<Result<Vec<u32>, _>>()?);
        }
        bags.resize(bags.len() + length - words.len(), Vec::new());
    }
    Ok(Bags::from_lists(&bags)?)
}
