//! The training loop.

use std::error::Error;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use lexigrad::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::args::Args;
use crate::features::Features;
use crate::model::Classifier;
use crate::reader::{Corpus, Example};

/// A text as its ids.
struct Encoded {
    ids: Vec<u32>,
    label: u32,
}

fn encode(features: &Features, examples: &[Example]) -> Vec<Encoded> {
    let encode = |example: &Example| Encoded {
        ids: features.ids(&example.text),
        label: example.label,
    };
    examples.iter().map(encode).collect()
}

pub fn train(
    model: &Classifier,
    features: &Features,
    corpus: &Corpus,
    args: &Args,
    rng: &mut StdRng,
) -> Result<(), Box<dyn Error>> {
    let mut texts = encode(features, &corpus.train);
    let dev = encode(features, &corpus.dev);
    let mut optimizer = Adam::new(args.lr).build(model);
    let steps = args.epochs * texts.len().div_ceil(args.batch);
    let bar = ProgressBar::new(steps as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {percent}% {msg} ({eta} left)",
    )?);
    let mut step = 0;
    for epoch in 1..=args.epochs {
        let start = Instant::now();
        let (mut loss_sum, mut tokens) = (0.0, 0);
        texts.shuffle(rng);
        for batch in texts.chunks(args.batch) {
            let left = 1.0 - step as f64 / steps as f64;
            optimizer.set_learning_rate(args.lr * left);
            let (bags, labels) = collate(batch, args.dropout, rng)?;
            tokens += bags.ids().len();
            let tape = Tape::new();
            let loss = cross_entropy(&model.forward(&bags)?, &labels)?;
            let grads = tape.backward(&loss)?;
            optimizer.step(&grads)?;
            loss_sum += f64::from(loss.item()?) * batch.len() as f64;
            step += 1;
            bar.inc(1);
        }
        let loss = loss_sum / texts.len() as f64;
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        let accuracy = accuracy(model, &dev)?;
        let line = format!(
            "epoch {epoch:2}  loss {loss:.4}  dev accuracy {accuracy:.4}  {speed:.0} tokens/s"
        );
        bar.suspend(|| println!("{line}"));
    }
    bar.finish_and_clear();
    Ok(())
}

/// The texts of a batch with a share of their ids left out at random.
fn collate(batch: &[Encoded], dropout: f64, rng: &mut impl Rng) -> Result<(Bags, Ids)> {
    let mut thin = |text: &Encoded| -> Vec<u32> {
        text.ids
            .iter()
            .copied()
            .filter(|_| !rng.random_bool(dropout))
            .collect()
    };
    let lists: Vec<Vec<u32>> = batch.iter().map(&mut thin).collect();
    let labels: Vec<u32> = batch.iter().map(|text| text.label).collect();
    Ok((Bags::from_lists(&lists)?, Ids::new(labels)?))
}

fn accuracy(model: &Classifier, texts: &[Encoded]) -> Result<f64> {
    let lists: Vec<&[u32]> = texts.iter().map(|text| text.ids.as_slice()).collect();
    let best = model.forward(&Bags::from_lists(&lists)?)?.argmax(-1)?;
    let pairs = best.as_slice().iter().zip(texts);
    let right = pairs.filter(|(best, text)| **best == text.label).count();
    Ok(right as f64 / texts.len().max(1) as f64)
}
