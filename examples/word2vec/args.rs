//! What the command line accepts.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Learns vectors of words from the words beside them (Mikolov et al. 2013).
///
/// With no options it trains on a small sample of the Brown corpus, too small for good neighbours.
#[derive(Debug, Parser)]
#[command(name = "word2vec")]
pub struct Args {
    /// A sentence on each line, its tokens with spaces between.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/brown.sample.txt"))]
    pub text: PathBuf,
    /// Tell the words around from a word, or a word from the words around.
    #[arg(long, value_enum, default_value_t = Kind::Skipgram)]
    pub model: Kind,
    /// Write the vectors to this file: text, or word2vec's binary format if its name ends with .bin.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Say which words are nearest to these, with commas between.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "man,water,three,house,said"
    )]
    pub neighbours: Vec<String>,
    /// Times to go through the text.
    #[arg(long, default_value_t = 5)]
    pub epochs: usize,
    /// Numbers for each word.
    #[arg(long, default_value_t = 100)]
    pub dim: usize,
    /// The most words on each side; for each word, from one up to so many are drawn.
    #[arg(long, default_value_t = 5)]
    pub window: usize,
    /// Words drawn at random for each pair.
    #[arg(long, default_value_t = 5)]
    pub negatives: usize,
    /// Words seen fewer times are left out.
    #[arg(long, default_value_t = 5)]
    pub min_count: u64,
    /// The share of the text above which a word is left out now and then.
    #[arg(long, default_value_t = 1e-3)]
    pub subsample: f64,
    /// Learning rate at the start, from which it falls evenly to nearly nothing [default: 0.025, with --model cbow 0.1].
    #[arg(long)]
    pub lr: Option<f64>,
    /// Where the random numbers start: the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Processor threads; the result is the same with any number of them.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
}

impl Args {
    /// A word's neighbours share the gradient of their mean, which is the less for each the more they are; so CBOW takes longer steps.
    pub fn rate(&self) -> f64 {
        self.lr.unwrap_or(match self.model {
            Kind::Skipgram => 0.025,
            Kind::Cbow => 0.1,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Skipgram,
    Cbow,
}
