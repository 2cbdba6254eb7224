//! What the model learned.

use std::error::Error;

use lexigrad::prelude::*;

use crate::features::Features;
use crate::model::Classifier;
use crate::reader::Example;

fn predict(features: &Features, model: &Classifier, texts: &[&str]) -> Result<Tensor> {
    let lists: Vec<Vec<u32>> = texts.iter().map(|text| features.ids(text)).collect();
    model.forward(&Bags::from_lists(&lists)?)?.softmax(-1)
}

/// The accuracy on the test texts and what was taken for what.
pub fn accuracy(
    features: &Features,
    model: &Classifier,
    test: &[Example],
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = test.iter().map(|example| example.text.as_str()).collect();
    let best = predict(features, model, &texts)?.argmax(-1)?;
    let labels = features.labels();
    let mut confusion = vec![vec![0; labels.len()]; labels.len()];
    for (example, &found) in test.iter().zip(best.as_slice()) {
        confusion[example.label as usize][found as usize] += 1;
    }
    let right: usize = (0..labels.len()).map(|label| confusion[label][label]).sum();
    println!(
        "test accuracy: {:.4}",
        right as f64 / test.len().max(1) as f64
    );
    println!("confusion (rows: true label, columns: found):");
    println!(
        "{:>12} {}",
        "",
        labels
            .iter()
            .map(|label| format!("{label:>8}"))
            .collect::<String>()
    );
    for (label, counts) in labels.iter().zip(&confusion) {
        println!(
            "{label:>12} {}",
            counts
                .iter()
                .map(|count| format!("{count:>8}"))
                .collect::<String>()
        );
    }
    Ok(())
}

/// The words that pull hardest to each label, and the nearest neighbours of the strongest two.
pub fn words(features: &Features, model: &Classifier) -> Result<(), Box<dyn Error>> {
    const SHOWN: usize = 10;
    let words = features.words();
    let vectors = model.embed.weight.value().narrow(0, 0, words.len())?;
    let pulls = vectors.matmul(&model.out.weight.value().transpose(0, 1)?)?;
    let mean = pulls.mean_keep(&[-1])?;
    let pulls = pulls.sub(&mean)?.transpose(0, 1)?;
    let mut strongest = Vec::new();
    for (label, pull) in features
        .labels()
        .iter()
        .zip(pulls.values().chunks(words.len()))
    {
        let best = largest(pull, SHOWN);
        let names: Vec<&str> = best.iter().map(|&word| words[word].as_str()).collect();
        println!("pull to {label}: {}", names.join(" "));
        strongest.extend(best.into_iter().take(2));
    }
    let lengths = vectors.square().sum_keep(&[-1])?.sqrt().add_scalar(1e-12);
    let directions = vectors.div(&lengths)?;
    for word in strongest {
        let own = directions.narrow(0, word, 1)?.transpose(0, 1)?;
        let similarities = directions.matmul(&own)?.to_vec();
        let near = largest(&similarities, SHOWN / 2 + 1)
            .into_iter()
            .filter(|&other| other != word);
        let names: Vec<&str> = near.map(|other| words[other].as_str()).collect();
        println!("nearest to {}: {}", words[word], names.join(" "));
    }
    Ok(())
}

/// The positions of the `count` largest values, the largest first.
fn largest(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order.truncate(count);
    order
}

/// The label of each text and how sure the model is.
pub fn predictions(
    features: &Features,
    model: &Classifier,
    texts: &[String],
) -> Result<(), Box<dyn Error>> {
    for text in texts {
        let probabilities = predict(features, model, &[text])?.to_vec();
        let best = largest(&probabilities, 1)[0];
        println!(
            "{} ({:.0} %): {text}",
            features.labels()[best],
            100.0 * probabilities[best]
        );
    }
    Ok(())
}
