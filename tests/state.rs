//! Saving and loading: what is written comes back, and what does not fit changes nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

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
    let wide: Linear<f64> = LinearConfig::new(2, 1).build(&mut StdRng::seed_from_u64(1));
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
    let (_folder, path) = file(
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        &[1],
    );
    let error = StateDict::<f32>::load(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("tensor a holds U8; F32, F64, F16, BF16 and I64 are read"),
        "{error}"
    );
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
    assert!(
        huge.contains("incomplete") || huge.contains("buffer"),
        "{huge}"
    );
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
