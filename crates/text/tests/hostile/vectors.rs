//! Hostile files of vectors as text and in word2vec's binary format.

use lexigrad_text::vectors::{LoadReport, VectorOptions, WordVectors};

fn read(bytes: &[u8]) -> Result<(WordVectors, LoadReport), String> {
    VectorOptions::default()
        .read(bytes, "file")
        .map_err(|error| error.to_string())
}

/// The words of a file and the first number of each.
fn words(bytes: &[u8]) -> Vec<(String, f32)> {
    let (vectors, _) = read(bytes)
        .unwrap_or_else(|message| panic!("{message}: {:?}", String::from_utf8_lossy(bytes)));
    let rows = vectors.rows().map(|row| row[0]);
    vectors.words().map(str::to_owned).zip(rows).collect()
}

fn utf16(text: &str, mark: &[u8], bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(bytes_of);
    mark.iter().copied().chain(units).collect()
}

/// Rows of the binary format, with a newline after each or without.
fn binary(header: &str, rows: &[(&[u8], &[f32])], end: &str) -> Vec<u8> {
    let mut bytes = format!("{header}\n").into_bytes();
    for (word, numbers) in rows {
        bytes.extend_from_slice(word);
        bytes.push(b' ');
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

#[test]
fn text_that_breaks_a_rule() {
    let cases: &[(&[u8], &str)] = &[
        // Headers.
        (b"-5 3\na 1 2 3\n", "line 1: the header's -5 has a sign"),
        (b"5 -3\na 1 2 3\n", "line 1: the header's -3 has a sign"),
        (b"+1 3\na 1 2 3\n", "line 1: the header's +1 has a sign"),
        (b"-0 3\n", "line 1: the header's -0 has a sign"),
        (b"1 0\na\n", "line 1: the header says 0 numbers a row"),
        (
            b"18446744073709551616 1\na 1\n",
            "line 1: the header's 18446744073709551616 is too large",
        ),
        (
            b"4611686018427387904 4\na 1 2 3 4\n",
            "line 1: the header says 4611686018427387904 rows",
        ),
        (
            b"1 18446744073709551615\na 1\n",
            "line 1: the header says 1 rows of 18446744073709551615 numbers",
        ),
        (b"5\na 1 2\n", "line 1: no word with numbers after it"),
        (
            b"\n2 1\na 1\nb 2\n",
            "line 1: no word with numbers after it",
        ),
        (
            b"2 1\n\na 1\nb 2\n",
            "line 2: it is blank; the rows follow the header",
        ),
        (
            b"2 1\r\n\r\na 1.5\r\nb 2.5\r\n",
            "line 2: it is blank; the rows follow the header",
        ),
        (
            b"3 1\na 1.5\nb 2.5\n",
            "line 3: the file ends after 2 rows; the header says 3",
        ),
        (
            b"1 1\na 1\nb 2\n",
            "line 3: a row more than the 1 that the header says",
        ),
        (
            b"0 1\na 1\n",
            "line 2: a row more than the 0 that the header says",
        ),
        (
            b"2 1\nthe 0.5 1\nof 0.25 2\n",
            "line 2: more numbers than the 1",
        ),
        (
            b"3 2\nthe 0.51\nof 0.252\n",
            "line 2: a word and 1 numbers; the rows have 2",
        ),
        // Rows.
        (
            b"a 1 2\nb 1\n",
            "line 2: a word and 1 numbers; the rows have 2",
        ),
        (b"a 1 2\nb 1 2 3\n", "line 2: more numbers than the 2"),
        (
            b"a 1 2\n\nb 1 2\n",
            "line 2: it is blank; a row has a word and 2 numbers",
        ),
        (b"a 1 2\n 1 2\n", "line 2: the word of row 2 is empty"),
        (
            b"2 2\n 1 2\nplain 3 4\n",
            "line 2: the word of row 1 is empty",
        ),
        (
            b"\t1.5 2\nplain 3 4\n",
            "line 1: the word of row 1 is empty",
        ),
        // Numbers.
        (
            b"a 1 nan\n",
            "number 2 of the row is nan; numbers must be finite",
        ),
        (b"a 1 2\nb inf 1\n", "number 1 of the row is inf"),
        (b"a 1 2\nb 1e999 1\n", "number 1 of the row is 1e999"),
        (b"a 1 2\nb -1e39 1\n", "number 1 of the row is -1e39"),
        (
            b"a 1 2\nb 0x1p3 1\n",
            "\"0x1p3\" is no number, where number 1 of 2 should be",
        ),
        (b"a 1 2\nb 1,5 1\n", "\"1,5\" is no number"),
        (b"a 1 2\nb 1_0 1\n", "\"1_0\" is no number"),
        (b"a 1 2\nb 1f 1\n", "\"1f\" is no number"),
        (b"a 1 2\nb 1e 1\n", "\"1e\" is no number"),
        (b"a 1 2\nb --1 1\n", "\"--1\" is no number"),
        (
            b"a 1 2\nb \xd9\xa1 1\n",
            "is no number, where number 1 of 2 should be",
        ),
        (b"a 1 2\nb \x1b[2J 1\n", "\"\\u{1b}[2J\" is no number"),
        (b"a,1,2\nb,3,4\n", "line 1: no word with numbers after it"),
        (
            b"2 2\na 1 x\nb 1 2\n",
            "line 2: \"x\" is no number, where number 2 of 2 should be",
        ),
        // Words.
        (
            b"2 2\ncaf\xe9 1 2\nth\xe9 3 4\n",
            "line 2: the word of row 1 is not UTF-8: byte 0xe9 at 4 of \"caf\\xe9\"",
        ),
        (
            b"2 2\nplain 1 2\nth\xe9 3 4\n",
            "line 3: the word of row 2 is not UTF-8: byte 0xe9 at 3 of \"th\\xe9\"",
        ),
        (
            b"2 2\nna\xc3 1 2\nplain 3 4\n",
            "line 2: the word of row 1 is not UTF-8: byte 0xc3 at 3 of \"na\\xc3\"",
        ),
        (
            b"2 2\ncaf\xe9 1 x\nth\xe9 3 4\n",
            "line 2: \"x\" is no number",
        ),
        (
            b"na\xed\xa0\x80 1 2\n",
            "line 1: the word of row 1 is not UTF-8: byte 0xed at 3",
        ),
        (
            b"a 1 2\nb\0c 1 2\n",
            "line 2: the word of row 2: byte 2 of \"b\\0c\" is a zero byte",
        ),
        // Line ends.
        (b"a 1 2\rb 3 4\r", "file: its lines end with CR alone"),
        (b"2 2\ra 1 2\rb 3 4\r", "file: its lines end with CR alone"),
        (
            b"2 2\na 1 2\rb 3 4\r",
            "line 2: a CR alone stands inside the line",
        ),
        // Other formats.
        (
            b"\x1f\x8b\x08\0\0\0",
            "file: it is compressed by gzip; unpack it first (gunzip)",
        ),
        (b"PK\x03\x04\x14", "file: it is a zip archive"),
        (b"BZh91AY&SY", "file: it is compressed by bzip2"),
        (b"\xfd7zXZ\0", "file: it is compressed by xz"),
        (b"\x28\xb5\x2f\xfd", "file: it is compressed by zstd"),
        (
            b"\x80\x04\x95\x30",
            "file: it is a Python pickle (gensim's and PyTorch's native format)",
        ),
        (
            b"\x93NUMPY\x01\0",
            "file: it is a numpy array, which has numbers and no words",
        ),
        (
            b"\x40\0\0\0\0\0\0\0{\"a\":",
            "file: it is a safetensors file",
        ),
        (b"\xef\xbb\xbf", "line 1: no word with numbers after it"),
        (b"", "file: the file is empty"),
        (b"\n\n", "line 1: no word with numbers after it"),
    ];
    for (bytes, expected) in cases {
        let message = read(bytes).map(|(vectors, _)| vectors.words().collect::<Vec<_>>().join("|"));
        let shown = String::from_utf8_lossy(bytes);
        assert!(
            message
                .as_ref()
                .is_err_and(|message| message.contains(expected)),
            "{shown:?}: {message:?}; {expected}"
        );
        assert!(message.unwrap_err().starts_with("file"), "{shown:?}");
    }
}

#[test]
fn utf_16_is_named_with_a_mark_and_without() {
    let text = "2 2\nthe 1 2\nof 3 4\n";
    let glove = "the 1 2\nof 3 4\n";
    for (mark, bytes_of) in [
        (b"\xff\xfe", u16::to_le_bytes as fn(u16) -> [u8; 2]),
        (b"\xfe\xff", u16::to_be_bytes),
    ] {
        for text in [text, glove] {
            let message = read(&utf16(text, mark, bytes_of)).unwrap_err();
            assert!(
                message.starts_with("file: it is UTF-16; UTF-8 is read"),
                "{message}"
            );
            let message = read(&utf16(text, b"", bytes_of)).unwrap_err();
            assert!(
                message.contains("a zero byte: text has none, UTF-16 has them"),
                "{message}"
            );
        }
    }
    let message = read(b"\xff\xfe\0\0t\0\0\0").unwrap_err();
    assert!(message.starts_with("file: it is UTF-32"), "{message}");
}

#[test]
fn text_that_only_seems_to_break_a_rule() {
    let the = |number: f32| vec![("the".to_owned(), number)];
    for bytes in [
        &b"the 1 2\n"[..],
        b"the 1 2",
        b"the 1 2 \n",
        b"the 1 2\t\r\n",
        b"the\t1\t2\n",
        b"the  1   2\n",
        b"  the 1 2\n",
        b"1 2\nthe 1 2\n",
        b"1 2 \r\nthe 1 2 \r\n",
        b"001 2\nthe 1 2\n",
        b"1\t2\nthe 1 2\n",
        b"\xef\xbb\xbf1 2\nthe 1 2\n",
        b"the 1. 2\n",
        b"the +1 2\n",
        b"the 1e0 2\n",
        b"the 1E+00 2\n",
        b"the 01 2\n",
        b"the 1 1e-999\n",
        b"the 1 2\n\n \n",
        b"the 1 2\r\n\r\n",
        b"the 1 1e-45\n",
    ] {
        assert_eq!(words(bytes), the(1.0));
    }
    let first = |bytes: &[u8]| words(bytes).remove(0).0;
    for (bytes, word) in [
        (&b"3 2 1\n"[..], "3"),
        (b"3.0 2\n", "3.0"),
        (b"1e3 2\n", "1e3"),
        (b"\xc2\xa0 1 2\n", "\u{a0}"),
        (b"a\xc2\xa0b 1 2\n", "a\u{a0}b"),
        (b"a b 1 2\nc 1 2\n", "a b"),
        (b"a\rb 1 2\nc 1 2\n", "a\rb"),
        (b"PKs 1 2\n", "PKs"),
        (b"BZh 1 2\n", "BZh"),
        (b"\"the\" 1 2\n", "\"the\""),
    ] {
        assert_eq!(first(bytes), word);
    }
    // A word twice: the first stays.
    assert_eq!(
        words(b"a 1\nb 2\na 3\n"),
        [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]
    );
}

#[test]
fn binary_that_breaks_a_rule() {
    let one: (&[u8], &[f32]) = (b"the", &[1.0, 0.3]);
    let two: (&[u8], &[f32]) = (b"of", &[0.1, -2.0]);
    for end in ["", "\n"] {
        let whole = binary("2 2", &[one, two], end);
        assert_eq!(words(&whole).len(), 2);
        let cases: Vec<(Vec<u8>, &str)> = vec![
            (
                binary("3 2", &[one, two], end),
                "line 1: the header says 3 rows",
            ),
            (
                binary("1 2", &[one, two], end),
                "bytes after the 1 rows that the header says",
            ),
            (
                binary("2 3", &[one, two], end),
                "line 1: the header says 2 rows of 3 numbers",
            ),
            (
                binary("-2 2", &[one, two], end),
                "line 1: the header's -2 has a sign",
            ),
            (
                binary("9223372036854775808 2", &[one, two], end),
                "cannot hold them",
            ),
            (
                binary("2 4611686018427387904", &[one, two], end),
                "cannot hold them",
            ),
            (
                binary("2 2", &[(b"na\xc3", &[1.0, 2.0]), two], end),
                "byte 4: the word of row 1 is not UTF-8: byte 0xc3 at 3 of \"na\\xc3\"",
            ),
            (
                binary("2 2", &[(b"", &[1.0, 2.0]), two], end),
                "byte 4: the word of row 1 is empty",
            ),
            (
                binary("2 2", &[(b"the", &[1.0, f32::NAN]), two], end),
                "row 1, \"the\": number 2 of the row is NaN",
            ),
            (
                binary("2 2", &[(b"a\x1b", &[1.0, f32::INFINITY]), two], end),
                "row 1, \"a\\u{1b}\": number 2 of the row is inf",
            ),
            ([&whole[..], b"x"].concat(), "1 bytes after the 2 rows"),
            ([&whole[..], b"\0\0"].concat(), "2 bytes after the 2 rows"),
            (
                binary("2 2", &[(&[b'x'; 2000], &[1.0, 2.0]), two], end),
                "byte 4: row 1: there is no word that a space ends",
            ),
        ];
        for (bytes, expected) in cases {
            let message = read(&bytes).map(|(vectors, _)| vectors.words().count());
            assert!(
                message
                    .as_ref()
                    .is_err_and(|message| message.contains(expected)),
                "{message:?}; {expected}"
            );
        }
        // Cut at every byte: refused, but for the last newline.
        for length in 0..whole.len() {
            let is_whole = end == "\n" && length + 1 == whole.len();
            assert_eq!(read(&whole[..length]).is_ok(), is_whole, "{length}");
        }
    }
}

#[test]
fn binary_that_only_seems_to_break_a_rule() {
    let row: (&[u8], &[f32]) = (b"the", &[1.0, 0.3]);
    let whole = binary("1 2", &[row], "");
    let (header, rest) = whole.split_at(4);
    for bytes in [
        [b"1 2\r\n", rest].concat(),
        [b"1 2 \n", rest].concat(),
        [header, b"\n\n", rest].concat(),
        [&whole[..], b"\n\n\n"].concat(),
    ] {
        assert_eq!(words(&bytes), [("the".to_owned(), 1.0)]);
    }
    let twice = binary("2 2", &[row, (b"the", &[5.0, 6.0])], "\n");
    assert_eq!(words(&twice), [("the".to_owned(), 1.0)]);
    let spaces = binary("1 1", &[(b"a\xc2\xa0\tb\r", &[1.0])], "");
    assert_eq!(words(&spaces)[0].0, "a\u{a0}\tb\r");
    // Numbers whose bytes are shown characters, as another program writes them.
    let shown = f32::from_le_bytes(*b"<i#D");
    assert_eq!(
        words(&binary("1 1", &[(b"\xc3\xa9", &[shown])], "\n")),
        [("é".to_owned(), shown)]
    );
}

#[test]
fn what_is_said_of_a_hostile_line_is_short_and_moves_no_cursor() {
    let long = "\u{1b}]0;x\u{7}\u{202e}".repeat(200_000);
    for bytes in [
        format!("a 1 2\nb 1 {long}\n"),
        format!("{long} 1 2\n"),
        format!("a 1 2\nb 1 1{}\n", "0".repeat(100_000)),
        format!("{} 3\n", "9".repeat(100_000)),
    ] {
        let message = read(bytes.as_bytes()).unwrap_err();
        assert!(message.chars().count() < 400, "{}", message.chars().count());
        assert!(
            !message.contains(|character: char| character.is_control() || character == '\u{202e}')
        );
    }
}
