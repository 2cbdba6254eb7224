//! What the driver and a peer's process say to each other: a line of JSON each way, through the process's pipes.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::case::Case;

/// The driver's wish.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Make ready from the initial values and batches in this file.
    Load { case: Case, file: PathBuf },
    /// Which version it is.
    Version,
    /// So many samples of so many steps each.
    Run { samples: usize, steps: usize },
}

/// A peer's answer.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Seconds a step, for each sample.
    #[serde(default)]
    pub seconds: Vec<f64>,
    /// What the last step of each sample gave: a loss, or how good a whole training was.
    #[serde(default)]
    pub values: Vec<f64>,
    #[serde(default)]
    pub version: Option<String>,
    /// Why a peer cannot do this.
    #[serde(default)]
    pub error: Option<String>,
}

/// A step, ready to be run; it gives its loss.
pub type Step = Box<dyn FnMut() -> f64>;

/// Makes a case ready.
pub type Loader = fn(&Case, &std::path::Path) -> Result<Step, Box<dyn std::error::Error>>;

/// Answers requests until the driver closes the pipe.
pub fn serve(version: Option<&str>, load: Loader) -> std::io::Result<()> {
    let mut step: Option<Step> = None;
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(Request::Load { case, file }) => {
                step = None; // what it holds is let go before the next is made
                match load(&case, &file) {
                    Ok(ready) => {
                        step = Some(ready);
                        Answer::default()
                    }
                    Err(error) => Answer {
                        error: Some(error.to_string()),
                        ..Answer::default()
                    },
                }
            }
            Ok(Request::Version) => Answer {
                version: version.map(str::to_owned),
                ..Answer::default()
            },
            Ok(Request::Run { samples, steps }) => match &mut step {
                Some(step) => run(step, samples, steps),
                None => Answer {
                    error: Some("nothing is loaded".into()),
                    ..Answer::default()
                },
            },
            Err(error) => Answer {
                error: Some(error.to_string()),
                ..Answer::default()
            },
        };
        let mut output = std::io::stdout().lock();
        writeln!(output, "{}", serde_json::to_string(&answer)?)?;
        output.flush()?;
    }
    Ok(())
}

fn run(step: &mut Step, samples: usize, steps: usize) -> Answer {
    let mut answer = Answer::default();
    for _ in 0..samples {
        let started = Instant::now();
        let mut value = 0.0;
        for _ in 0..steps {
            value = step();
        }
        answer
            .seconds
            .push(started.elapsed().as_secs_f64() / steps as f64);
        answer.values.push(value);
    }
    answer
}
