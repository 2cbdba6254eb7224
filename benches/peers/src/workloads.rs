//! What is run, with all its sizes.

use crate::case::{Case, Cell, Function, Layout, Rule, Transformer};

/// A workload: cases that one process runs one after another.
pub struct Workload {
    pub name: &'static str,
    pub cases: Vec<Case>,
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
