//! What the command line accepts.

use std::path::PathBuf;

use clap::Parser;

/// Learns the tag of each word of a sentence, such as its part of speech, from the words beside it.
///
/// With no options it trains on a small sample of the Brown corpus.
#[derive(Debug, Parser)]
#[command(name = "tagger")]
pub struct Args {
    /// Tagged sentences: on each line a word, a tab or space, and its tag (the last column, if there are more); a blank line
    /// between sentences.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/brown_pos.sample.tsv"))]
    pub data: PathBuf,
    /// Which sentences to train on, to watch progress by (dev) and to judge by (test): on each line a name, the part, its first
    /// sentence from 1 and its number of sentences, with tabs between. Without it, the last two tenths are kept back.
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, default_value_t = 6)]
    pub epochs: usize,
    /// Numbers in the state of each direction.
    #[arg(long, default_value_t = 128)]
    pub hidden: usize,
    /// Sentences to look at before each step.
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Learning rate at its highest: it rises for a tenth of the training, and falls to nothing.
    #[arg(long, default_value_t = 0.004)]
    pub lr: f64,
    /// Where the random numbers start: the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Processor threads; the result is the same with any number of them.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
}
