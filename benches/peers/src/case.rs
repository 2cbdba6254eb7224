//! What can be measured: one training step, forward pass, product or function, and what it costs at least.

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
