//! What vectors know that letters do not: which words mean alike.
//!
//! `cargo run --release --example meaning` looks at a few hundred GloVe vectors; `-- --vectors FILE` at any others.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use lexigrad_text::metrics::edit_distance;
use lexigrad_text::train::Progress;
use lexigrad_text::vectors::{VectorOptions, WordVectors};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Compares words that mean alike with words that look alike, by their vectors, by one-hot vectors and by their letters; then asks
/// how many other words it takes to say a word.
#[derive(Debug, Parser)]
#[command(name = "meaning")]
struct Args {
    /// Vectors of words, in any format of word2vec, GloVe or fastText.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/glove.sample.txt"))]
    vectors: PathBuf,
    /// Words that are said by others; the first of the file's.
    #[arg(long, default_value_t = 200)]
    words: usize,
    /// Where the random numbers start: the same seed prints the same numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Words that mean alike and do not look it.
const SYNONYMS: [(&str, &str); 12] = [
    ("huge", "enormous"),
    ("movie", "film"),
    ("funny", "hilarious"),
    ("scary", "frightening"),
    ("smart", "clever"),
    ("dull", "boring"),
    ("begin", "start"),
    ("woman", "lady"),
    ("strange", "odd"),
    ("quick", "fast"),
    ("sad", "tragic"),
    ("rich", "wealthy"),
];

/// Words that look alike and do not mean it.
const LOOKALIKES: [(&str, &str); 12] = [
    ("meet", "meat"),
    ("plain", "plane"),
    ("sole", "soul"),
    ("tale", "tail"),
    ("whole", "hole"),
    ("wait", "weight"),
    ("story", "storm"),
    ("hope", "rope"),
    ("witch", "watch"),
    ("fame", "frame"),
    ("plot", "pilot"),
    ("scene", "scent"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (vectors, report) = VectorOptions::default().load(&args.vectors)?;
    println!("{report}");
    println!(
        "\n{:<22}{:>8}{:>9}{:>9}",
        "pair", "vectors", "one-hot", "letters"
    );
    let alike = table(&vectors, &SYNONYMS)?;
    let lookalike = table(&vectors, &LOOKALIKES)?;
    println!("{:<22}{alike:>8.2}", "mean of those alike");
    println!("{:<22}{lookalike:>8.2}", "mean of lookalikes");
    if let [Some(near), Some(far)] = [SYNONYMS[0], LOOKALIKES[0]].map(|pair| cosine(&vectors, pair))
    {
        let verdict = if near > far { "nearer" } else { "no nearer" };
        println!("huge is {verdict} to enormous ({near:.2}) than meet is to meat ({far:.2})");
    }
    ranks(&vectors, &args)
}

/// The similarities of each pair; returns the mean cosine.
fn table(vectors: &WordVectors, pairs: &[(&str, &str)]) -> Result<f64, Box<dyn Error>> {
    let (mut sum, mut count) = (0.0, 0);
    for &(a, b) in pairs {
        let name = format!("{a}, {b}");
        let letters =
            1.0 - edit_distance(a.as_bytes(), b.as_bytes()) as f64 / a.len().max(b.len()) as f64;
        let Some(cosine) = cosine(vectors, (a, b)) else {
            println!("{name:<22}{:>8}{:>9.2}{letters:>9.2}", "-", 0.0);
            continue;
        };
        println!("{name:<22}{cosine:>8.2}{:>9.2}{letters:>9.2}", 0.0);
        sum += cosine;
        count += 1;
    }
    if count == 0 {
        return Err("none of the pairs has vectors".into());
    }
    println!();
    Ok(sum / f64::from(count))
}

fn cosine(vectors: &WordVectors, (a, b): (&str, &str)) -> Option<f64> {
    vectors.similarity(a, b).ok()
}

/// How well a least-squares combination of k other words says a word: the share of its vector's squared length.
///
/// One-hot vectors are independent, whatever they are many: no word says anything of another. Vectors of D numbers have rank D at
/// most: any D independent words say every word. What is between tells how much neighbours in meaning share.
fn ranks(vectors: &WordVectors, args: &Args) -> Result<(), Box<dyn Error>> {
    let rows: Vec<Vec<f64>> = vectors
        .rows()
        .map(|row| row.iter().copied().map(f64::from).collect())
        .collect();
    let dim = vectors.dim();
    let said: Vec<usize> = (0..rows.len().min(args.words)).collect();
    println!(
        "\n{} words said by k others (share of the squared length), rank at most {dim}",
        said.len()
    );
    println!("{:>6}{:>9}{:>9}{:>9}", "k", "nearest", "random", "one-hot");
    let words: Vec<&str> = vectors.words().collect();
    let nearest: Vec<Vec<usize>> = Progress::new(said.iter(), "neighbours", true)
        .map(|&word| {
            let near = vectors.nearest(words[word], dim)?;
            Ok(near
                .into_iter()
                .filter_map(|(word, _)| vectors.row_of(word))
                .collect())
        })
        .collect::<lexigrad_text::Result<_>>()?;
    let mut rng = StdRng::seed_from_u64(args.seed);
    for k in [1, 2, 5, 10, 20, 30, 40, 50, 100, 200, 300]
        .into_iter()
        .filter(|&k| k < dim)
        .chain([dim])
    {
        let (mut by_nearest, mut by_random) = (0.0, 0.0);
        for &word in &said {
            let others: Vec<usize> = (0..rows.len()).filter(|&other| other != word).collect();
            let random: Vec<usize> = others.sample(&mut rng, k).copied().collect();
            by_nearest += explained(&rows, word, &nearest[word][..k.min(nearest[word].len())]);
            by_random += explained(&rows, word, &random);
        }
        let mean = |sum: f64| sum / said.len() as f64;
        println!(
            "{k:>6}{:>9.3}{:>9.3}{:>9.3}",
            mean(by_nearest),
            mean(by_random),
            0.0
        );
    }
    Ok(())
}

/// The share of a row's squared length that lies in the span of others: what is left after least squares, by Gram and Schmidt.
fn explained(rows: &[Vec<f64>], word: usize, others: &[usize]) -> f64 {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for &other in others {
        let (mut direction, before) = (rows[other].clone(), dot(&rows[other], &rows[other]));
        // Twice is enough for what rounding leaves.
        for _ in 0..2 {
            remove(&mut direction, &basis);
        }
        let left = dot(&direction, &direction);
        if left > 1e-18 * before {
            direction.iter_mut().for_each(|x| *x /= left.sqrt());
            basis.push(direction);
        }
    }
    let mut rest = rows[word].clone();
    remove(&mut rest, &basis);
    let whole = dot(&rows[word], &rows[word]);
    if whole == 0.0 {
        1.0
    } else {
        1.0 - dot(&rest, &rest) / whole
    }
}

/// Takes the parts along an orthonormal basis away.
fn remove(vector: &mut [f64], basis: &[Vec<f64>]) {
    for direction in basis {
        let along = dot(vector, direction);
        vector
            .iter_mut()
            .zip(direction)
            .for_each(|(x, d)| *x -= along * d);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
