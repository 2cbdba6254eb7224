//! Hostile vocabularies and fastText models, and paths that lead to no file.

use std::path::{Path, PathBuf};

use lexigrad_text::Vocab;
use lexigrad_text::read::{LabelledTexts, csv, lines};
use lexigrad_text::vectors::{MappedTable, VectorOptions, WordVectors};

fn load_vocab(bytes: &[u8]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.json");
    std::fs::write(&path, bytes).unwrap();
    let vocab = Vocab::load(&path).map_err(|error| {
        let message = error.to_string();
        message.replace(&path.display().to_string(), "file")
    })?;
    Ok(vocab.words().map(str::to_owned).collect())
}

#[test]
fn vocabularies() {
    let cases: &[(&[u8], &str)] = &[
        (
            b"",
            "file, line 1: not a vocabulary: EOF while parsing a value at column 0",
        ),
        (
            b"[null, null, [[\"a\", 1]]]",
            "file, line 1: not a vocabulary: invalid type: sequence, expected an object",
        ),
        (
            b"{\"words\": [[\"a\", 1], [\"a\", 2]]}",
            "file: not a vocabulary: the word \"a\" stands there twice",
        ),
        (
            b"{\"words\": [[\"a\", -1]]}",
            "file, line 1: not a vocabulary: invalid value: integer `-1`, expected u64",
        ),
        (
            b"{\"words\": [[\"a\", 1.5]]}",
            "file, line 1: not a vocabulary: invalid type: floating point `1.5`, expected u64",
        ),
        (
            b"{\"words\": [[\"a\", 18446744073709551616]]}",
            "file, line 1: not a vocabulary: invalid type: floating point",
        ),
        (
            b"{\"words\": [[\"a\"]]}",
            "file, line 1: not a vocabulary: invalid length 1",
        ),
        (
            b"{\"words\": [],\n \"words\": []}",
            "file, line 2: not a vocabulary: duplicate field `words`",
        ),
        (
            b"{\"padding\": \"p\", \"words\": []}",
            "file: not a vocabulary: the padding word \"p\" is not among the words",
        ),
        (
            b"{\"unknown\": \"\\u001b[2J\", \"words\": []}",
            "not a vocabulary: the unknown word \"\\u{1b}[2J\" is not among the words",
        ),
        (
            b"{\"words\": [], \"more\": 1}",
            "file, line 1: not a vocabulary: unknown field `more`",
        ),
        (
            b"{\"padding\": null}",
            "file, line 1: not a vocabulary: missing field `words`",
        ),
        (
            b"{\"words\": [[\"a\nb\", 1]]}",
            "file, line 1: not a vocabulary: control character (\\u0000-\\u001F) found while parsing a string at column 15",
        ),
        (
            b"{\"words\": []} x",
            "file, line 1: not a vocabulary: trailing characters",
        ),
        (
            b"{\"words\": [[\"\\ud800\", 1]]}",
            "file, line 1: not a vocabulary: unexpected end of hex escape",
        ),
        (
            b"{\"words\": [[\"caf\xe9\", 1]]}",
            "file, byte 16: 0xe9 is not UTF-8 there",
        ),
        (b"\xff\xfe{\0", "file: it is UTF-16"),
        (b"\x1f\x8b", "file: it is compressed by gzip"),
    ];
    for (bytes, expected) in cases {
        let found = load_vocab(bytes);
        assert!(
            found
                .as_ref()
                .is_err_and(|message| message.contains(expected)),
            "{found:?}; {expected}"
        );
    }
    let whole =
        b"{\"padding\":\"\",\"unknown\":null,\"words\":[[\"\",0],[\"a\",18446744073709551615]]}";
    assert_eq!(load_vocab(whole).unwrap(), ["", "a"]);
    assert_eq!(
        load_vocab(&[b"\xef\xbb\xbf", &whole[..]].concat()).unwrap(),
        ["", "a"]
    );
    for length in 0..whole.len() {
        assert!(load_vocab(&whole[..length]).is_err());
    }
    let deep = format!("{{\"words\": {}", "[".repeat(100_000));
    assert!(load_vocab(deep.as_bytes()).is_err());
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name),
    )
    .unwrap()
}

fn message(bytes: &[u8]) -> String {
    VectorOptions::default()
        .read(bytes, "file")
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

#[test]
fn fields_of_a_model() {
    // dim 8, ws 12, epoch 16, minCount 20, neg 24, wordNgrams 28, loss 32, model 36, buckets 40, minn 44, maxn 48, lrUpdateRate 52,
    // t 56; entries 64, words 68, labels 72, tokens 76, pruned 84.
    let model = fixture("fasttext_skipgram.bin");
    let cases: [(usize, &[u8], &str); 18] = [
        (
            8,
            &[0xff; 4],
            "byte 8: the size of a vector is -1; it must not be negative",
        ),
        (12, &[0xff; 4], "byte 12: ws is -1; it must not be negative"),
        (24, &[0xff; 4], "byte 24: neg is -1"),
        (28, &[0xff; 4], "byte 28: wordNgrams is -1"),
        (32, &[9, 0, 0, 0], "byte 32: loss 9; there are 1 to 4"),
        (32, &[0, 0, 0, 0], "byte 32: loss 0; there are 1 to 4"),
        (36, &[4, 0, 0, 0], "byte 36: model 4; there are 1 to 3"),
        (
            36,
            &[3, 0, 0, 0],
            "the output matrix is [8, 3], which does not fit 0 labels of 3 numbers",
        ),
        (40, &[0xff; 4], "byte 40: the number of buckets is -1"),
        (
            40,
            &[0xff, 0xff, 0xff, 0x7f],
            "which does not fit 8 words and 2147483647 buckets of 3 numbers",
        ),
        (44, &[0xff; 4], "byte 44: minn is -1"),
        (48, &[0xff; 4], "byte 48: maxn is -1"),
        (64, &[0xff; 4], "byte 64: the number of entries is -1"),
        (
            64,
            &[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f],
            "byte 64: 2147483647 entries; the",
        ),
        (76, &[0xff; 8], "byte 76: the number of tokens is -1"),
        (
            84,
            &[0xfe],
            "byte 84: -2 pruned buckets; a whole model has -1 there",
        ),
        (
            92,
            &[0xff],
            "byte 92: the word of entry 1 of the dictionary is not UTF-8: byte 0xff at 1",
        ),
        (211, &[0xff; 8], "byte 211: the input matrix is [-1, 3]"),
    ];
    for (at, bytes, expected) in cases {
        let mut broken = model.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        let message = message(&broken);
        assert!(message.contains(expected), "{message}; {expected}");
    }
    for length in 0..model.len() {
        assert!(message(&model[..length]).starts_with("file"));
    }
}

/// A model of `count` words of `length` letters, of one number each, with one bucket.
fn model_of_long_words(count: i32, length: usize, maximum: i32) -> Vec<u8> {
    let ints = |numbers: &[i32]| {
        numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let longs = |numbers: &[i64]| {
        numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let mut bytes = ints(&[793_712_314, 12, 1, 5, 5, 1, 5, 1, 2, 2, 1, 1, maximum, 100]);
    bytes.extend(1e-4_f64.to_le_bytes());
    bytes.extend(ints(&[count, count, 0]));
    bytes.extend(longs(&[0, -1]));
    for word in 0..count {
        bytes.extend(format!("{word:x>length$}").into_bytes());
        bytes.push(0);
        bytes.extend(longs(&[1]));
        bytes.push(0);
    }
    for rows in [count + 1, count] {
        bytes.push(0);
        bytes.extend(longs(&[i64::from(rows), 1]));
        bytes.extend(vec![0; 4 * rows as usize]);
    }
    bytes
}

#[test]
fn n_grams_without_end_are_refused_by_the_size_of_the_file() {
    let message = message(&model_of_long_words(600, 1000, i32::MAX));
    assert!(
        message.starts_with("file, byte 44: minn 1 and maxn 2147483647: the words have 3015"),
        "{message}"
    );
    // Long n-grams of words as they are.
    let (vectors, _) = VectorOptions::default()
        .read(&model_of_long_words(600, 12, i32::MAX), "file")
        .unwrap();
    assert_eq!(vectors.len(), 600);
}

/// What each reader says of a path.
fn faults(path: &Path) -> Vec<String> {
    vec![
        WordVectors::load(path).map(|_| ()).unwrap_err().to_string(),
        MappedTable::open(path).map(|_| ()).unwrap_err().to_string(),
        lines(path).map(|_| ()).unwrap_err().to_string(),
        csv(path).map(|_| ()).unwrap_err().to_string(),
        LabelledTexts::load(path)
            .map(|_| ())
            .unwrap_err()
            .to_string(),
        Vocab::load(path).map(|_| ()).unwrap_err().to_string(),
        lexigrad_text::train::History::load(path)
            .unwrap_err()
            .to_string(),
        #[cfg(feature = "tokenizers")]
        lexigrad_text::PretrainedTokenizer::load(path)
            .unwrap_err()
            .to_string(),
    ]
}

#[test]
fn a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().display().to_string();
    for message in faults(folder.path()) {
        assert_eq!(
            message,
            format!("{name}: it is a folder; it must be a file")
        );
    }
    let hostile = PathBuf::from("no\u{1b}[2Jsuch");
    for message in faults(&hostile) {
        assert!(message.starts_with("no\\u{1b}[2Jsuch: "), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn a_socket_and_a_device_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    for message in faults(&path) {
        assert!(
            message.ends_with("socket: it is a socket; it must be a file"),
            "{message}"
        );
    }
    for message in [
        WordVectors::load("/dev/zero").unwrap_err().to_string(),
        Vocab::load("/dev/zero").unwrap_err().to_string(),
    ] {
        assert_eq!(
            message,
            "/dev/zero: it is a device, which may have no end; a file or a pipe is read"
        );
    }
    let message = MappedTable::open("/dev/zero").unwrap_err().to_string();
    assert_eq!(
        message,
        "/dev/zero: it is a device; only a regular file can be mapped into memory"
    );
    let message = lines("/dev/zero")
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        "/dev/zero, line 1: it is longer than 1048576 bytes"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_is_read() {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"2 2\nthe 1 2\nof 3 4\n").unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let vectors = WordVectors::load(&path).unwrap();
    assert_eq!(vectors.get("of"), Some(&[3.0, 4.0][..]));

    let (reader, _writer) = std::io::pipe().unwrap();
    let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
    let message = MappedTable::open(&path).unwrap_err().to_string();
    assert!(
        message.ends_with("it is a pipe; only a regular file can be mapped into memory"),
        "{message}"
    );
}

#[test]
fn an_empty_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty");
    std::fs::write(&path, "").unwrap();
    let message = WordVectors::load(&path).unwrap_err().to_string();
    assert!(message.ends_with("empty: the file is empty"), "{message}");
    assert!(MappedTable::open(&path).is_err());
    assert_eq!(lines(&path).unwrap().count(), 0);
}

#[test]
fn names_of_tensors_are_escaped_and_cut() {
    use lexigrad_tensor::{Error, ErrorKind};

    let kind = ErrorKind::StateDict {
        missing: vec!["a\u{1b}[2J".to_owned()],
        unexpected: vec!["b".repeat(100_000)],
        misshapen: Vec::new(),
        refused: Vec::new(),
        file: None,
    };
    let message = Error::new("load", kind).to_string();
    assert!(message.starts_with("load: missing: a\\u{1b}[2J; unexpected: bbb"));
    assert!(message.len() < 300);
}

#[test]
fn of_many_names_and_long_shapes_a_message_has_the_first() {
    use lexigrad_nn::{Archive, Linear, ModuleState, StateDict};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.safetensors");
    let shape = vec!["1"; 10_000].join(",");
    let weight = format!(r#""weight":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,4]}}"#);
    let more = (0..500).map(|place| {
        format!(r#","more.{place}":{{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}"#)
    });
    let header = format!("{{{weight}{}}}", more.collect::<String>());
    let length = header.len() as u64;
    let bytes = [&length.to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    assert_eq!(Archive::read(&bytes).unwrap().tensors.len(), 501);
    std::fs::write(&path, bytes).unwrap();
    let state = StateDict::<f32>::load(&path).unwrap();
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    let error = Linear::new(3, 2, &mut rng).load_state_dict(&state);
    let message = error.unwrap_err().to_string();
    for part in [
        "more.18, more.19 and 480 more; shapes differ: weight (model [2, 3], given [1, 1, ",
        "many.safetensors",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(message.len() < 1000, "{message}");
}

#[test]
fn histories() {
    use lexigrad_text::train::History;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.json");
    let is_a_list = "invalid type: sequence, expected an object";
    let cases: [(&[u8], &str); 5] = [
        (
            b"{\"epochs\": [\n{\"\n\"",
            ", line 2: not a history: column 3: ",
        ),
        (b"[[]]", is_a_list),
        (b"{\"epochs\": [[1.5, [[\"loss\", 1]]]]}", is_a_list),
        (b"\xff\xfe{\0", ": it is UTF-16"),
        (
            b"{\"epochs\": [\xe9]}",
            ", byte 12: 0xe9 is not UTF-8 there",
        ),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&path, bytes).unwrap();
        let message = History::load(&path).unwrap_err().to_string();
        assert!(message.contains("history.json"), "{message}");
        assert!(message.contains(expected), "{message}; {expected}");
    }
    std::fs::write(&path, b"\xef\xbb\xbf{\"epochs\": []}").unwrap();
    assert!(History::load(&path).unwrap().epochs().is_empty());
}

#[test]
fn words_in_summaries_move_no_cursor() {
    let hostile = format!("\u{1b}[2J{}", "x".repeat(10_000));
    let vocab = Vocab::from_tokens(["a", hostile.as_str()]).unwrap();
    let (vectors, _) = VectorOptions::default()
        .read(b"a 1\nb 2\n", "file")
        .unwrap();
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    let missing = lexigrad_text::vectors::MissingRows::Zero;
    let (_, matching) = vectors.embedding(&vocab, missing, false, &mut rng).unwrap();
    let known = Vocab::from_tokens(["a"]).unwrap();
    for summary in [matching.to_string(), known.coverage([hostile]).to_string()] {
        assert!(
            !summary.contains('\u{1b}') && summary.len() < 300,
            "{summary}"
        );
        assert!(summary.contains("\\u{1b}[2Jx"), "{summary}");
    }
}
