//! Tables in files, and training beside them.

use std::path::PathBuf;

use lexigrad_nn::{Embedding, EmbeddingConfig};
use lexigrad_optim::{Adagrad, RowWiseAdagrad, Rule, Sgd, SparseAdam};
use lexigrad_tensor::{Grad, Ids, Tape, Tensor};
use lexigrad_text::vectors::{MappedTable, Overlay};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::read;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A table of random rows, as a tensor and as a file.
fn table(path: PathBuf, rows: usize, dim: usize, seed: u64) -> (Tensor, MappedTable) {
    let tensor = Tensor::normal([rows, dim], 0.0, 1.0, &mut StdRng::seed_from_u64(seed));
    let mapped = MappedTable::create(path, dim, tensor.values().chunks(dim)).unwrap();
    (tensor, mapped)
}

fn batches(rows: u32) -> Vec<Ids> {
    let mut rng = StdRng::seed_from_u64(2);
    let mut batch =
        || Ids::from_vec((0..12).map(|_| rng.random_range(0..rows)).collect(), [3, 4]).unwrap();
    (0..8).map(|_| batch()).collect()
}

/// A loss whose gradient differs from id to id.
fn loss(y: &Tensor) -> Tensor {
    let weights = Tensor::arange(0.5, 0.5 + y.elements() as f32, 1.0)
        .unwrap()
        .reshape(y.shape().clone())
        .unwrap();
    y.square().mul(&weights).unwrap().sum()
}

/// Trains an embedding and an overlay side by side.
fn train_both<R: Rule<f32>>(rule: R, padding: Option<u32>) {
    let folder = Folder::new();
    let path = folder.file("table");
    let (tensor, mapped) = table(path.clone(), 20, 5, 1);
    let before = std::fs::read(&path).unwrap();
    let config = EmbeddingConfig {
        padding_idx: padding.map(i64::from),
        ..EmbeddingConfig::new(20, 5)
    };
    let embed: Embedding = config.from_pretrained(&tensor).unwrap();
    embed.weight.set_requires_grad(true);
    let mut optimizer = rule.clone().build(&embed);
    let mut overlay = Overlay::new(mapped, rule);
    if let Some(padding) = padding {
        overlay = overlay.with_padding(padding).unwrap();
    }
    for (step, ids) in batches(15).iter().enumerate() {
        optimizer.set_learning_rate(0.01 * (step + 1) as f64);
        overlay.set_learning_rate(0.01 * (step + 1) as f64);
        let tape = Tape::new();
        let grads = tape.backward(&loss(&embed.forward(ids).unwrap())).unwrap();
        optimizer.step(&grads).unwrap();

        let batch = overlay.lookup(ids).unwrap();
        let tape = Tape::new();
        let grads = tape.backward(&loss(&batch.forward().unwrap())).unwrap();
        overlay.step(&batch, &grads).unwrap();
    }
    let all = Ids::from_vec((0..20).collect(), [20]).unwrap();
    let bits =
        |tensor: Tensor| -> Vec<u32> { tensor.to_vec().iter().map(|x| x.to_bits()).collect() };
    assert_eq!(
        bits(overlay.rows(&all).unwrap()),
        bits(embed.weight.value())
    );
    assert_ne!(bits(tensor), bits(embed.weight.value()));
    assert!(overlay.touched() <= 15 - usize::from(padding.is_some()));
    drop(overlay);
    assert_eq!(
        std::fs::read(path).unwrap(),
        before,
        "the file is as it was"
    );
}

#[test]
fn training_beside_the_file_is_training_an_embedding_to_the_bit() {
    for padding in [None, Some(3)] {
        train_both(Sgd::new(0.1), padding);
        train_both(
            Sgd {
                momentum: 0.9,
                weight_decay: 0.01,
                ..Sgd::new(0.1)
            },
            padding,
        );
        train_both(
            Adagrad {
                initial_accumulator: 0.1,
                learning_rate_decay: 0.1,
                ..Adagrad::new(0.1)
            },
            padding,
        );
        train_both(RowWiseAdagrad::new(0.1), padding);
        train_both(SparseAdam::default(), padding);
    }
}

#[test]
fn a_delta_holds_the_rows_that_moved_and_puts_them_back() {
    let folder = Folder::new();
    let (_, mapped) = table(folder.file("table"), 1000, 4, 1);
    let mut overlay = Overlay::new(mapped.clone(), Sgd::new(0.1));
    let ids = Ids::new([900, 3, 3, 17]).unwrap();
    let batch = overlay.lookup(&ids).unwrap();
    assert_eq!(batch.ids(), [900, 3, 17]);
    assert_eq!(batch.positions().as_slice(), [0, 1, 1, 2]);
    let tape = Tape::new();
    let grads = tape.backward(&loss(&batch.forward().unwrap())).unwrap();
    overlay.step(&batch, &grads).unwrap();
    let delta = folder.file("delta");
    overlay.save_delta(&delta).unwrap();
    assert!(std::fs::metadata(&delta).unwrap().len() < 500);

    let mut again = Overlay::new(mapped.clone(), Adagrad::new(0.1));
    again.apply_delta(&delta).unwrap();
    assert_eq!(again.touched(), 3);
    let all = Ids::from_vec((0..1000).collect(), [1000]).unwrap();
    assert_eq!(
        again.rows(&all).unwrap().to_vec(),
        overlay.rows(&all).unwrap().to_vec()
    );

    let message = |mut overlay: Overlay<Sgd>| {
        let message = overlay.apply_delta(&delta).unwrap_err().to_string();
        assert_eq!(overlay.touched(), 0);
        message
    };
    let (_, other) = table(folder.file("other"), 1000, 4, 2);
    assert!(
        message(Overlay::new(other, Sgd::new(0.1)))
            .contains("a delta of another table: its checksum is ")
    );
    let (_, shorter) = table(folder.file("shorter"), 900, 4, 1);
    assert!(message(Overlay::new(shorter, Sgd::new(0.1))).contains("another table"));
    std::fs::write(&delta, b"no safetensors").unwrap();
    message(Overlay::new(mapped, Sgd::new(0.1)));
}

#[test]
fn every_prefix_of_a_delta_or_table_is_refused() {
    let folder = Folder::new();
    let (_, mapped) = table(folder.file("table"), 10, 2, 1);
    let mut overlay = Overlay::new(mapped, Sgd::new(0.1));
    let batch = overlay.lookup(&Ids::new([1, 2]).unwrap()).unwrap();
    let tape = Tape::new();
    let grads = tape.backward(&loss(&batch.forward().unwrap())).unwrap();
    overlay.step(&batch, &grads).unwrap();
    overlay.save_delta(folder.file("delta")).unwrap();
    let delta = std::fs::read(folder.file("delta")).unwrap();
    let bytes = std::fs::read(folder.file("table")).unwrap();
    let cut = folder.file("cut");
    for length in 0..delta.len() {
        std::fs::write(&cut, &delta[..length]).unwrap();
        assert!(overlay.apply_delta(&cut).is_err());
    }
    for length in 0..bytes.len() {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        assert!(MappedTable::open(&cut).is_err());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = Folder::new();
    let path = folder.file("table");
    let (tensor, mapped) = table(path.clone(), 10, 2, 1);
    let message = |rows: &[[f32; 2]], dim| {
        MappedTable::create(&path, dim, rows)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&[[1.0, 2.0]], 3),
        "create table: row 0 has 2 numbers; the rows have 3"
    );
    assert_eq!(
        message(&[[1.0, 2.0], [f32::NAN, 0.0]], 2),
        "create table: row 1: number 1 of the row is NaN; numbers must be finite"
    );
    let opened = MappedTable::open(&path).unwrap();
    let all = Ids::from_vec((0..10).collect(), [10]).unwrap();
    assert_eq!(opened.rows(&all).unwrap().to_vec(), tensor.to_vec());
    assert_eq!(
        opened
            .rows(&Ids::new([[1, 10]]).unwrap())
            .unwrap_err()
            .to_string(),
        "mapped table: id 10 at [0, 1] is out of range for a table of 10 rows"
    );
    let mut overlay = Overlay::new(mapped, Sgd::new(0.1));
    assert!(overlay.lookup(&Ids::new([10]).unwrap()).is_err());
    assert!(
        Overlay::new(opened, Sgd::new(0.1))
            .with_padding(10)
            .is_err()
    );
    let (_, other) = table(folder.file("other"), 10, 3, 1);
    let batch = Overlay::new(other, Sgd::new(0.1))
        .lookup(&Ids::new([1]).unwrap())
        .unwrap();
    let tape = Tape::new();
    let grads = tape.backward(&batch.forward().unwrap().sum()).unwrap();
    assert_eq!(
        overlay.step(&batch, &grads).unwrap_err().to_string(),
        "overlay: a lookup of shape [1, 3] of another table; this one is [10, 2]"
    );
    overlay.set_learning_rate(f64::NAN);
    assert_eq!(
        overlay.step(&batch, &grads).unwrap_err().to_string(),
        "sgd: the learning rate is NaN; it must be finite and not negative"
    );
    assert_eq!(overlay.touched(), 0);
}

#[test]
fn vectors_become_a_table() {
    let folder = Folder::new();
    let (vectors, _) = read(b"a 1 2\nb 3 4\n").unwrap();
    let mapped = vectors.save_mapped(folder.file("table")).unwrap();
    assert_eq!(
        mapped.rows(&Ids::new([1]).unwrap()).unwrap().to_vec(),
        [3.0, 4.0]
    );
}

#[test]
fn a_dense_gradient_moves_every_row_but_the_padding() {
    let folder = Folder::new();
    let (_, mapped) = table(folder.file("table"), 10, 2, 1);
    let ids = Ids::new([4, 0, 7]).unwrap();
    let before = mapped.rows(&ids).unwrap().to_vec();
    let mut overlay = Overlay::new(mapped, Sgd::new(1.0)).with_padding(0).unwrap();
    let batch = overlay.lookup(&ids).unwrap();
    let tape = Tape::new();
    let weights = Tensor::new([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let grads = tape
        .backward(&batch.rows.value().mul(&weights).unwrap().sum())
        .unwrap();
    overlay.step(&batch, &grads).unwrap();
    let moves = [1.0, 2.0, 0.0, 0.0, 5.0, 6.0];
    let expected: Vec<f32> = before
        .iter()
        .zip(moves)
        .map(|(value, by)| value - by)
        .collect();
    assert_eq!(overlay.rows(&ids).unwrap().to_vec(), expected);
    assert_eq!(overlay.touched(), 2);

    let wrong = [(&batch.rows, Grad::Dense(Tensor::ones([4, 2])))]
        .into_iter()
        .collect();
    assert_eq!(
        overlay.step(&batch, &wrong).unwrap_err().to_string(),
        "overlay: a gradient of shape [4, 2] of rows of shape [3, 2]"
    );
}
