//! What the command line accepts.

use std::path::PathBuf;

use clap::Parser;

use super::train::Training;

/// Learns vectors of words from the words beside them (Mikolov et al. 2013).
///
/// With no options it trains on a small sample of the Brown corpus, too small for good neighbours.
#[derive(Debug, Parser)]
#[command(name = "word2vec")]
pub struct Args {
    /// A sentence on each line, its tokens with spaces between.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/brown.sample.txt"))]
    pub text: PathBuf,
    #[command(flatten)]
    pub training: Training,
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
    /// Numbers for each word.
    #[arg(long, default_value_t = 100)]
    pub dim: usize,
    /// Words drawn at random for each pair.
    #[arg(long, default_value_t = 5)]
    pub negatives: usize,
    /// Words seen fewer times are left out.
    #[arg(long, default_value_t = 5)]
    pub min_count: u64,
    /// Processor threads; the result is the same with any number of them.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
}
