//! What the command line accepts.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use lexigrad_text::characters;

/// Learns to turn one sequence into another from pairs: spelling into phones, a date into another form, a phrase into its
/// translation.
///
/// A file has a pair on each line: the source, a tab, the target. With no options it trains on a small sample of a pronouncing
/// dictionary.
#[derive(Debug, Parser)]
#[command(name = "translate")]
pub struct Args {
    /// Pairs to train on.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/phones.sample.tsv"))]
    pub train: PathBuf,
    /// Pairs to watch progress by; a tenth of those to train on is kept back, if not given.
    #[arg(long)]
    pub dev: Option<PathBuf>,
    /// Pairs to judge by at the end; a tenth of those to train on is kept back, if not given. Where a source has several targets
    /// in this file, each of them is right.
    #[arg(long)]
    pub test: Option<PathBuf>,
    /// What a source is cut into.
    #[arg(long, value_enum, default_value_t = Unit::Characters)]
    pub source: Unit,
    /// What a target is cut into.
    #[arg(long, value_enum, default_value_t = Unit::Words)]
    pub target: Unit,
    /// Translate these sources after training; the first of the pairs to judge by, if not given.
    #[arg(long, value_name = "SOURCE", num_args = 1..)]
    pub predict: Vec<String>,
    /// Draw into this SVG file where the model looks while it translates the first of those sources.
    #[arg(long, value_name = "FILE")]
    pub attention: Option<PathBuf>,
    /// Times to go through the training pairs.
    #[arg(long, default_value_t = 10)]
    pub epochs: usize,
    /// Translations that are carried on side by side; 1 takes the likeliest token each time.
    #[arg(long, default_value_t = 5, value_parser = count)]
    pub beam: usize,
    /// Numbers in the state of each direction of the encoder; the decoder has twice as many.
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub hidden: usize,
    /// Pairs to look at before each step.
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub batch_size: usize,
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

/// A whole number from 1 up.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it must be a whole number from 1 up".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// What a text is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    Characters,
    Words,
}

impl Unit {
    pub fn cut(self, text: &str) -> Vec<String> {
        match self {
            Self::Characters => characters(text),
            Self::Words => text.split_whitespace().map(str::to_owned).collect(),
        }
    }

    pub fn join(self, tokens: &[&str]) -> String {
        match self {
            Self::Characters => tokens.concat(),
            Self::Words => tokens.join(" "),
        }
    }
}
