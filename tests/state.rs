//! Saving and loading: what is written comes back, and what does not fit changes nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use lexigrad::nn::BatchNorm1d;
use lexigrad::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use tempfile::TempDir;

#[derive(Module)]
struct Model {
    embed: EmbeddingBag,
    layers: Vec<Linear>,
    norm: Option<LayerNorm>,
    seen: Buffer,
    scale: f64,
    #[module(skip)]
    _name: Vec<&'static str>,
}

fn model(seed: u64, hidden: usize) -> Model {
    let mut rng = StdRng::seed_from_u64(seed);
    Model {
        embed: EmbeddingBag::new(7, 3, &mut rng),
        layers: vec![
            Linear::new(3, hidden, &mut rng),
            Linear::new(hidden, 2, &mut rng),
        ],
        norm: Some(LayerNorm::new(2)),
        seen: Buffer::new(Tensor::full([1], seed as f32)),
        scale: 1.0,
        _name: vec!["any", "type"],
    }
}

fn values(model: &Model) -> Vec<Vec<f32>> {
    assert_eq!(model.scale, 1.0);
    model
        .state_dict()
        .iter()
        .map(|(_, tensor)| tensor.to_vec())
        .collect()
}

fn saved(model: &Model) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    (folder, path)
}

/// Loading fails with this text (the folder left out) and leaves the model as it was.
fn assert_refused(model: &Model, path: &Path, expected: &str) {
    let before = values(model);
    let text = model.load(path).unwrap_err().to_string();
    let text = text.replace(&format!("{}/", path.parent().unwrap().display()), "");
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(values(model), before);
}

#[test]
fn parameters_and_buffers_come_in_declaration_order() {
    let model = model(1, 4);
    let state = model.state_dict();
    let names: Vec<&str> = state.iter().map(|(name, _)| name).collect();
    let expected = [
        "embed.weight",
        "layers.0.weight",
        "layers.0.bias",
        "layers.1.weight",
        "layers.1.bias",
        "norm.weight",
        "norm.bias",
        "seen",
    ];
    assert_eq!(names, expected);
    assert_eq!(model.parameters().len(), 7);
    assert_eq!(model.parameter_count(), 21 + 16 + 10 + 4);
}

#[test]
fn what_is_saved_is_loaded() {
    let (trained, fresh) = (model(1, 4), model(2, 4));
    let (_folder, path) = saved(&trained);
    fresh.load(&path).unwrap();
    assert_eq!(values(&fresh), values(&trained));
}

#[test]
fn an_f64_file_is_read_into_f32() {
    let wide: Linear<f64> = LinearConfig::new(2, 1)
        .build(&mut StdRng::seed_from_u64(1))
        .unwrap();
    let narrow = Linear::new(2, 1, &mut StdRng::seed_from_u64(2));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linear.safetensors");
    wide.save(&path).unwrap();
    narrow.load(&path).unwrap();
    assert_eq!(
        narrow.weight.value().to_vec(),
        wide.weight.value().cast::<f32>().to_vec()
    );
}

#[test]
fn a_state_dict_of_another_model_is_refused_by_every_name() {
    let (small, large) = (model(1, 4), model(2, 5));
    let (_folder, path) = saved(&large);
    assert_refused(
        &small,
        &path,
        "load_state_dict: shapes differ: layers.0.weight (model [4, 3], given [5, 3]), layers.0.bias (model [4], given [5]), layers.1.weight (model [2, 4], given [2, 5])",
    );
    let other = Linear::new(3, 2, &mut StdRng::seed_from_u64(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    other.save(&path).unwrap();
    assert_refused(
        &small,
        &path,
        "load_state_dict: missing: embed.weight, layers.0.weight, layers.0.bias, layers.1.weight, layers.1.bias, norm.weight, norm.bias, seen; unexpected: ",
    );
}

#[test]
fn a_truncated_file_is_refused_wherever_it_is_cut() {
    let model = model(1, 4);
    let (_folder, path) = saved(&model);
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert_refused(&model, &path, "load: model.safetensors: ");
    }
}

#[test]
fn a_file_that_is_none_or_lies_about_its_size_is_refused() {
    let model = model(1, 4);
    let (folder, path) = saved(&model);
    assert_refused(
        &model,
        &folder.path().join("absent"),
        "load: absent: No such file",
    );
    std::fs::write(&path, b"no safetensors file at all").unwrap();
    assert_refused(&model, &path, "load: model.safetensors: ");
    let mut lie = u64::MAX.to_le_bytes().to_vec();
    lie.extend(b"{}");
    std::fs::write(&path, lie).unwrap();
    assert_refused(&model, &path, "load: model.safetensors: ");
}

#[test]
fn a_failed_save_leaves_the_file_that_was_there() {
    let model = model(1, 4);
    let (folder, path) = saved(&model);
    let before = std::fs::read(&path).unwrap();
    let error = model
        .save(folder.path().join("absent/model.safetensors"))
        .unwrap_err();
    assert_eq!(error.operation(), "save");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a temporary file was left"
    );
}

#[test]
fn tied_weights_are_one_parameter() {
    #[derive(Module)]
    struct Tied {
        embed: Embedding,
        out: Linear,
    }
    let embed = Embedding::new(5, 3, &mut StdRng::seed_from_u64(1));
    let out = Linear {
        weight: embed.weight.clone(),
        bias: None,
    };
    let model = Tied { embed, out };
    assert_eq!(model.parameter_count(), 15);
    let mut optimizer = Sgd::new(1.0).build(&model);
    let before = model.embed.weight.value().detach();
    let tape = Tape::new();
    let hidden = model.embed.forward(&Ids::new([1, 2]).unwrap()).unwrap();
    let loss = model.out.forward(&hidden).unwrap().sum();
    let grads = tape.backward(&loss).unwrap();
    optimizer.step(&grads).unwrap();
    let gradient = grads.dense(&model.embed.weight).unwrap().unwrap();
    let expected = before.sub(&gradient).unwrap().to_vec();
    assert_eq!(model.out.weight.value().to_vec(), expected);
}

#[test]
fn what_fits_is_loaded_in_part_and_the_rest_is_told() {
    let (small, large) = (model(1, 4), model(2, 5));
    let before = values(&small);
    let renamed = large.state_dict().with_prefix_replaced("norm.", "other.");
    let report = small.load_partial(&renamed).unwrap();
    assert_eq!(report.matched, ["embed.weight", "layers.1.bias", "seen"]);
    assert_eq!(report.missing, ["norm.weight", "norm.bias"]);
    assert_eq!(report.unexpected, ["other.weight", "other.bias"]);
    assert_eq!(report.misshapen.len(), 3);
    assert!(!report.is_complete());
    let (after, given) = (values(&small), values(&large));
    assert_eq!(
        (&after[0], &after[4], &after[7]),
        (&given[0], &given[4], &given[7])
    );
    assert_eq!(after[1..4], before[1..4]);
}

#[test]
fn a_prefix_is_renamed() {
    let (trained, fresh) = (model(1, 4), model(2, 4));
    let wrapped = trained.state_dict().with_prefix_replaced("", "model.");
    assert!(fresh.load_state_dict(&wrapped).is_err());
    fresh
        .load_state_dict(&wrapped.with_prefix_replaced("model.", ""))
        .unwrap();
    assert_eq!(values(&fresh), values(&trained));
}

/// A safetensors file of this header and these bytes.
fn file(header: &str, data: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(&path, [&length[..], header.as_bytes(), data].concat()).unwrap();
    (folder, path)
}

#[test]
fn numbers_of_other_types_are_converted() {
    let header = r#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},"c":{"dtype":"I64","shape":[],"data_offsets":[6,14]}}"#;
    let data = [
        &[0x00, 0x3c, 0x00, 0xc0, 0xc0, 0x3f][..],
        &(-7_i64).to_le_bytes(),
    ]
    .concat();
    let (_folder, path) = file(header, &data);
    let state: StateDict = StateDict::load(&path).unwrap();
    let read = |name: &str| state.get(name).unwrap().to_vec();
    assert_eq!(
        (read("a"), read("b"), read("c")),
        (vec![1.0, -2.0], vec![1.5], vec![-7.0])
    );
}

#[derive(Module)]
struct Out {
    out: Linear,
}

fn out() -> Out {
    let config = LinearConfig {
        bias: false,
        ..LinearConfig::new(2, 2)
    };
    Out {
        out: config.build(&mut StdRng::seed_from_u64(1)).unwrap(),
    }
}

/// A file with `out.weight` of this type and these bytes, and more entries of the header with their bytes after it.
fn weight_file(dtype: &str, weight: &[u8], more: &str, data: &[u8]) -> (TempDir, PathBuf) {
    let end = weight.len();
    let header = format!(
        r#"{{"out.weight":{{"dtype":"{dtype}","shape":[2,2],"data_offsets":[0,{end}]}}{more}}}"#
    );
    file(&header, &[weight, data].concat())
}

fn bytes_of<const N: usize, const B: usize>(numbers: [[u8; B]; N]) -> Vec<u8> {
    numbers.concat()
}

#[test]
fn a_tensor_of_another_type_hinders_nothing_but_itself() {
    let weight = bytes_of([1.0_f32, 2.0, 3.0, 4.0].map(f32::to_le_bytes));
    for (dtype, size) in [
        ("BOOL", 1),
        ("I8", 1),
        ("U16", 2),
        ("I32", 4),
        ("U64", 8),
        ("F8_E4M3", 1),
        ("C64", 8),
    ] {
        let more = format!(
            r#","out.mask":{{"dtype":"{dtype}","shape":[2],"data_offsets":[16,{}]}}"#,
            16 + 2 * size
        );
        let (_folder, path) = weight_file("F32", &weight, &more, &vec![0; 2 * size]);
        let model = out();
        let before = model.out.weight.value().to_vec();
        let text = model.load(&path).unwrap_err().to_string();
        let expected = format!(
            "load_state_dict: unexpected: out.mask ({dtype}); file: {}",
            path.display()
        );
        assert_eq!(text, expected);
        assert_eq!(model.out.weight.value().to_vec(), before);
        let report = model
            .load_partial(&StateDict::load(&path).unwrap())
            .unwrap();
        assert_eq!(report.unexpected, ["out.mask"]);
        assert_eq!(report.foreign, [("out.mask".to_owned(), dtype.to_owned())]);
        assert_eq!(model.out.weight.value().to_vec(), [1.0, 2.0, 3.0, 4.0]);
    }
}

#[test]
fn numbers_that_are_no_weights_are_refused_by_name_place_and_value() {
    let refused = |dtype: &str, weight: Vec<u8>, expected: &str| {
        let (_folder, path) = weight_file(dtype, &weight, "", &[]);
        let model = out();
        let before = model.out.weight.value().to_vec();
        let text = model.load(&path).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("load_state_dict: refused: out.weight {expected}")),
            "{text}"
        );
        let report = model
            .load_partial(&StateDict::load(&path).unwrap())
            .unwrap();
        assert_eq!((report.matched.len(), report.refused.len()), (0, 1));
        assert!(!report.is_complete());
        assert_eq!(model.out.weight.value().to_vec(), before);
    };
    let f32s = |last: f32| bytes_of([1.0, 2.0, 3.0, last].map(f32::to_le_bytes));
    refused(
        "F32",
        f32s(f32::NAN),
        "holds NaN at [1, 1]; numbers must be finite",
    );
    refused(
        "F32",
        f32s(f32::NEG_INFINITY),
        "holds -inf at [1, 1]; numbers must be finite",
    );
    let wide = [0.0, 1e300, 0.0, 0.0].map(f64::to_le_bytes);
    refused(
        "F64",
        bytes_of(wide),
        "holds 1e300 at [0, 1]; F64 is read as f32",
    );
    let whole = [1_i64, 2, 3, 4].map(i64::to_le_bytes);
    refused(
        "I64",
        bytes_of(whole),
        "is stored as I64; it must be F64, F32, F16 or BF16",
    );
    refused("F8_E5M2", vec![0; 4], "is stored as F8_E5M2; it must be");
    refused("C64", vec![0; 32], "is stored as C64, which is not read");
    refused("BF16", [0x80, 0x7f].repeat(4), "holds inf at [0, 0]");
}

#[test]
fn what_was_refused_can_be_mended_and_loaded() {
    let weight = [1.0, f32::NAN, 3.0, 4.0].map(f32::to_le_bytes);
    let (_folder, path) = weight_file("F32", &bytes_of(weight), "", &[]);
    let state: StateDict = StateDict::load(&path).unwrap();
    let mend = |(name, tensor): (&str, &Tensor)| {
        let values = tensor.to_vec().into_iter();
        let values: Vec<f32> = values.map(|x| if x.is_nan() { 0.0 } else { x }).collect();
        let mended = Tensor::from_slice(&values, tensor.shape().clone());
        (name.to_owned(), mended.unwrap())
    };
    let mended: StateDict = state.iter().map(mend).collect();
    let model = out();
    model.load_state_dict(&mended).unwrap();
    assert_eq!(model.out.weight.value().to_vec(), [1.0, 0.0, 3.0, 4.0]);
}

#[test]
fn a_buffer_says_what_it_takes() {
    let norm = BatchNorm1d::<f32>::new(2);
    let load = |name: &str, value: Tensor| {
        let state = norm.state_dict();
        let with = |(own, tensor): (&str, &Tensor)| {
            let value = if own == name { &value } else { tensor };
            (own.to_owned(), value.clone())
        };
        let changed: StateDict = state.iter().map(with).collect();
        norm.load_state_dict(&changed)
            .map_err(|error| error.to_string())
    };
    assert!(load("running_var", Tensor::new([0.0, 2.0])).is_ok());
    assert_eq!(
        load("running_var", Tensor::new([1.0, -2.0])).unwrap_err(),
        "load_state_dict: refused: running_var holds -2 at [1]; numbers must be finite and not negative"
    );
    assert!(load("running_mean", Tensor::new([f32::NAN, 0.0])).is_err());
    assert!(load("num_batches_tracked", Tensor::full([], 0.5)).is_err());
    let mask = Buffer::new(Tensor::new([0.0, f32::NEG_INFINITY]));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mask.safetensors");
    mask.save(&path).unwrap();
    let again: Buffer = Buffer::new(Tensor::zeros([2]));
    again.load(&path).unwrap();
    assert_eq!(again.value().to_vec(), [0.0, f32::NEG_INFINITY]);
}

#[test]
fn counts_of_batches_are_integers_as_pytorch_writes_them() {
    let header = r#"{"num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}"#;
    let (_folder, path) = file(header, &300_i64.to_le_bytes());
    let norm = BatchNorm1d::<f32>::new(2);
    let report = norm.load_partial(&StateDict::load(&path).unwrap()).unwrap();
    assert_eq!(report.matched, ["num_batches_tracked"]);
    let (_folder, path) = file(header, &(-1_i64).to_le_bytes());
    let report = norm.load_partial(&StateDict::load(&path).unwrap()).unwrap();
    assert_eq!(report.refused.len(), 1);
}

#[test]
fn a_name_that_stands_twice_is_neither_loaded_nor_saved() {
    let twice: StateDict = [1.0, 2.0]
        .map(|value| ("out.weight".to_owned(), Tensor::full([2, 2], value)))
        .into_iter()
        .collect();
    let model = out();
    let before = model.out.weight.value().to_vec();
    assert_eq!(
        model.load_state_dict(&twice).unwrap_err().to_string(),
        "load_state_dict: refused: out.weight stands twice"
    );
    assert_eq!(model.load_partial(&twice).unwrap().refused.len(), 1);
    assert_eq!(model.out.weight.value().to_vec(), before);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.safetensors");
    assert!(twice.save(&path).is_err() && !path.exists());
    let notes: StateDict = [("__metadata__".to_owned(), Tensor::zeros([1]))]
        .into_iter()
        .collect();
    assert!(notes.save(&path).is_err() && !path.exists());
}

#[test]
fn names_from_files_are_printed_escaped() {
    let header = r#"{"\u001b[2J":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
    let (_folder, path) = file(header, &[0; 4]);
    let text = out().load(&path).unwrap_err().to_string();
    assert!(text.contains(r"unexpected: \u{1b}[2J"), "{text}");
}

#[test]
fn a_file_that_lies_about_itself_is_refused_and_allocates_nothing_of_what_it_claims() {
    let entry = |shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let refused = |header: &str, data: &[u8]| {
        let (_folder, path) = file(header, data);
        let error = StateDict::<f32>::load(&path).unwrap_err().to_string();
        assert!(error.starts_with("load: "), "{error}");
        error
    };
    let huge = refused(&entry("[1000000000000]", "[0,4000000000000]"), &[0; 8]);
    assert!(huge.contains("the file holds 8 bytes of data"), "{huge}");
    refused(&entry("[4294967296,4294967296]", "[0,8]"), &[0; 8]);
    refused(&entry("[3]", "[0,8]"), &[0; 8]);
    refused(&entry("[2]", "[8,0]"), &[0; 8]);
    refused(&entry("[1]", "[0,4]"), &[0; 8]);
    let overlapping = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    refused(overlapping, &[0; 12]);
    refused("{}x", &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("header.safetensors");
    std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    let error = StateDict::<f32>::load(&path).unwrap_err().to_string();
    assert!(error.to_lowercase().contains("header"), "{error}");
}
