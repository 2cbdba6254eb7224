//! lexigrad beside its peers: the same steps on the same data, by turns, in one table.

#[cfg(feature = "burn")]
mod burn;
#[cfg(feature = "candle")]
mod candle;
mod case;
mod data;
mod driver;
mod limits;
mod machine;
mod ours;
mod protocol;
mod table;
mod workloads;

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use driver::Driver;
use limits::Limits;
use machine::Setting;

/// The movie reviews that come with the examples.
const REVIEWS: [&str; 2] = [
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/data/movie_reviews.train.tsv"
    ),
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/data/movie_reviews.dev.tsv"
    ),
];

/// Times lexigrad and its peers at the same work, by turns, and prints a table.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    /// Whom to run beside lexigrad.
    #[arg(long, value_delimiter = ',', default_value = "torch")]
    peers: Vec<String>,
    /// Only workloads whose name contains one of these; all if none is given.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only cases whose name contains this.
    #[arg(long)]
    case: Option<String>,
    /// Numbers of threads.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// The interpreter that has what requirements.txt names.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python"))]
    python: PathBuf,
    /// The interpreter that has what requirements-fbgemm.txt names.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv-fbgemm/bin/python"))]
    fbgemm_python: PathBuf,
    /// The text of the word vectors, a sentence on each line.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/brown.sample.txt"))]
    text: String,
    /// Write the results to this file, a line of JSON each, machine and versions first.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/peers.jsonl"))]
    json: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Answer a driver's requests (each peer runs in a process of its own).
    #[command(hide = true)]
    Serve { peer: String },
    /// Measure what the machine can do, and nothing else.
    Limits,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    match &args.role {
        Some(Role::Serve { peer }) => serve(peer),
        Some(Role::Limits) => {
            for &threads in &args.threads {
                println!(
                    "{}",
                    serde_json::to_string_pretty(&Limits::measure(threads)?)?
                );
            }
            Ok(())
        }
        None => compare(&args),
    }
}

fn serve(peer: &str) -> Result<(), Box<dyn Error>> {
    let load: protocol::Loader = match peer {
        "lexigrad" => ours::load,
        #[cfg(feature = "candle")]
        "candle" => candle::load,
        #[cfg(feature = "burn")]
        "burn" => burn::load,
        other => return Err(format!("{other} is not built in").into()),
    };
    // On a thread of the pool a step enters it at no cost.
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    let version = machine::built_version(peer);
    Ok(pool.install(|| protocol::serve(version, load))?)
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let peers: Vec<String> = std::iter::once("lexigrad".to_owned())
        .chain(args.peers.iter().cloned())
        .collect();
    let folder = std::env::temp_dir().join(format!("lexigrad-peers-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let driver = Driver {
        peers: peers.clone(),
        python: args.python.clone(),
        fbgemm_python: args.fbgemm_python.clone(),
        scripts: concat!(env!("CARGO_MANIFEST_DIR"), "/python").into(),
        folder: folder.clone(),
    };
    let mut json = File::create(&args.json)?;
    let setting = Setting::new(driver.versions()?);
    writeln!(json, "{}", serde_json::to_string(&setting)?)?;
    let limits = args
        .threads
        .iter()
        .map(|&threads| Limits::measure(threads))
        .collect::<Result<Vec<_>, _>>()?;
    for limits in &limits {
        writeln!(json, "{}", serde_json::to_string(limits)?)?;
    }
    println!("{}", table::heading(&peers));
    let wanted =
        |name: &str| args.only.is_empty() || args.only.iter().any(|part| name.contains(&**part));
    for mut workload in workloads::workloads(&args.text, REVIEWS) {
        if !wanted(workload.name) {
            continue;
        }
        if let Some(part) = &args.case {
            workload
                .cases
                .retain(|case| case.to_string().contains(&**part));
        }
        for limits in &limits {
            let rows = driver.run(&workload, limits.threads, |row| {
                println!("{}", table::line(row, &peers, Some(limits)));
                for (peer, reason) in &row.failed {
                    eprintln!("{}: {peer}: {reason}", row.name);
                }
            })?;
            for row in &rows {
                writeln!(json, "{}", serde_json::to_string(row)?)?;
            }
        }
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
