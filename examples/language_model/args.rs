//! What the command line accepts.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Learns what word comes next, from a text with a sentence on each line, and writes on from a beginning.
///
/// With no options it trains on a small sample of the Brown corpus.
#[derive(Debug, Parser)]
#[command(name = "language_model")]
pub struct Args {
    /// A sentence on each line, its tokens with spaces between.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/brown.sample.txt"))]
    pub data: PathBuf,
    /// Which lines to train on, to watch progress by (dev) and to judge by (test): on each line a name, the part, its first line
    /// from 1 and its number of lines, with tabs between. Without it, the last two tenths are kept back.
    #[arg(long, value_name = "FILE")]
    pub split: Option<PathBuf>,
    /// Learn what character comes next, not what word.
    #[arg(long)]
    pub characters: bool,
    /// How scores come of a state: by the embedding table itself (tied), or by a table of the frequent words and, on fewer
    /// numbers, of the rare (adaptive); by default adaptive from 10,000 words up.
    #[arg(long, value_enum)]
    pub output: Option<Output>,
    /// Write on from this beginning after training; give the option again for each further one.
    #[arg(long, value_name = "BEGINNING", default_value = "the")]
    pub sample: Vec<String>,
    /// What scores are divided by when a word is drawn: below 1 the likely gets likelier.
    #[arg(long, default_value_t = 0.8)]
    pub temperature: f64,
    /// Words seen fewer times in training are unknown.
    #[arg(long, default_value_t = 3)]
    pub min_count: u64,
    /// Times to go through the training text.
    #[arg(long, default_value_t = 8, value_parser = count)]
    pub epochs: usize,
    /// Numbers for each word, and in the state of each of the two layers.
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub dim: usize,
    /// The share of numbers dropped in training, of states; three quarters of it of words' vectors.
    #[arg(long, default_value_t = 0.4)]
    pub dropout: f64,
    /// Texts read side by side.
    #[arg(long, default_value_t = 32, value_parser = count)]
    pub batch_size: usize,
    /// Tokens of each text before a step.
    #[arg(long, default_value_t = 35, value_parser = count)]
    pub window: usize,
    /// Learning rate at its highest: it rises for a tenth of the training, and falls to nothing.
    #[arg(long, default_value_t = 0.003)]
    pub lr: f64,
    /// Where the random numbers start: the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Processor threads; the result is the same with any number of them.
    #[arg(long, default_value_t = 2, value_parser = count)]
    pub threads: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Tied,
    Adaptive,
}

/// A whole number from 1 up.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a whole number from 1 up".to_owned()),
        Ok(number) => Ok(number),
    }
}
