//! Tables in files, and training beside them.

use std::path::PathBuf;

use lexigrad_nn::{Embedding, EmbeddingConfig};
use lexigrad_optim::{Adagrad, Build, RowWiseAdagrad, Rule, Sgd, SparseAdam};
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

/// The header of a mapped file that claims to be `[len, dim]`, and `numbers` after it.
fn mapped_file(len: u64, dim: u64, numbers: &[f32]) -> Vec<u8> {
    let fields = [len, dim, 0].map(u64::to_le_bytes).concat();
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    let head = b"lxgrows\x01".iter().copied().chain(fields);
    head.chain([0; 32]).chain(numbers).collect()
}

#[test]
fn files_that_are_no_tables_are_refused_by_byte() {
    let folder = Folder::new();
    let path = folder.file("table");
    let refused = |what: &str, bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let text = MappedTable::open(&path).expect_err(what).to_string();
        assert!(text.ends_with(expected), "{what}: {text}");
        assert!(
            text.starts_with(&path.display().to_string()),
            "{what}: {text}"
        );
    };
    let four = [1.0; 4];
    assert!(mapped_file(2, 2, &four).len() == 80);
    let takes = |len: u64, dim: u64, found: usize| {
        format!(
            ", byte 8: a table [{len}, {dim}] takes 64 bytes and 4 a number; the file has {found}"
        )
    };
    refused("nothing", &[], ": 0 bytes; the header has 64");
    refused(
        "half a header",
        &mapped_file(2, 2, &four)[..40],
        ": 40 bytes; the header has 64",
    );
    let mut other = mapped_file(2, 2, &four);
    other[7] = 2;
    refused(
        "another version",
        &other,
        ", byte 0: no table of vectors of version 1",
    );
    let mut reserved = mapped_file(2, 2, &four);
    reserved[40] = 1;
    refused(
        "something in the header",
        &reserved,
        ", byte 40: the rest of the header must be zeros",
    );
    refused(
        "rows of nothing",
        &mapped_file(2, 0, &[]),
        ", byte 16: rows of 0 numbers; there must be one",
    );
    refused(
        "a row too many",
        &mapped_file(3, 2, &four),
        &takes(3, 2, 80),
    );
    refused("a row too few", &mapped_file(1, 2, &four), &takes(1, 2, 80));
    refused(
        "all bits",
        &mapped_file(u64::MAX, u64::MAX, &four),
        &takes(u64::MAX, u64::MAX, 80),
    );
    for (len, dim) in [
        (1 << 63, 1 << 63),
        (1 << 62, 1),
        (1 << 32, 1 << 30),
        (1, 1 << 62),
    ] {
        refused(
            "a size that wraps around to nothing",
            &mapped_file(len, dim, &[]),
            &takes(len, dim, 64),
        );
    }
    for dim in [u64::MAX, 1 << 62] {
        refused(
            "no row of endless length",
            &mapped_file(0, dim, &[]),
            &takes(0, dim, 64),
        );
    }

    let folder_text = MappedTable::open(folder.0.path()).unwrap_err().to_string();
    assert!(
        folder_text.ends_with(": it is a folder; it must be a file"),
        "{folder_text}"
    );
    #[cfg(unix)]
    assert!(
        MappedTable::open("/dev/null")
            .unwrap_err()
            .to_string()
            .contains("it is a device; only a regular file can be mapped into memory")
    );
    assert!(
        MappedTable::open(folder.file("absent"))
            .unwrap_err()
            .to_string()
            .contains("No such file")
    );

    std::fs::write(&path, mapped_file(2, 2, &[1.0, 2.0, 3.0, f32::NAN])).unwrap();
    let table = MappedTable::open(&path).unwrap();
    assert_eq!(
        table.rows(&Ids::new([0]).unwrap()).unwrap().to_vec(),
        [1.0, 2.0]
    );
    let reason = "byte 72: row 1: number 2 of the row is NaN; numbers must be finite";
    assert_eq!(
        table.rows(&Ids::new([1]).unwrap()).unwrap_err().to_string(),
        format!("{}, {reason}", path.display())
    );
}

/// A delta of the table `[4, 2]` with this checksum.
fn delta_file(ids: &[u32], values: &[f32], notes: &str, more: &str) -> Vec<u8> {
    let (count, numbers) = (ids.len(), values.len());
    let (middle, end) = (count * 4, count * 4 + numbers * 4);
    let header = format!(
        r#"{{"__metadata__":{{{notes}}},"ids":{{"dtype":"U32","shape":[{count}],"data_offsets":[0,{middle}]}},"values":{{"dtype":"F32","shape":[{},2],"data_offsets":[{middle},{end}]}}{more}}}"#,
        numbers / 2
    );
    let ids = ids.iter().flat_map(|id| id.to_le_bytes());
    let values = values.iter().flat_map(|value| value.to_le_bytes());
    let length = (header.len() as u64).to_le_bytes();
    length
        .into_iter()
        .chain(header.into_bytes())
        .chain(ids)
        .chain(values)
        .collect()
}

#[test]
fn deltas_that_are_none_are_refused_and_change_nothing() {
    let folder = Folder::new();
    let (_, mapped) = table(folder.file("table"), 4, 2, 1);
    let path = folder.file("delta");
    let mut overlay = Overlay::new(mapped, Sgd::new(0.1));
    overlay.save_delta(&path).unwrap();
    let saved = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    let place = saved.find(r#""checksum":""#).unwrap() + 12;
    let checksum = &saved[place..place + 16];
    let notes = format!(r#""rows":"4","dim":"2","checksum":"{checksum}""#);
    let mut apply = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        let applied = overlay
            .apply_delta(&path)
            .map_err(|error| error.to_string());
        let touched = overlay.touched();
        assert_eq!(applied.is_ok(), touched > 0);
        applied
    };
    let mut refused = |bytes: Vec<u8>, expected: &str| {
        let text = apply(bytes).unwrap_err();
        assert_eq!(text, format!("{}: {expected}", path.display()));
    };
    let (ids, values) = ([1, 3], [1.0, 2.0, 3.0, 4.0]);
    let of = |ids: &[u32], values: &[f32]| delta_file(ids, values, &notes, "");
    refused(
        of(&[1, 4], &values),
        "ids: 4 at [1] is not below the table's 4 rows",
    );
    refused(of(&[3, 3], &values), "ids: 3 at [1] after 3; ids must rise");
    refused(of(&[3, 1], &values), "ids: 1 at [1] after 3; ids must rise");
    refused(
        of(&[1], &values),
        "ids U32 [1] and values F32 [2, 2]; they must be U32 [n] and F32 [n, 2]",
    );
    let infinite = [1.0, 2.0, 3.0, f32::INFINITY];
    refused(
        of(&ids, &infinite),
        "values: inf at [1, 1], of row 3; numbers must be finite",
    );
    let other = notes.replace(r#""rows":"4""#, r#""rows":"\u001b[2J""#);
    refused(
        delta_file(&ids, &values, &other, ""),
        r"a delta of another table: its rows is \u{1b}[2J, this one's 4",
    );
    refused(
        delta_file(&ids, &values, "", ""),
        &format!("a delta of another table: its checksum is none, this one's {checksum}"),
    );
    let empty =
        |name: &str| format!(r#","{name}":{{"dtype":"U32","shape":[0],"data_offsets":[24,24]}}"#);
    let twice = apply(delta_file(&ids, &values, &notes, &empty("ids"))).unwrap_err();
    assert!(twice.contains("the key ids stands twice"), "{twice}");
    let missing = of(&ids, &values)
        .iter()
        .map(|&byte| if byte == b'v' { b'w' } else { byte })
        .collect();
    assert!(
        apply(missing)
            .unwrap_err()
            .ends_with("no tensor values; a delta has ids and values")
    );
    assert!(apply(vec![]).unwrap_err().contains("0 bytes"));
    apply(of(&ids, &values)).unwrap();
}
