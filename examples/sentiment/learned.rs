//! What the model learned, on the terminal and as a page.

use std::error::Error;

use lexigrad::prelude::*;
use lexigrad_text::explain::{IntegratedGradients, TsneOptions, pca, tsne};
use lexigrad_text::read::LabelledText;
use lexigrad_text::report::{Curve, Explained, Neighbours, Report, Series, Space};
use lexigrad_text::train::History;
use lexigrad_text::vectors::WordVectors;
use lexigrad_text::words as tokens_of;

use crate::args::Args;
use crate::model::FEATURES_DIM;
use crate::trained::{Trained, strongest};

/// So many words are shown of each list.
const SHOWN: usize = 10;
/// A word is shown if it was seen so often.
const SEEN: u64 = 10;
/// So many words are shown in the plane, the most frequent.
const IN_SPACE: usize = 500;
/// So many sentences are explained, those it was most wrong about.
const EXPLAINED: usize = 20;

/// The accuracy on the test texts, and which labels were taken for which.
pub fn accuracy(trained: &Trained, test: &[LabelledText]) -> Result<(), Box<dyn Error>> {
    let confusion =
        trained.confusion(trained.models.len(), &trained.description.encode_all(test)?)?;
    println!("test accuracy: {:.4}", confusion.accuracy());
    println!("labels {:?}", trained.description.labels);
    println!("{confusion}");
    Ok(())
}

/// The most likely label of each text, and how likely.
pub fn predictions(trained: &Trained, texts: &[String]) -> Result<(), Box<dyn Error>> {
    for text in texts {
        let found = trained
            .predict(&[trained.description.encode(text, 0)?])?
            .remove(0);
        let best = strongest(&found)[0];
        println!(
            "{} ({:.0} %): {text}",
            trained.description.labels[best],
            100.0 * found[best]
        );
    }
    Ok(())
}

/// The words that pull hardest to each label, and their nearest.
pub fn words(trained: &Trained) -> Result<(), Box<dyn Error>> {
    let vectors = vectors(trained, &trained.models[0].words.weight.value())?;
    for (name, words) in pullers(trained)? {
        println!("words that pull to {name}: {}", words.join(" "));
        for word in words.iter().take(2) {
            let near: Vec<&str> = vectors
                .nearest(word, SHOWN / 2)?
                .into_iter()
                .map(|(word, _)| word)
                .collect();
            println!("nearest to {word}: {}", near.join(" "));
        }
    }
    Ok(())
}

/// Everything on one page.
pub fn report(
    trained: &Trained,
    before: &Tensor,
    history: &History,
    test: &[LabelledText],
    args: &Args,
) -> Result<Report, Box<dyn Error>> {
    let (labels, vocab) = (&trained.description.labels, &trained.description.vocab);
    let encoded = trained.description.encode_all(test)?;
    let confusion = trained.confusion(trained.models.len(), &encoded)?;
    let mut report = Report::new("Sentiment");
    report
        .setting("model", format!("{:?}", args.model))
        .setting("seed", args.seed)
        .setting("words", vocab.len());
    report
        .setting("parameters", trained.models.parameter_count())
        .setting("epochs", history.epochs().len());
    report
        .metric("test accuracy", confusion.accuracy())
        .metric("macro F1", confusion.macro_f1());
    for name in history.names() {
        let series = vec![Series {
            name: name.to_owned(),
            values: history.series(name),
        }];
        report.curve(Curve {
            title: name.to_owned(),
            series,
        });
    }
    report.confusion(labels, &confusion);

    let after = trained.models[0].words.weight.value();
    let pulls: Vec<Vec<f32>> = pulls(trained)?;
    let frequent: Vec<u32> = (2..vocab.len() as u32).take(IN_SPACE).collect();
    let table = after.index_select(0, &Ids::new(&frequent[..])?)?;
    report.space(Space {
        words: vocab
            .decode(&frequent)?
            .into_iter()
            .map(str::to_owned)
            .collect(),
        counts: frequent.iter().map(|&id| vocab.count(id)).collect(),
        values: frequent
            .iter()
            .map(|&id| f64::from(*pulls[id as usize].last().unwrap_or(&0.0)))
            .collect(),
        value_name: format!("pull to {}", labels[labels.len() - 1]),
        pictures: vec![
            ("PCA".to_owned(), pca(&table)?.points),
            (
                "t-SNE".to_owned(),
                tsne(&table, &TsneOptions::default())?.points,
            ),
        ],
    });
    let (before, after) = (vectors(trained, before)?, vectors(trained, &after)?);
    for (_, words) in pullers(trained)? {
        for word in words.into_iter().take(SHOWN / 2) {
            let near = |vectors: &WordVectors| -> lexigrad_text::Result<Vec<(String, f64)>> {
                Ok(vectors
                    .nearest(&word, SHOWN / 2)?
                    .into_iter()
                    .map(|(word, s)| (word.to_owned(), s))
                    .collect())
            };
            report.neighbours(Neighbours {
                before: near(&before)?,
                after: near(&after)?,
                word,
            });
        }
    }
    for (index, probability) in most_wrong(&trained.predict(&encoded)?, test) {
        report.explained(explain(trained, &test[index], probability)?);
    }
    Ok(report)
}

/// What each token of a text adds to the first model's score of the label it was given.
fn explain(
    trained: &Trained,
    example: &LabelledText,
    (predicted, probability): (usize, f32),
) -> Result<Explained, Box<dyn Error>> {
    let (description, model) = (&trained.description, &trained.models[0]);
    let tokens = tokens_of(&example.text);
    let words = model
        .words
        .forward(&Ids::new(description.vocab.encode(&tokens)?)?)?;
    // A run's vector counts for its words in equal parts.
    let spans = description.settings.features.spans(&tokens)?;
    let rows: Vec<u32> = spans.iter().map(|(row, _)| *row).collect();
    let looked_up = model
        .features
        .weight
        .value()
        .index_select(0, &Ids::new(rows)?)?
        .to_vec();
    let mut shares = vec![0.0; tokens.len() * FEATURES_DIM];
    for ((_, span), vector) in spans.iter().zip(looked_up.chunks(FEATURES_DIM)) {
        for place in span.clone() {
            let share = &mut shares[place * FEATURES_DIM..][..FEATURES_DIM];
            share
                .iter_mut()
                .zip(vector)
                .for_each(|(sum, x)| *sum += x / (span.len() * spans.len()) as f32);
        }
    }
    let shares = Tensor::from_slice(&shares, [tokens.len(), FEATURES_DIM])?;
    let dim = description.settings.dim;
    let score = |x: &Tensor| {
        let features = x.narrow(2, dim, FEATURES_DIM)?.sum_axes(&[1])?;
        let lengths = vec![tokens.len(); x.shape()[0]];
        let scores = model.scores(&x.narrow(2, 0, dim)?, &features, &lengths)?;
        scores.narrow(1, predicted, 1)?.squeeze(1)
    };
    let found =
        IntegratedGradients::default().contributions(score, &cat(&[&words, &shares], 1)?)?;
    Ok(Explained {
        tokens,
        contributions: found.contributions,
        label: description.labels[example.label as usize].clone(),
        predicted: description.labels[predicted].clone(),
        probability: f64::from(probability),
    })
}

/// The places of the texts whose wrong label was most probable, with that label and its probability.
fn most_wrong(found: &[Vec<f32>], test: &[LabelledText]) -> Vec<(usize, (usize, f32))> {
    let best = found.iter().map(|probabilities| {
        let best = strongest(probabilities)[0];
        (best, probabilities[best])
    });
    let mut wrong: Vec<_> = best
        .enumerate()
        .filter(|&(index, (best, _))| best != test[index].label as usize)
        .collect();
    wrong.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    wrong.truncate(EXPLAINED);
    wrong
}

/// A label and the words that pull to it.
type Pullers = (String, Vec<String>);

/// For each label the words that pull to it most, of those seen now and then.
fn pullers(trained: &Trained) -> Result<Vec<Pullers>, Box<dyn Error>> {
    let (vocab, pulls) = (&trained.description.vocab, pulls(trained)?);
    let of = |label: usize| -> Vec<String> {
        let pull: Vec<f32> = pulls.iter().map(|pulls| pulls[label]).collect();
        let ids = strongest(&pull).into_iter().map(|id| id as u32);
        let seen = ids.filter(|&id| vocab.count(id) >= SEEN);
        seen.take(SHOWN)
            .filter_map(|id| vocab.word(id))
            .map(str::to_owned)
            .collect()
    };
    let labels = trained.description.labels.iter().enumerate();
    Ok(labels
        .map(|(label, name)| (name.clone(), of(label)))
        .collect())
}

/// For each word, by how much the logarithm of each label's probability is above the mean if the word stands alone.
fn pulls(trained: &Trained) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let words = trained.description.vocab.words();
    let texts = words
        .map(|word| trained.description.encode(word, 0))
        .collect::<Result<Vec<_>, _>>()?;
    let mut pulls = trained.predict(&texts)?;
    for pull in &mut pulls {
        pull.iter_mut()
            .for_each(|probability| *probability = probability.ln());
        let mean = pull.iter().sum::<f32>() / pull.len() as f32;
        pull.iter_mut().for_each(|pull| *pull -= mean);
    }
    Ok(pulls)
}

fn vectors(trained: &Trained, table: &Tensor) -> lexigrad_text::Result<WordVectors> {
    WordVectors::from_table(&trained.description.vocab, table)
}
