//! What the model learned.

use std::error::Error;

use lexigrad::prelude::*;

use crate::model::Trained;
use crate::reader::Example;

/// So many words are shown of each list.
const SHOWN: usize = 10;

/// The accuracy on the test texts, and which labels were taken for which.
pub fn accuracy(trained: &Trained, test: &[Example]) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = test.iter().map(|example| example.text.as_str()).collect();
    let best = trained.predict(&texts)?.argmax(-1)?;
    let labels = &trained.labels;
    let mut counts = vec![vec![0; labels.len()]; labels.len()];
    for (example, &found) in test.iter().zip(best.as_slice()) {
        counts[example.label as usize][found as usize] += 1;
    }
    let right: usize = (0..labels.len()).map(|label| counts[label][label]).sum();
    println!(
        "test accuracy: {:.4}",
        right as f64 / test.len().max(1) as f64
    );
    println!("confusion, a row for each true label and a column for each found:");
    let header: String = labels.iter().map(|label| format!(" {label:>8}")).collect();
    println!("{:>12}{header}", "");
    for (label, counts) in labels.iter().zip(&counts) {
        let row: String = counts.iter().map(|count| format!(" {count:>8}")).collect();
        println!("{label:>12}{row}");
    }
    Ok(())
}

/// The words that pull hardest to each label, and the nearest neighbours of the strongest.
pub fn words(trained: &Trained) -> Result<(), Box<dyn Error>> {
    let words = trained.vocabulary.words();
    if words.is_empty() {
        return Ok(());
    }
    let pulls = pulls(trained)?.transpose(0, 1)?;
    let mut strongest = Vec::new();
    for (label, pull) in trained
        .labels
        .iter()
        .zip(pulls.values().chunks(words.len()))
    {
        let best = largest(pull, SHOWN);
        println!("words that pull to {label}: {}", list(words, &best));
        strongest.extend(best.into_iter().take(2));
    }
    let vectors = trained
        .model
        .embed
        .weight
        .value()
        .narrow(0, 0, words.len())?;
    let lengths = vectors.square().sum_keep(&[-1])?.sqrt();
    let directions = vectors.div(&lengths.add_scalar(1e-12))?;
    for word in strongest {
        let own = directions.narrow(0, word, 1)?.transpose(0, 1)?;
        let similarities = directions.matmul(&own)?.to_vec();
        let mut near = largest(&similarities, SHOWN / 2 + 1);
        near.retain(|&other| other != word);
        println!("nearest to {}: {}", words[word], list(words, &near));
    }
    Ok(())
}

/// What each word adds to the score of each label in any text, beyond what it adds to all of them: `[words, labels]`.
fn pulls(trained: &Trained) -> Result<Tensor> {
    let encode = |word: &String| trained.vocabulary.encode(std::slice::from_ref(word));
    let lists: Vec<Vec<u32>> = trained.vocabulary.words().iter().map(encode).collect();
    let lengths: Vec<f32> = lists.iter().map(|rows| rows.len() as f32).collect();
    let means = trained.model.embed.forward(&Bags::from_lists(&lists)?)?;
    let sums = means.mul(&Tensor::from(lengths).unsqueeze(-1)?)?;
    let scores = sums.matmul(&trained.model.out.weight.value().transpose(0, 1)?)?;
    scores.sub(&scores.mean_keep(&[-1])?)
}

fn list(words: &[String], places: &[usize]) -> String {
    let names: Vec<&str> = places.iter().map(|&place| words[place].as_str()).collect();
    names.join(" ")
}

/// The places of the `count` largest values, the largest first.
fn largest(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(count);
    order
}

/// The most likely label of each text, and how likely.
pub fn predictions(trained: &Trained, texts: &[String]) -> Result<(), Box<dyn Error>> {
    for text in texts {
        let probabilities = trained.predict(&[text])?;
        let best = probabilities.argmax(-1)?.as_slice()[0] as usize;
        let percent = 100.0 * probabilities.to_vec()[best];
        println!("{} ({percent:.0} %): {text}", trained.labels[best]);
    }
    Ok(())
}
