//! Whole trainings, from the file to the model.

use std::error::Error;

use lexigrad::prelude::*;
use lexigrad_text::batch::{in_order, shuffled};
use lexigrad_text::metrics::Confusion;
use lexigrad_text::read::LabelledTexts;
use lexigrad_text::{HashedFeatures, VocabOptions, read, words};
use rand::{SeedableRng, rngs::StdRng};

use super::word2vec::model::{Kind, WordVectorModel};
use super::word2vec::train::Training;
use crate::protocol::Step;

type Loaded = std::result::Result<Step, Box<dyn Error>>;

/// An epoch of skip-gram over a text that was read; what it gives is the number of words.
pub fn sgns(text: &str, dim: usize, window: usize, negatives: usize) -> Loaded {
    let lines = read::lines(text)?
        .map(|line| Ok(line?.text))
        .collect::<lexigrad_text::Result<Vec<String>>>()?;
    let options = VocabOptions {
        minimum_count: 5,
        ..VocabOptions::plain()
    };
    let vocab = options.build(lines.iter().flat_map(|line| line.split_whitespace()))?;
    let known = |line: &String| {
        line.split_whitespace()
            .filter_map(|word| vocab.id(word))
            .collect()
    };
    let sentences: Vec<Vec<u32>> = lines.iter().map(known).collect();
    let total: usize = lines
        .iter()
        .map(|line| line.split_whitespace().count())
        .sum();
    let counts: Vec<u64> = vocab.counts().collect();
    let model = WordVectorModel::new(&counts, dim, negatives, &mut StdRng::seed_from_u64(1))?;
    let training = Training {
        model: Kind::Skipgram,
        epochs: 1,
        window,
        subsample: 1e-3,
        lr: None,
        seed: 1,
    };
    Ok(Box::new(move || {
        match training.run(&model, &vocab, &sentences, |_, _| {}) {
            Ok(()) => total as f64,
            Err(_) => f64::NAN,
        }
    }))
}

/// Rows for words and pairs of neighbours, and the numbers of each, as for fastText.
const BUCKETS: u32 = 200_000;
const DIM: usize = 16;
const BATCH: usize = 16;
/// The fewest that reach 0.79 on the dev texts.
const EPOCHS: usize = 2;
const RATE: f64 = 0.5;

#[derive(Module)]
struct Classifier {
    embed: EmbeddingBag,
    out: Linear,
}

struct Texts {
    rows: Vec<Vec<u32>>,
    labels: Vec<u32>,
}

impl Texts {
    fn load(path: &str) -> std::result::Result<Self, Box<dyn Error>> {
        let features = HashedFeatures {
            longest_run: 2,
            beginning: 0,
            buckets: BUCKETS,
        };
        let texts = LabelledTexts::load(path)?;
        let rows = texts
            .examples
            .iter()
            .map(|example| features.rows(&words(&example.text)));
        Ok(Self {
            rows: rows.collect::<lexigrad_text::Result<_>>()?,
            labels: texts.label_ids(),
        })
    }

    fn batch(&self, places: &[usize]) -> Result<(Bags, Ids)> {
        let lists: Vec<&[u32]> = places.iter().map(|&place| &self.rows[place][..]).collect();
        let labels: Vec<u32> = places.iter().map(|&place| self.labels[place]).collect();
        Ok((Bags::from_lists(&lists)?, Ids::new(labels)?))
    }
}

/// Reads, trains and judges; what it gives is the share of dev texts that are right.
pub fn fasttext(train: &str, dev: &str) -> Loaded {
    let (train, dev) = (train.to_owned(), dev.to_owned());
    Ok(Box::new(move || classify(&train, &dev).unwrap_or(f64::NAN)))
}

fn classify(train: &str, dev: &str) -> std::result::Result<f64, Box<dyn Error>> {
    let (train, dev) = (Texts::load(train)?, Texts::load(dev)?);
    let rng = &mut StdRng::seed_from_u64(1);
    let bound = 1.0 / DIM as f32;
    let table = Tensor::uniform([BUCKETS as usize, DIM], -bound, bound, rng);
    let embed = EmbeddingBag::from_pretrained(&table)?;
    embed.weight.set_requires_grad(true);
    let model = Classifier {
        embed,
        out: Linear::new(DIM, 2, rng),
    };
    let scores = |bags: &Bags| model.out.forward(&model.embed.forward(bags)?);
    let mut optimizer = Adagrad::new(RATE).build(&model);
    for _ in 0..EPOCHS {
        for places in shuffled(train.rows.len(), BATCH, rng) {
            let (bags, labels) = train.batch(&places)?;
            let tape = Tape::new();
            let loss = cross_entropy(&scores(&bags)?, &labels)?;
            optimizer.step(&tape.backward(&loss)?)?;
        }
    }
    let mut confusion = Confusion::new(2);
    for places in in_order(dev.rows.len(), 256) {
        let (bags, labels) = dev.batch(&places)?;
        confusion.add(&labels, &scores(&bags)?.argmax(-1)?)?;
    }
    Ok(confusion.accuracy())
}
