//! What is measured: one training step, product or function each, with all its sizes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Sizes travel to every peer in this form, as JSON; so they stand nowhere else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "workload", rename_all = "lowercase")]
pub enum Case {
    /// `Embedding(6, 3)`, `Linear(3, 2)`, cross-entropy, SGD.
    Tiny,
    /// So many additions one after another, and the way back.
    Chain { length: usize, size: usize },
    /// The mean of the vectors of 32 words, `Linear`, cross-entropy, sparse SGD.
    Bag {
        rows: usize,
        dim: usize,
        batch: usize,
        words: usize,
    },
    /// A lookup, a loss that costs nothing, and the update of a sparse rule.
    Rows {
        rule: Rule,
        rows: usize,
        dim: usize,
        ids: usize,
    },
    /// Windows of three widths, the strongest of each over time (Kim 2014), Adam.
    TextCnn {
        rows: usize,
        dim: usize,
        batch: usize,
        time: usize,
        widths: [usize; 3],
        maps: usize,
        dropout: f64,
    },
    /// A recurrent layer, its last state, `Linear`, cross-entropy, Adam.
    Recurrent {
        cell: Cell,
        rows: usize,
        dim: usize,
        hidden: usize,
        batch: usize,
        time: usize,
    },
    /// Pre-norm transformer layers with GELU, the mean over time, `Linear`, AdamW.
    Encoder(Transformer),
    /// The same layers, causal, and a score for each character at each place, AdamW.
    CharGpt(Transformer),
    /// The loss of such a model's batch, and nothing that trains it.
    Answer { of: Box<Case> },
    /// `[m, k] x [k, n]`; T says which operand lies transposed in memory.
    Gemm {
        layout: Layout,
        m: usize,
        k: usize,
        n: usize,
    },
    /// One function over so many numbers, in rows of 128.
    Elementwise { function: Function, elements: usize },
    /// One epoch of skip-gram with negative sampling.
    Sgns {
        text: String,
        dim: usize,
        window: usize,
        negatives: usize,
    },
    /// A training until 0.79 of the dev texts are classified right.
    FastText { train: String, dev: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transformer {
    pub name: String,
    pub rows: usize,
    pub layers: usize,
    pub dim: usize,
    pub heads: usize,
    pub features: usize,
    pub batch: usize,
    pub time: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    Sgd,
    SparseAdam,
    Adagrad,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    Lstm,
    Gru,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    Nn,
    Nt,
    Tn,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    Add,
    Mul,
    Exp,
    Tanh,
    Gelu,
    Softmax,
    LayerNorm,
    Sum,
}

/// The width of a row, for the functions that work on rows.
pub const ROW: usize = 128;

/// A workload: cases that one process runs one after another.
pub struct Workload {
    pub name: &'static str,
    pub cases: Vec<Case>,
}

impl Case {
    /// The same without what differs by chance from peer to peer, so that losses can be compared.
    pub fn without_chance(&self) -> Self {
        match self.clone() {
            Self::TextCnn {
                rows,
                dim,
                batch,
                time,
                widths,
                maps,
                ..
            } => Self::TextCnn {
                rows,
                dim,
                batch,
                time,
                widths,
                maps,
                dropout: 0.0,
            },
            other => other,
        }
    }

    /// Whether a step is a whole training, of which a few are enough.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Sgns { .. } | Self::FastText { .. })
    }

    /// Floating-point operations of a step that no cleverness saves: three times the products of the forward pass, or fewer
    /// where only some places have a gradient.
    pub fn operations(&self) -> f64 {
        let product = |m: usize, k: usize, n: usize| 2.0 * m as f64 * k as f64 * n as f64;
        match *self {
            // Backwards only the winning windows count: one place of `time` for each map.
            Self::TextCnn {
                dim,
                batch,
                time,
                widths,
                maps,
                ..
            } => {
                let places = |width: usize| product(batch * (time + 1 - width), dim * width, maps);
                let winners = |width: usize| product(batch, dim * width, maps);
                widths
                    .map(|width| places(width) + 2.0 * winners(width))
                    .iter()
                    .sum()
            }
            Self::Recurrent {
                cell,
                dim,
                hidden,
                batch,
                time,
                ..
            } => {
                let gates = match cell {
                    Cell::Lstm => 4,
                    Cell::Gru => 3,
                };
                3.0 * product(batch * time, dim + hidden, gates * hidden)
            }
            Self::Encoder(ref sizes) => 3.0 * sizes.operations(sizes.time as f64),
            Self::CharGpt(ref sizes) => {
                // Of the pairs of places, half are masked.
                let scores = product(sizes.batch * sizes.time, sizes.dim, sizes.rows);
                3.0 * (sizes.operations((sizes.time + 1) as f64 / 2.0) + scores)
            }
            Self::Gemm { m, k, n, .. } => product(m, k, n),
            Self::Answer { ref of } => of.operations() / 3.0,
            _ => 0.0,
        }
    }

    /// Bytes that a step must move through memory.
    pub fn bytes(&self) -> f64 {
        match *self {
            Self::Elementwise { function, elements } => {
                let arrays = match function {
                    Function::Add | Function::Mul => 3,
                    Function::Sum => 1,
                    _ => 2,
                };
                (4 * arrays * elements) as f64
            }
            Self::Answer { ref of } => match **of {
                Self::Encoder(ref sizes) => 4.0 * sizes.weights(),
                _ => 0.0,
            },
            _ => 0.0,
        }
    }

    /// Rows of a table that a step reads, or reads and writes, at random places.
    pub fn random_rows(&self) -> f64 {
        match *self {
            Self::Bag { batch, words, .. } => 2.0 * (batch * words) as f64,
            Self::Rows { rule, ids, .. } => {
                let tables = match rule {
                    Rule::Sgd => 1.0,
                    Rule::Adagrad => 2.0,
                    Rule::SparseAdam => 3.0,
                };
                (1.0 + tables) * ids as f64
            }
            Self::Answer { ref of } => of.random_rows() / 2.0,
            _ => 0.0,
        }
    }
}

impl Transformer {
    /// Of the products of a forward pass, each place seeing so many others on average.
    fn operations(&self, seen: f64) -> f64 {
        let places = (self.batch * self.time) as f64;
        let scores = self.layers as f64 * 2.0 * seen * self.dim as f64;
        places * 2.0 * (self.weights() + scores)
    }

    /// The numbers of the linear maps.
    fn weights(&self) -> f64 {
        let (dim, features) = (self.dim as f64, self.features as f64);
        self.layers as f64 * (4.0 * dim * dim + 2.0 * dim * features)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiny => write!(f, "tiny"),
            Self::Chain { length, .. } => write!(f, "chain of {length}"),
            Self::Bag { rows, .. } => write!(f, "bag, {} rows", Count(*rows)),
            Self::Rows { rule, rows, .. } => {
                write!(
                    f,
                    "{}, {} rows",
                    format!("{rule:?}").to_lowercase(),
                    Count(*rows)
                )
            }
            Self::TextCnn { .. } => write!(f, "textcnn"),
            Self::Recurrent {
                cell: Cell::Lstm, ..
            } => write!(f, "lstm"),
            Self::Recurrent {
                cell: Cell::Gru, ..
            } => write!(f, "gru"),
            Self::Encoder(sizes) | Self::CharGpt(sizes) => write!(f, "{}", sizes.name),
            Self::Answer { of } => match **of {
                Self::Bag {
                    batch, words: time, ..
                }
                | Self::Recurrent { batch, time, .. }
                | Self::Encoder(Transformer { batch, time, .. }) => {
                    write!(f, "{of}, forward, {batch} x {time}")
                }
                _ => write!(f, "{of}, forward"),
            },
            Self::Gemm { layout, m, k, n } => {
                write!(f, "{m}x{k}x{n} {}", format!("{layout:?}").to_uppercase())
            }
            Self::Elementwise { function, elements } => {
                write!(
                    f,
                    "{} of {}",
                    format!("{function:?}").to_lowercase(),
                    Count(*elements)
                )
            }
            Self::Sgns { .. } => write!(f, "sgns, an epoch"),
            Self::FastText { .. } => write!(f, "fasttext, to 0.79"),
        }
    }
}

/// 10k, 16M
struct Count(usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            count if count >= 1_000_000 => write!(f, "{}M", count / 1_000_000),
            count if count >= 1_000 => write!(f, "{}k", count / 1_000),
            count => write!(f, "{count}"),
        }
    }
}

/// All workloads, in the order of the table.
pub fn workloads(text: &str, reviews: [&str; 2]) -> Vec<Workload> {
    let recurrent = |cell| Case::Recurrent {
        cell,
        rows: 20_000,
        dim: 128,
        hidden: 256,
        batch: 32,
        time: 64,
    };
    let transformer = |name: &str, rows, layers, batch, time| Transformer {
        name: name.to_owned(),
        rows,
        layers,
        dim: 128,
        heads: 4,
        features: 512,
        batch,
        time,
    };
    let rows = [Rule::Sgd, Rule::SparseAdam, Rule::Adagrad]
        .into_iter()
        .flat_map(|rule| {
            [10_000, 100_000, 1_000_000].map(|rows| Case::Rows {
                rule,
                rows,
                dim: 64,
                ids: 4_096,
            })
        });
    let textcnn = Case::TextCnn {
        rows: 20_000,
        dim: 100,
        batch: 64,
        time: 64,
        widths: [3, 4, 5],
        maps: 100,
        dropout: 0.5,
    };
    let one = |name, case| Workload {
        name,
        cases: vec![case],
    };
    vec![
        one("tiny", Case::Tiny),
        one(
            "chain",
            Case::Chain {
                length: 1_000,
                size: 8,
            },
        ),
        one(
            "bag",
            Case::Bag {
                rows: 100_000,
                dim: 64,
                batch: 256,
                words: 32,
            },
        ),
        Workload {
            name: "rows",
            cases: rows.collect(),
        },
        one("textcnn", textcnn),
        one("lstm", recurrent(Cell::Lstm)),
        one("gru", recurrent(Cell::Gru)),
        one(
            "encoder",
            Case::Encoder(transformer("encoder", 20_000, 2, 32, 64)),
        ),
        one("minilm", Case::Encoder(minilm(32, 32))),
        Workload {
            name: "forward",
            cases: answers(),
        },
        one(
            "chargpt",
            Case::CharGpt(transformer("chargpt", 96, 4, 16, 128)),
        ),
        Workload {
            name: "gemm",
            cases: products(),
        },
        Workload {
            name: "elementwise",
            cases: functions(),
        },
        one(
            "sgns",
            Case::Sgns {
                text: text.to_owned(),
                dim: 100,
                window: 5,
                negatives: 5,
            },
        ),
        one(
            "fasttext",
            Case::FastText {
                train: reviews[0].to_owned(),
                dev: reviews[1].to_owned(),
            },
        ),
    ]
}

/// The sizes of all-MiniLM-L6-v2 (Wang et al. 2020), on so many texts of so many tokens.
fn minilm(batch: usize, time: usize) -> Transformer {
    Transformer {
        name: "minilm".to_owned(),
        rows: 30_522,
        layers: 6,
        dim: 384,
        heads: 12,
        features: 1_536,
        batch,
        time,
    }
}

/// One text at a time, and some at once.
fn answers() -> Vec<Case> {
    let bag = Case::Bag {
        rows: 100_000,
        dim: 64,
        batch: 1,
        words: 32,
    };
    let lstm = Case::Recurrent {
        cell: Cell::Lstm,
        rows: 20_000,
        dim: 128,
        hidden: 256,
        batch: 1,
        time: 30,
    };
    let texts = [[1, 8], [1, 32], [1, 128], [32, 32], [8, 128]];
    let minilm = texts.map(|[batch, time]| Case::Encoder(minilm(batch, time)));
    let models = [bag, lstm].into_iter().chain(minilm);
    models.map(|of| Case::Answer { of: Box::new(of) }).collect()
}

fn products() -> Vec<Case> {
    let squares = [64, 128, 256, 512, 1_024, 2_048].map(|size| [size; 3]);
    let others = [
        [2_048, 128, 512],
        [2_048, 512, 128],
        [32, 256, 1_024],
        [256, 64, 2],
    ];
    let shapes = squares.into_iter().chain(others);
    shapes
        .flat_map(|[m, k, n]| {
            [Layout::Nn, Layout::Nt, Layout::Tn].map(|layout| Case::Gemm { layout, m, k, n })
        })
        .collect()
}

fn functions() -> Vec<Case> {
    use Function::*;
    let sizes = [1 << 20, 1 << 24];
    sizes
        .into_iter()
        .flat_map(|elements| {
            [Add, Mul, Exp, Tanh, Gelu, Softmax, LayerNorm, Sum]
                .map(|function| Case::Elementwise { function, elements })
        })
        .collect()
}
