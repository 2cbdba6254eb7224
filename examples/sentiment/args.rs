//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Trains a classifier of sentences and says what it learned.
///
/// Without --data it trains on 8,333 sentences of movie reviews, positive (1) or negative (0).
#[derive(Debug, Parser)]
#[command(name = "sentiment")]
pub struct Args {
    /// Train on your own file instead: one text a line, as `label<TAB>text` or `__label__x text`, with any number of labels;
    /// it is shuffled by the seed and cut into 80 % to train on, 10 % to choose on (dev) and 10 % to test on
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Write the trained model to this safetensors file, and its words and labels to FILE.json beside it
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Use a model that --save wrote instead of training one
    #[arg(long, value_name = "FILE")]
    pub load: Option<PathBuf>,

    /// Classify this text at the end; may be given more than once
    #[arg(long, value_name = "TEXT")]
    pub predict: Vec<String>,

    /// The seed of all randomness: the same seed gives the same model
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Threads to use at most; they never change the result
    #[arg(long)]
    pub threads: Option<usize>,

    /// Numbers in the vector of each word
    #[arg(long, default_value_t = 32)]
    pub dim: usize,

    /// Passes over the training texts
    #[arg(long, default_value_t = 12)]
    pub epochs: usize,

    /// How large the first steps are; they shrink to nothing by the end
    #[arg(long, default_value_t = 0.003)]
    pub lr: f64,

    /// Texts in one step
    #[arg(long, default_value_t = 32)]
    pub batch: usize,

    /// The share of words and phrases that is left out of each text at random while training
    #[arg(long, default_value_t = 0.3)]
    pub dropout: f64,

    /// Words rarer than this in the training texts are left out
    #[arg(long, default_value_t = 1)]
    pub min_count: usize,

    /// Phrases of up to so many words count as well as the words; 1 for words alone
    #[arg(long, default_value_t = 2)]
    pub ngrams: usize,

    /// Rows that phrases share by their hash
    #[arg(long, default_value_t = 100_000)]
    pub buckets: usize,
}
