//! The training loop.

use std::error::Error;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use lexigrad::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::args::Args;
use crate::model::{Classifier, Trained};
use crate::reader::{Corpus, Example};
use crate::tokenizer::tokenize;
use crate::vocabulary::Vocabulary;

/// A text as the rows that stand for it.
struct Encoded {
    rows: Vec<u32>,
    label: u32,
}

fn encode(vocabulary: &Vocabulary, examples: &[Example]) -> Vec<Encoded> {
    let encode = |example: &Example| Encoded {
        rows: vocabulary.encode(&tokenize(&example.text)),
        label: example.label,
    };
    examples.iter().map(encode).collect()
}

fn collate(texts: &[Encoded]) -> Result<(Bags, Ids)> {
    let lists: Vec<&[u32]> = texts.iter().map(|text| text.rows.as_slice()).collect();
    let labels: Vec<u32> = texts.iter().map(|text| text.label).collect();
    Ok((Bags::from_lists(&lists)?, Ids::new(labels)?))
}

/// Trains by cross-entropy and sparse Adagrad: a step touches the rows of its texts and no other.
pub fn train(
    trained: &Trained,
    corpus: &Corpus,
    args: &Args,
    rng: &mut StdRng,
) -> Result<(), Box<dyn Error>> {
    let model = &trained.model;
    let mut texts = encode(&trained.vocabulary, &corpus.train);
    let dev = encode(&trained.vocabulary, &corpus.dev);
    let mut optimizer = Adagrad::new(f64::from(args.lr)).build(model);
    let bar = ProgressBar::new((args.epochs * texts.len()) as u64);
    bar.set_style(ProgressStyle::with_template(
        "{bar:40} {percent} % of {len} texts, {eta} left",
    )?);
    for epoch in 1..=args.epochs {
        let start = Instant::now();
        let (mut loss_sum, mut tokens) = (0.0, 0);
        texts.shuffle(rng);
        for batch in texts.chunks(args.batch_size) {
            let (bags, labels) = collate(batch)?;
            let tape = Tape::new();
            let loss = cross_entropy(&model.forward(&bags)?, &labels)?;
            let grads = tape.backward(&loss)?;
            optimizer.step(&grads)?;
            loss_sum += f64::from(loss.item()?) * batch.len() as f64;
            tokens += bags.ids().len();
            bar.inc(batch.len() as u64);
        }
        let loss = loss_sum / texts.len() as f64;
        let speed = tokens as f64 / start.elapsed().as_secs_f64();
        let accuracy = accuracy(model, &dev)?;
        let line = format!(
            "epoch {epoch}: loss {loss:.4}, dev accuracy {accuracy:.4}, {speed:.0} tokens/s"
        );
        bar.suspend(|| println!("{line}"));
    }
    bar.finish_and_clear();
    Ok(())
}

fn accuracy(model: &Classifier, texts: &[Encoded]) -> Result<f64> {
    let (bags, labels) = collate(texts)?;
    let best = model.forward(&bags)?.argmax(-1)?;
    let pairs = best.as_slice().iter().zip(labels.as_slice());
    let right = pairs.filter(|(best, label)| best == label).count();
    Ok(right as f64 / texts.len().max(1) as f64)
}
