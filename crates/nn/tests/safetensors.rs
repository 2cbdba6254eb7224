//! Safetensors files that the format forbids are refused, those that it allows are read; each refusal names the byte or the tensor.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{Archive, StateDict};
use proptest::collection::vec;
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};

fn file(header: &[u8], data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header, data].concat()
}

fn entry(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
}

/// The header of these entries.
fn of(entries: &[String]) -> String {
    format!("{{{}}}", entries.join(","))
}

/// `a`, one number.
fn one() -> String {
    entry("a", "F32", "[1]", "[0,4]")
}

const FOUR: [u8; 4] = [0, 0, 128, 63];

#[test]
fn what_the_format_allows_is_read() {
    let pair = |first: &str, second: &str| {
        of(&[
            entry("a", "F32", "[1]", first),
            entry("b", "F32", "[1]", second),
        ])
    };
    let empty = |offsets: &str| entry("empty", "F32", "[0,3]", offsets);
    let cases: Vec<(&str, String, usize)> = vec![
        ("no tensor", "{}".into(), 0),
        ("padding", "{}      ".into(), 0),
        (
            "notes alone",
            r#"{"__metadata__":{"format":"pt"}}"#.into(),
            0,
        ),
        ("no notes", r#"{"__metadata__":{}}"#.into(), 0),
        (
            "a note like a name",
            of(&[r#""__metadata__":{"a":"b"}"#.into(), one()]),
            4,
        ),
        ("a number alone", of(&[entry("a", "F32", "[]", "[0,4]")]), 4),
        ("no numbers", of(&[empty("[0,0]")]), 0),
        (
            "no numbers between others",
            of(&[one(), empty("[4,4]"), entry("b", "U8", "[2]", "[4,6]")]),
            6,
        ),
        ("no numbers at the end", of(&[one(), empty("[4,4]")]), 4),
        ("in order", pair("[0,4]", "[4,8]"), 8),
        ("not in order", pair("[4,8]", "[0,4]"), 8),
        (
            "white space",
            "{ \n\t\"a\" : {\"dtype\":\"F32\", \"shape\":[ 1 ],\r\n\"data_offsets\":[0 ,4]}\n}"
                .into(),
            4,
        ),
        (
            "fields in another order",
            r#"{"a":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"}}"#.into(),
            4,
        ),
        (
            "a further field",
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":[{}]}}"#.into(),
            4,
        ),
        ("an empty name", of(&[entry("", "F32", "[1]", "[0,4]")]), 4),
        (
            "an escaped name",
            of(&[entry("caf\\u00e9\\n", "F32", "[1]", "[0,4]")]),
            4,
        ),
        (
            "misaligned data",
            of(&[
                entry("b", "U8", "[1]", "[0,1]"),
                entry("a", "F32", "[1]", "[1,5]"),
            ]),
            5,
        ),
        ("half bytes", of(&[entry("a", "F4", "[2]", "[0,1]")]), 1),
        (
            "many axes",
            of(&[entry("a", "U8", "[1,1,1,1,1,1,1,1,1,1]", "[0,1]")]),
            1,
        ),
    ];
    for (what, header, data) in cases {
        let bytes = file(header.as_bytes(), &vec![0; data]);
        let archive = Archive::read(&bytes);
        assert!(archive.is_ok(), "{what}: {}", archive.unwrap_err());
        let stored: usize = archive
            .unwrap()
            .tensors
            .iter()
            .map(|tensor| tensor.data.len())
            .sum();
        assert_eq!(stored, data, "{what}");
    }
}

#[test]
fn bytes_that_are_no_header_are_refused() {
    let length = |length: u64| length.to_le_bytes().to_vec();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", vec![], "0 bytes"),
        ("no length", vec![2, 0, 0, 0, 0, 0, 0], "7 bytes"),
        (
            "no header",
            length(2),
            "byte 0: a header of 2 bytes; 0 follow",
        ),
        (
            "a header beyond the file",
            [length(3), b"{}".to_vec()].concat(),
            "byte 0: a header of 3 bytes; 2 follow",
        ),
        (
            "too long a header",
            length(100_000_001),
            "at most 100000000",
        ),
        (
            "the longest header, but not there",
            length(100_000_000),
            "0 follow",
        ),
        ("all bits", length(u64::MAX), "at most 100000000"),
        (
            "an empty header",
            file(b"", b""),
            "byte 8: the header must begin with {",
        ),
        ("a space first", file(b" {}", b""), "byte 8"),
        ("a mark first", file(b"\xef\xbb\xbf{}", b""), "byte 8"),
        ("a list", file(b"[]", b""), "byte 8"),
        ("null", file(b"null", b""), "byte 8"),
        (
            "not UTF-8",
            file(b"{\"\xff\":{}}", b""),
            "byte 10: the header is not UTF-8",
        ),
        ("spaces alone", file(b"   ", b""), "byte 8"),
        ("padding of zeros", file(b"{}\0\0", b""), "byte 11"),
        ("padding of line ends", file(b"{}\n", b""), "byte 10"),
        ("padding of tabs", file(b"{}\t ", b""), "byte 10"),
        ("no end", file(b"{\"a\":", b""), "byte 12"),
        ("two values", file(b"{}{}", b""), "byte 10"),
        (
            "a comma too many",
            file(b"{\"__metadata__\":{},}", b""),
            "byte 2",
        ),
        ("a comment", file(b"{/**/}", b""), "byte 9"),
        ("single quotes", file(b"{'a':{}}", b""), "byte 9"),
        ("a line end in a name", file(b"{\"a\n\":{}}", b""), "byte 1"),
        (
            "half a pair",
            file(
                br#"{"\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
                b"",
            ),
            "byte 1",
        ),
    ];
    for (what, bytes, expected) in cases {
        let reason = Archive::read(&bytes).expect_err(what);
        assert!(reason.contains(expected), "{what}: {reason}");
    }
}

#[test]
fn keys_that_stand_twice_are_refused() {
    let cases = [
        ("a name", of(&[one(), one()])),
        (
            "a name, of other bytes",
            of(&[one(), entry("a", "F32", "[1]", "[4,8]")]),
        ),
        (
            "a name in two spellings",
            of(&[one(), entry("\\u0061", "F32", "[1]", "[4,8]")]),
        ),
        (
            "an empty tensor",
            of(&[one(), entry("a", "F32", "[0]", "[4,4]")]),
        ),
        (
            "the notes",
            of(&[r#""__metadata__":{}"#.into(), r#""__metadata__":{}"#.into()]),
        ),
        ("a note", r#"{"__metadata__":{"a":"1","a":"2"}}"#.into()),
        (
            "a note in two spellings",
            r#"{"__metadata__":{"a":"1","\u0061":"1"}}"#.into(),
        ),
        (
            "the type",
            r#"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.into(),
        ),
        (
            "the shape",
            r#"{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}"#.into(),
        ),
        (
            "the offsets",
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"data_offsets":[0,4]}}"#.into(),
        ),
        (
            "the type in two spellings",
            r#"{"a":{"dtype":"F32","d\u0074ype":"F32","shape":[1],"data_offsets":[0,4]}}"#.into(),
        ),
        (
            "a further field",
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1,"x":1}}"#.into(),
        ),
    ];
    for (what, header) in cases {
        for data in [4, 8] {
            let reason = Archive::read(&file(header.as_bytes(), &vec![0; data])).expect_err(what);
            assert!(reason.contains("stands twice"), "{what}: {reason}");
            assert!(reason.starts_with("byte "), "{what}: {reason}");
        }
    }
}

#[test]
fn records_that_are_none_are_refused_by_name() {
    let of_a = |record: &str| format!(r#"{{"a":{record}}}"#);
    let typed = |dtype: &str| {
        of_a(&format!(
            r#"{{"dtype":{dtype},"shape":[1],"data_offsets":[0,4]}}"#
        ))
    };
    let shaped = |shape: &str| of(&[entry("a", "F32", shape, "[0,4]")]);
    let offset = |offsets: &str| of(&[entry("a", "F32", "[1]", offsets)]);
    let pair = |first: &str, second: &str| {
        of(&[
            entry("z", "F32", "[1]", first),
            entry("a", "F32", "[1]", second),
        ])
    };
    let notes = |notes: &str| format!(r#"{{"__metadata__":{notes}}}"#);
    let cases: Vec<(&str, String, usize, &str)> = vec![
        ("null", of_a("null"), 4, "a: invalid type"),
        ("a list", of_a(r#"["F32",[1],[0,4]]"#), 4, "a: invalid type"),
        ("a number", of_a("1"), 4, "a: invalid type"),
        ("nothing", of_a("{}"), 4, "a: dtype is missing"),
        (
            "no shape",
            of_a(r#"{"dtype":"F32","data_offsets":[0,4]}"#),
            4,
            "a: shape is missing",
        ),
        (
            "no offsets",
            of_a(r#"{"dtype":"F32","shape":[1]}"#),
            4,
            "a: data_offsets is missing",
        ),
        (
            "an unknown type",
            typed("\"F33\""),
            4,
            "a: the format has no type F33",
        ),
        (
            "small letters",
            typed("\"f32\""),
            4,
            "a: the format has no type f32",
        ),
        (
            "a type of control characters",
            typed(r#""\u001b[2J""#),
            4,
            r"a: the format has no type \u{1b}[2J",
        ),
        ("a type that is a number", typed("32"), 4, "a: invalid type"),
        ("a negative size", shaped("[-1]"), 4, "a: invalid value"),
        (
            "a size with a fraction",
            shaped("[1.0]"),
            4,
            "a: invalid type",
        ),
        ("a size as text", shaped("[\"1\"]"), 4, "a: invalid type"),
        (
            "a size of 65 bits",
            shaped("[18446744073709551616]"),
            4,
            "a: ",
        ),
        ("no list of sizes", shaped("1"), 4, "a: invalid type"),
        ("null for sizes", shaped("null"), 4, "a: invalid type"),
        (
            "sizes that overflow",
            shaped("[4294967296,4294967296]"),
            4,
            "a: shape [4294967296, 4294967296] of F32 takes more bits",
        ),
        (
            "bits that overflow",
            shaped("[4611686018427387905]"),
            4,
            "a: shape",
        ),
        (
            "sizes that overflow to nothing",
            shaped("[4294967296,4294967296,0]"),
            0,
            "a: ",
        ),
        (
            "a shape of more",
            shaped("[2]"),
            4,
            "a: shape [2] of F32 takes 64 bits; its data_offsets [0, 4] hold 4 bytes",
        ),
        ("a shape of none", shaped("[0]"), 4, "a: shape [0] of F32"),
        (
            "three bytes",
            of(&[entry("a", "F32", "[1]", "[0,3]")]),
            3,
            "a: shape [1] of F32",
        ),
        (
            "half a byte",
            of(&[entry("a", "F4", "[1]", "[0,1]")]),
            1,
            "a: shape [1] of F4 takes 4 bits",
        ),
        ("one offset", offset("[0]"), 4, "a: invalid length 1"),
        ("three offsets", offset("[0,4,8]"), 4, "a: "),
        ("a negative offset", offset("[-4,0]"), 4, "a: invalid value"),
        (
            "an offset with a fraction",
            offset("[0,4.0]"),
            4,
            "a: invalid type",
        ),
        (
            "offsets turned round",
            offset("[4,0]"),
            4,
            "a: data_offsets [4, 0]",
        ),
        (
            "offsets beyond",
            offset("[0,8]"),
            4,
            "a: data_offsets [0, 8]",
        ),
        (
            "offsets far beyond",
            offset("[18446744073709551612,18446744073709551615]"),
            4,
            "a: data_offsets",
        ),
        (
            "a hole before",
            offset("[4,8]"),
            8,
            "a: data_offsets [4, 8]",
        ),
        (
            "a hole between",
            pair("[0,4]", "[8,12]"),
            12,
            "a: data_offsets [8, 12]",
        ),
        (
            "an overlap",
            pair("[0,4]", "[2,6]"),
            6,
            "a: data_offsets [2, 6]",
        ),
        (
            "the same bytes",
            pair("[0,4]", "[0,4]"),
            4,
            "data_offsets [0, 4]",
        ),
        (
            "an empty tensor inside another",
            of(&[one(), entry("b", "F32", "[0]", "[2,2]")]),
            4,
            "b: data_offsets [2, 2]",
        ),
        (
            "bytes after the last",
            of(&[one()]),
            5,
            "the tensors cover 4 bytes of data; the file has 5",
        ),
        (
            "bytes of no tensor",
            "{}".into(),
            1,
            "the tensors cover 0 bytes of data; the file has 1",
        ),
        (
            "notes of numbers",
            notes(r#"{"epoch":1}"#),
            0,
            "__metadata__: invalid type",
        ),
        (
            "notes in notes",
            notes(r#"{"a":{"b":"c"}}"#),
            0,
            "__metadata__: invalid type",
        ),
        (
            "notes that are null",
            notes("null"),
            0,
            "__metadata__: invalid type",
        ),
        (
            "notes that are a list",
            notes("[]"),
            0,
            "__metadata__: invalid type",
        ),
        (
            "a line end in a name",
            "{\"a\n\":{}}".to_owned(),
            0,
            "byte 11: control character",
        ),
        (
            "notes that are a tensor",
            of(&[entry("__metadata__", "F32", "[1]", "[0,4]")]),
            4,
            "__metadata__: invalid type",
        ),
    ];
    for (what, header, data, expected) in cases {
        let reason = Archive::read(&file(header.as_bytes(), &vec![0; data])).expect_err(what);
        assert!(reason.contains(expected), "{what}: {reason}");
    }
}

#[test]
fn names_from_files_are_printed_escaped_and_cut() {
    let name = format!("\\u001b[31m{}", "x".repeat(5000));
    let header = of(&[entry(&name, "F32", "[2]", "[0,4]")]);
    let reason = Archive::read(&file(header.as_bytes(), &FOUR)).unwrap_err();
    assert!(
        reason.starts_with(r"\u{1b}[31mxxx") && reason.len() < 400,
        "{reason}"
    );
    assert!(reason.contains("xxx .. xxx"), "{reason}");
    let shape = format!("\"{}\"", "x".repeat(5000));
    let header = of(&[entry("a", "F32", &shape, "[0,4]")]);
    let reason = Archive::read(&file(header.as_bytes(), &FOUR)).unwrap_err();
    assert!(
        reason.contains("a: invalid type") && reason.len() < 400,
        "{reason}"
    );
}

#[test]
fn a_folder_and_a_device_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().display();
    let message = StateDict::<f32>::load(folder.path())
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        format!("load: {name}: it is a folder; it must be a file")
    );
    #[cfg(unix)]
    {
        let message = StateDict::<f32>::load("/dev/zero").unwrap_err().to_string();
        let expected = "load: /dev/zero: it is a device, which may have no end";
        assert!(message.starts_with(expected), "{message}");
    }
}

/// A file with a tensor `a` of this type and these bytes, as `f32`: its numbers, or why it was not read.
fn of_type(dtype: &str, size: usize, data: &[u8]) -> Result<Vec<f32>, String> {
    let shape = format!("[{size}]");
    let header = of(&[entry("a", dtype, &shape, &format!("[0,{}]", data.len()))]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    std::fs::write(&path, file(header.as_bytes(), data)).unwrap();
    let state: StateDict = StateDict::load(&path).unwrap();
    assert_eq!(state.len() + state.unread().count(), 1);
    match state.get("a") {
        Some(tensor) => Ok(tensor.to_vec()),
        None => Err(state.unread().next().unwrap().1.to_owned()),
    }
}

#[test]
fn every_type_is_read_that_f32_can_hold() {
    assert_eq!(of_type("BOOL", 2, &[1, 0]), Ok(vec![1.0, 0.0]));
    assert_eq!(of_type("U8", 1, &[255]), Ok(vec![255.0]));
    assert_eq!(of_type("I8", 1, &[255]), Ok(vec![-1.0]));
    assert_eq!(of_type("U16", 1, &[1, 1]), Ok(vec![257.0]));
    assert_eq!(of_type("I16", 1, &[254, 255]), Ok(vec![-2.0]));
    assert_eq!(
        of_type("U32", 1, &[0, 0, 0, 128]),
        Ok(vec![2_147_483_648.0])
    );
    assert_eq!(of_type("I32", 1, &[255; 4]), Ok(vec![-1.0]));
    assert_eq!(of_type("I64", 1, &(-7_i64).to_le_bytes()), Ok(vec![-7.0]));
    assert_eq!(
        of_type("U64", 1, &(1_u64 << 63).to_le_bytes()),
        Ok(vec![2.0_f32.powi(63)])
    );
    assert_eq!(of_type("F8_E5M2", 2, &[0x3c, 0xc0]), Ok(vec![1.0, -2.0]));
    assert_eq!(of_type("F8_E4M3", 2, &[0x38, 0xfe]), Ok(vec![1.0, -448.0]));
    assert_eq!(
        of_type("F64", 1, &f64::INFINITY.to_le_bytes()),
        Ok(vec![f32::INFINITY])
    );

    let refused = |dtype: &str, data: &[u8], expected: &str| {
        assert_eq!(of_type(dtype, 1, data), Err(expected.to_owned()));
    };
    refused(
        "BOOL",
        &[2],
        "holds 2 at [0]; BOOL is read as f32, which has no such number",
    );
    refused(
        "F64",
        &(-1e300_f64).to_le_bytes(),
        "holds -1e300 at [0]; F64 is read as f32, which has no such number",
    );
    refused(
        "I64",
        &((1_i64 << 24) + 1).to_le_bytes(),
        "holds 16777217 at [0]; I64 is read as f32, which has no such number",
    );
    refused("C64", &[0; 8], "is stored as C64, which is not read");
}

/// Whatever is read, the `safetensors` crate reads too, and finds the same in it.
fn agrees_with_the_peer(bytes: &[u8]) {
    let Ok(archive) = Archive::read(bytes) else {
        return;
    };
    let peer = SafeTensors::deserialize(bytes).expect("what is read is allowed");
    assert_eq!(peer.len(), archive.tensors.len());
    for tensor in &archive.tensors {
        let found = peer.tensor(&tensor.name).unwrap();
        assert_eq!(
            (found.dtype(), found.shape()),
            (tensor.dtype, &tensor.shape[..])
        );
        assert_eq!(found.data(), tensor.data);
    }
}

proptest! {
    #[test]
    fn a_changed_file_is_read_as_the_peer_reads_it_or_refused(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        sizes in vec(0..4_usize, 0..4),
    ) {
        let tensors: Vec<_> = sizes.iter().enumerate().map(|(place, &size)| {
            let data = vec![1_u8; size * 4];
            (format!("t{place}"), size, data)
        }).collect();
        let views = tensors.iter().map(|(name, size, data)| {
            (name, safetensors::tensor::TensorView::new(Dtype::F32, vec![*size], data).unwrap())
        });
        let mut bytes = safetensors::serialize(views, None).unwrap();
        prop_assert_eq!(Archive::read(&bytes).unwrap().tensors.len(), sizes.len());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            agrees_with_the_peer(&bytes);
        }
    }

    #[test]
    fn any_header_is_read_as_the_peer_reads_it_or_refused(
        header in r#"\{("(a|b|__metadata__)":(\{("(dtype|shape|data_offsets)":("F32"|"U8"|\[(0|1|4)?\]|\[(0|4),(0|4|8)\]),?){0,4}\}|null|1),?){0,3}\} ?"#,
        data in 0..9_usize,
    ) {
        agrees_with_the_peer(&file(header.as_bytes(), &vec![0; data]));
    }
}
