//! What the command line accepts.

use std::path::PathBuf;

use clap::Parser;

/// Learns the tag of each word of a sentence, such as its part of speech, from the words beside it.
///
/// With no options it trains on a small sample of the Brown corpus.
#[derive(Debug, Parser)]
#[command(name = "tagger")]
pub struct Args {
    /// Sentences to train on: on each line a word, a tab or space, and its tag (the last column, if there are more); a blank line
    /// between sentences.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/brown_pos.sample.tsv"))]
    pub train: PathBuf,
    /// Sentences to watch progress by; a tenth of those to train on is kept back, if not given.
    #[arg(long, value_name = "FILE")]
    pub dev: Option<PathBuf>,
    /// Sentences to judge by at the end; a tenth of those to train on is kept back, if not given.
    #[arg(long, value_name = "FILE")]
    pub test: Option<PathBuf>,
    /// Which sentences of one file belong to which part: on each line a name, the part (train, dev or test), its first sentence
    /// from 1 and its number of sentences, with tabs between.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dev", "test"])]
    pub split: Option<PathBuf>,
    /// Endings of tags that are cut off, with commas between.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "-hl,-tl,-nc",
        allow_hyphen_values = true
    )]
    pub drop_suffix: Vec<String>,
    /// Tag this sentence after training; give the option again for each further one.
    #[arg(
        long,
        value_name = "SENTENCE",
        default_value = "the old man the boats ."
    )]
    pub predict: Vec<String>,
    /// Times to go through the training sentences.
    #[arg(long, default_value_t = 12, value_parser = count)]
    pub epochs: usize,
    /// Numbers in the state of each direction.
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub hidden: usize,
    /// Sentences to look at before each step.
    #[arg(long, default_value_t = 16, value_parser = count)]
    pub batch_size: usize,
    /// Learning rate at its highest: it rises for a tenth of the training, and falls to nothing.
    #[arg(long, default_value_t = 0.004)]
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
