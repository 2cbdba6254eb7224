//! What is refused, by the text of the message.

use lexigrad_text::Place;
use lexigrad_text::vectors::WordVectors;

use crate::support::{binary, fixture, message, read};

#[test]
fn text_is_refused_by_line() {
    let long = format!("{} 1\n", "x".repeat(1025));
    let cases: [(&[u8], &str); 19] = [
        (b"", "file: the file is empty"),
        (
            b"\n \n",
            "file, line 1: no word with numbers after it; what is read: word2vec text or binary, GloVe text, a fastText model",
        ),
        (
            b"\x89PNG\r\n\x1a\n",
            "file, line 1: no word with numbers after it; what is read: word2vec text or binary, GloVe text, a fastText model",
        ),
        (
            b"a 1 2\nb 1 nan\n",
            "file, line 2: number 2 of the row is nan; numbers must be finite",
        ),
        (
            b"a 1 2\nb -inf 2\n",
            "file, line 2: number 1 of the row is -inf; numbers must be finite",
        ),
        (
            b"a 1 2\nb 1e39 2\n",
            "file, line 2: number 1 of the row is 1e39; numbers must be finite",
        ),
        (
            b"a 1 2\nb 1\n",
            "file, line 2: a word and 1 numbers; the rows have 2",
        ),
        (
            b"a 1 2\n\nb 1 2\n",
            "file, line 2: it is blank; a row has a word and 2 numbers",
        ),
        (
            b"a 1 2\nb 1 2 3\n",
            "file, line 2: more numbers than the 2 of the other rows",
        ),
        (
            b"a 1 2\nb 1 x\n",
            "file, line 2: \"x\" is no number, where number 2 of 2 should be",
        ),
        (
            b"a 1 2\nb 1,5 2\n",
            "file, line 2: \"1,5\" is no number, where number 1 of 2 should be",
        ),
        (
            b"a 1 2\n\xff 1 2\n",
            "file, line 2: the word of row 2 is not UTF-8: byte 0xff at 1 of \"\\xff\"; words are UTF-8",
        ),
        (
            long.as_bytes(),
            "file, line 1: the word of row 1 has 1025 bytes; the longest that is taken has 1024",
        ),
        (
            b"3 1\na 1.25\nb 2.25\n",
            "file, line 3: the file ends after 2 rows; the header says 3",
        ),
        (
            b"1 1\na 1\nb 2\n",
            "file, line 3: a row more than the 1 that the header says",
        ),
        (
            b"2 3\na 1.5 2.5\nb 3.5 4.5\n",
            "file, line 2: a word and 2 numbers; the rows have 3",
        ),
        (
            b"2 0\na\nb\n",
            "file, line 1: the header says 0 numbers a row; there must be one",
        ),
        (
            b"9999999999 9999999999\na 1\n",
            "file, line 1: the header says 9999999999 rows of 9999999999 numbers; the 4 bytes after it cannot hold them",
        ),
        (
            b"99999999999999999999 1\na 1\n",
            "file, line 1: the header's 99999999999999999999 is too large; it must be below 2^64",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(
            message(bytes),
            expected,
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn binary_is_refused_by_byte() {
    let row: (&[u8], &[f32]) = (b"the", &[1.0, 0.3]);
    let long = "x".repeat(1025);
    let bad: (&[u8], &[f32]) = (b"of", &[0.3, f32::NAN]);
    let cases = [
        (
            binary("2 2", &[row, bad]),
            "file, byte 17: row 2, \"of\": number 2 of the row is NaN; numbers must be finite",
        ),
        (
            binary("2 2", &[row, (b"\xc3", &[0.3, 0.4])]),
            "file, byte 17: the word of row 2 is not UTF-8: byte 0xc3 at 1 of \"\\xc3\"; words are UTF-8",
        ),
        (
            binary("2 2", &[row, (long.as_bytes(), &[0.3, 0.4])]),
            "file, byte 17: row 2: there is no word that a space ends",
        ),
        (
            binary("2 2", &[row, (b"", &[0.3, 0.4])]),
            "file, byte 17: the word of row 2 is empty; words have a letter at least",
        ),
        (
            binary("1 2", &[row, row]),
            "file, byte 17: 13 bytes after the 1 rows that the header says",
        ),
        (
            binary("3 2", &[row]),
            "file, line 1: the header says 3 rows of 2 numbers; the 13 bytes after it cannot hold them",
        ),
        (
            binary("2 2", &[(b"thethethe", &[1.0, 0.3]), (b"b", &[0.3])]),
            "file, byte 23: row 2, \"b\": 5 bytes are left; its 2 numbers have 8",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(message(&bytes), expected);
    }
}

#[test]
fn a_broken_model_is_refused_by_byte() {
    let model = std::fs::read(fixture("fasttext_skipgram.bin")).unwrap();
    // Version, dim, buckets, entries, pruned buckets, the kind of the first word, quantization, rows, the first number.
    let cases: [(usize, &[u8], &str); 10] = [
        (4, &[13], "file, byte 4: version 13; 11 and 12 are read"),
        (
            8,
            &[0],
            "file, byte 8: vectors of 0 numbers; there must be one",
        ),
        (
            8,
            &[4],
            "file, byte 211: the input matrix is [28, 3], which does not fit 8 words and 20 buckets of 4 numbers",
        ),
        (
            40,
            &[0],
            "file, byte 40: n-grams up to 4 and no buckets for them",
        ),
        (
            64,
            &[9],
            "file, byte 64: 9 entries, but 8 words and 0 labels",
        ),
        (
            84,
            &[1, 0, 0, 0, 0, 0, 0, 0],
            "file, byte 84: a model with pruned buckets, as quantization makes it; only whole ones are read",
        ),
        (
            92,
            &[0],
            "file, byte 92: the word of entry 1 of the dictionary is empty; words have a letter at least",
        ),
        (
            210,
            &[1],
            "file, byte 210: the input matrix is quantized; only models that are not (.bin, not .ftz) are read",
        ),
        (
            211,
            &[0, 0, 0, 0, 0, 0, 0, 127],
            "file, byte 211: the input matrix is [9151314442816847872, 3]; the 449 bytes left cannot hold it",
        ),
        (
            227,
            &[0, 0, 192, 127],
            "file, byte 227: row 0: number 1 of the row is NaN; numbers must be finite",
        ),
    ];
    for (at, bytes, expected) in cases {
        let mut broken = model.clone();
        broken[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(message(&broken), expected);
    }
    let huge = 3e38_f32.to_le_bytes().repeat(28 * 3);
    let overflowing = [&model[..227], &huge, &model[227 + huge.len()..]].concat();
    assert_eq!(
        message(&overflowing),
        "file, byte 227: row 0, \"東京\": its sum with its subwords is not finite"
    );
    let cut = message(&model[..model.len() - 1]);
    assert!(
        cut.contains("the output matrix is [8, 3]; the 95 bytes left"),
        "{cut}"
    );
    let longer = message(&[&model[..], b"x"].concat());
    assert!(
        longer.ends_with("1 bytes after the end of the model"),
        "{longer}"
    );
}

#[test]
fn a_message_names_the_file() {
    let missing = WordVectors::load("no/such/file.vec")
        .unwrap_err()
        .to_string();
    assert!(missing.starts_with("no/such/file.vec: "), "{missing}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.txt");
    std::fs::write(&path, "a 1\nb x\n").unwrap();
    let error = WordVectors::load(&path).unwrap_err();
    assert_eq!(error.place(), Some(Place::Line(2)));
    assert!(
        error.to_string().starts_with(&path.display().to_string()),
        "{error}"
    );
    assert!(read(b"a 1\nb x\n").is_err());
}
