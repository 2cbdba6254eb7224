//! Runs the peers by turns, each in a process of its own.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;

use crate::case::Case;
use crate::data;
use crate::limits::Peak;
use crate::protocol::{Answer, Request};
use crate::workloads::Workload;

/// Losses of so many first steps are compared.
const COMPARED: usize = 5;
/// Peers take turns so often.
const TURNS: usize = 10;
/// A turn lasts at least so many seconds, and three samples.
const TURN: f64 = 0.1;
/// A sample lasts at least so many seconds, so that reading the clock does not count.
const SAMPLE: f64 = 1e-4;
/// Turns of a whole training, which takes seconds.
const WHOLE_TURNS: usize = 3;

/// Whom to run, and where the peers live.
pub struct Driver {
    pub peers: Vec<String>,
    pub python: PathBuf,
    /// The interpreter of FBGEMM, which needs a PyTorch of its own.
    pub fbgemm_python: PathBuf,
    pub scripts: PathBuf,
    /// For the files of data.
    pub folder: PathBuf,
}

/// One cell of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub peer: String,
    /// The median of the samples, seconds a step.
    pub seconds: f64,
    /// The quartiles.
    pub quartiles: [f64; 2],
    pub samples: usize,
    /// Losses of the first steps, or how good a whole training was.
    pub values: Vec<f64>,
    /// The most memory that the process held, all cases of its workload together.
    pub peak_bytes: u64,
}

/// What became of a case on so many threads.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub threads: usize,
    pub case: Case,
    /// Floating-point operations a second that the machine reached between the turns, the median.
    pub operations: f64,
    /// lexigrad first.
    pub measured: Vec<Measured>,
    /// Who could not run it, and why.
    pub failed: Vec<(String, String)>,
}

impl Driver {
    /// All cases of a workload; a process lives through them, unless it breaks.
    pub fn run(
        &self,
        workload: &Workload,
        threads: usize,
        mut done: impl FnMut(&Row),
    ) -> Result<Vec<Row>, Box<dyn Error>> {
        let able = self.peers.iter().filter(|peer| takes_part(peer, workload));
        let mut processes = able
            .map(|peer| self.start(peer, threads))
            .collect::<Result<Vec<_>, _>>()?;
        let peak = Peak::new(threads)?;
        let mut rows = Vec::new();
        for case in &workload.cases {
            rows.push(self.case(case, threads, &peak, &mut processes)?);
            done(&rows[rows.len() - 1]);
        }
        Ok(rows)
    }

    /// The version of each peer, as it says itself.
    pub fn versions(&self) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
        let version = |peer: &String| {
            let answer = self.start(peer, 1)?.ask(&Request::Version)?;
            Ok((peer.clone(), answer.version.unwrap_or_default()))
        };
        self.peers.iter().map(version).collect()
    }

    fn start(&self, peer: &str, threads: usize) -> Result<Process, Box<dyn Error>> {
        let native = ["lexigrad", "candle", "burn"].contains(&peer);
        let mut command = if native {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["serve", peer]);
            command
        } else {
            let python = match peer {
                "fbgemm" => &self.fbgemm_python,
                _ => &self.python,
            };
            let mut command = Command::new(python);
            command
                .arg(self.scripts.join("serve.py"))
                .args([peer, &threads.to_string()]);
            command
        };
        let count = threads.to_string();
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"] {
            command.env(variable, &count);
        }
        Process::start(peer, &mut command)
    }

    fn case(
        &self,
        case: &Case,
        threads: usize,
        peak: &Peak,
        processes: &mut [Process],
    ) -> Result<Row, Box<dyn Error>> {
        let file = self.folder.join("case.safetensors");
        let mut row = Row {
            name: case.to_string(),
            threads,
            case: case.clone(),
            operations: f64::NAN,
            measured: Vec::new(),
            failed: Vec::new(),
        };
        let mut runs = Vec::new();
        data::write(&case.without_chance(), &file)?;
        for process in processes.iter_mut() {
            match prepare(process, case, &file) {
                Ok(run) => runs.push((process, run)),
                Err(error) => row.failed.push((process.peer.clone(), error.to_string())),
            }
        }
        let turns = if case.is_whole() { WHOLE_TURNS } else { TURNS };
        let mut peaks = Vec::new();
        for _ in 0..turns {
            for (process, run) in &mut runs {
                let request = Request::Run {
                    samples: run.samples,
                    steps: run.steps,
                };
                run.seconds.extend(process.ask(&request)?.seconds);
                // After lexigrad's turn: PyTorch's threads still spin when its own has ended.
                if process.peer == self.peers[0] {
                    peaks.push(peak.measure());
                }
            }
        }
        row.operations = median(&peaks);
        for (process, run) in runs {
            let peak_bytes = process.peak_bytes();
            row.measured
                .push(run.measured(process.peer.clone(), peak_bytes));
        }
        Ok(row)
    }
}

/// gensim and fastText have one workload each, which the others have not; ONNX Runtime does not train; FBGEMM has tables alone.
fn takes_part(peer: &str, workload: &Workload) -> bool {
    if peer == "fbgemm" {
        return ["bag", "rows"].contains(&workload.name);
    }
    match workload.name {
        "sgns" => ["lexigrad", "gensim"].contains(&peer),
        "fasttext" => ["lexigrad", "fasttext"].contains(&peer),
        "forward" => !["gensim", "fasttext"].contains(&peer),
        _ => !["gensim", "fasttext", "onnxruntime"].contains(&peer),
    }
}

/// How a peer runs a case, and what it took so far.
struct Run {
    samples: usize,
    steps: usize,
    seconds: Vec<f64>,
    values: Vec<f64>,
}

/// Compares what the first steps compute, and finds how many steps a turn takes.
fn prepare(process: &mut Process, case: &Case, file: &Path) -> Result<Run, Box<dyn Error>> {
    let load = |case: Case| Request::Load {
        case,
        file: file.to_owned(),
    };
    process.ask(&load(case.without_chance()))?;
    let compared = if case.is_whole() { 1 } else { COMPARED };
    let values = process
        .ask(&Request::Run {
            samples: compared,
            steps: 1,
        })?
        .values;
    if case.is_whole() {
        return Ok(Run {
            samples: 1,
            steps: 1,
            seconds: Vec::new(),
            values,
        });
    }
    process.ask(&load(case.clone()))?;
    let warm = process
        .ask(&Request::Run {
            samples: 5,
            steps: 1,
        })?
        .seconds;
    let once = median(&warm).max(1e-7);
    let steps = (SAMPLE / once).ceil().max(1.0);
    let samples = (TURN / (steps * once)).ceil().clamp(3.0, 100.0);
    Ok(Run {
        samples: samples as usize,
        steps: steps as usize,
        seconds: Vec::new(),
        values,
    })
}

impl Run {
    fn measured(mut self, peer: String, peak_bytes: u64) -> Measured {
        let seconds = median(&self.seconds);
        self.seconds.sort_by(f64::total_cmp);
        let quarter = self.seconds.len() / 4;
        let quartiles = [
            self.seconds[quarter],
            self.seconds[self.seconds.len() - 1 - quarter],
        ];
        let samples = self.seconds.len();
        Measured {
            peer,
            seconds,
            quartiles,
            samples,
            values: self.values,
            peak_bytes,
        }
    }
}

/// The middle of some numbers.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A peer, alive until this is dropped.
struct Process {
    peer: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(peer: &str, command: &mut Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| {
                format!(
                    "{peer}: {:?} does not start: {error}",
                    command.get_program()
                )
            })?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("no pipes".into());
        };
        Ok(Self {
            peer: peer.to_owned(),
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, Box<dyn Error>> {
        writeln!(self.input, "{}", serde_json::to_string(request)?)?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Answer = serde_json::from_str(&line)
            .map_err(|error| format!("{} answered {line:?}: {error}", self.peer))?;
        match answer.error {
            Some(error) => Err(error.into()),
            None => Ok(answer),
        }
    }

    /// From Linux's account of the process.
    fn peak_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes =
            line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        kibibytes.unwrap_or(0) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
