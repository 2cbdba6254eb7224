//! What the command line accepts.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

/// Learns to tell the label of a short text from its words, and says what it learned.
///
/// With no options it trains on 8,333 sentences of movie reviews, each labelled 1 (liked it) or 0 (did not), and reports how often it
/// is right on sentences it has never seen.
#[derive(Debug, Parser)]
#[command(name = "sentiment")]
pub struct Args {
    /// Train on your own file instead of the movie reviews: a label and a text on each line, with a tab between; or CSV, JSON lines,
    /// or fastText's `__label__NAME text`. Any number of labels from two up. The seed shuffles the lines: 80 % are trained on, 10 %
    /// (dev) show progress after each epoch, and 10 % (test) are kept for the end.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Start from the vectors in this file, in any format of word2vec, GloVe or fastText.
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    pub vectors: Option<PathBuf>,
    /// What is made of the words of a text, beside its word runs and word beginnings.
    #[arg(long, value_enum, default_value_t = Kind::Bag, conflicts_with = "load")]
    pub model: Kind,
    /// Write what was learned to this HTML file: curves, confusion, the words' space, neighbours, the most wrong sentences.
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    pub report: Option<PathBuf>,
    /// Write the trained model to this safetensors file, with its words and labels.
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    pub save: Option<PathBuf>,
    /// Read a model written by --save instead of training one.
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,
    /// Say the label of this text; give the option again for each further text.
    #[arg(long, value_name = "TEXT")]
    pub predict: Vec<String>,
    /// Where the random numbers start: the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Processor threads to use; the result is the same with any number of them.
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub threads: usize,
    /// Numbers learned for each word; those of the vectors, if there are any.
    #[arg(long, default_value_t = 16, value_parser = count)]
    pub dim: usize,
    /// Numbers that a network other than the bag makes of a text.
    #[arg(long, default_value_t = 100, value_parser = count)]
    pub hidden: usize,
    /// Train so many models, each from other random numbers, and answer with the mean of their probabilities.
    #[arg(long, default_value_t = 1, value_parser = count)]
    pub ensemble: usize,
    /// Times to go through the training texts; by default 4 for a bag and 6 for the others.
    #[arg(long, value_parser = count)]
    pub epochs: Option<usize>,
    /// Learning rate, the size of a step; by default 0.05 for a bag and 0.02 for the others.
    #[arg(long, value_parser = rate)]
    pub lr: Option<f64>,
    /// Texts to look at before each step.
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Longest run of neighbouring words learned as one unit, as "not good" is with 2; with 1, words only.
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub ngrams: usize,
    /// Learn the first letters of a word too, this many, so that "entertaining" helps with "entertained"; 0 for none.
    #[arg(long, default_value_t = 4)]
    pub prefix: usize,
    /// Rows of the table shared by all word runs and word beginnings; with fewer, more of them collide.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub buckets: u32,
    /// Ignore a word that occurs fewer times than this in the training texts.
    #[arg(long, default_value_t = 2)]
    pub min_count: u64,
}

/// What is made of the words of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Kind {
    /// The mean of their vectors.
    Bag,
    /// The strongest answers of windows of one to three words (Kim 2014).
    Cnn,
    /// The strongest states of an LSTM in both directions.
    Lstm,
    /// The strongest outputs of a layer of self-attention.
    Attention,
}

/// A whole number from 1 up.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a whole number from 1 up".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// A finite number above 0.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Args, String> {
        Args::try_parse_from(std::iter::once(&"sentiment").chain(arguments))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn predict_is_repeatable_and_keeps_the_order() {
        let args = parse(&["--predict", "a fine film", "--predict", "dull"]).unwrap();
        assert_eq!(args.predict, ["a fine film", "dull"]);
    }

    #[test]
    fn values_that_cannot_train_are_refused() {
        for (option, value) in [
            ("--dim", "0"),
            ("--lr", "NaN"),
            ("--lr", "0"),
            ("--buckets", "0"),
        ] {
            let message = parse(&[option, value]).unwrap_err();
            assert!(message.contains(option), "{message}");
        }
    }

    #[test]
    fn a_loaded_model_takes_no_vectors() {
        assert!(parse(&["--load", "model.safetensors", "--predict", "dull"]).is_ok());
        let message = parse(&["--load", "m.safetensors", "--vectors", "v.txt"]).unwrap_err();
        assert!(message.contains("cannot be used with"), "{message}");
    }
}
