//! Hostile files of lines: CSV, TSV, JSON lines, fastText's labels, columns, labelled texts, parts.

use lexigrad_text::Result;
use lexigrad_text::read::{
    Columns, ColumnsOptions, Csv, FastText, FieldNames, JsonLines, LabelledTexts, LineOptions,
    Lines, Tsv, parts,
};
use serde_json::Value;

/// The items of a file, or what is said of the first that is none.
type Items = Result<Vec<String>, String>;

fn lines(bytes: &[u8]) -> Lines<&[u8]> {
    Lines::new(bytes, "file", LineOptions::default())
}

fn all<I>(items: impl Iterator<Item = Result<I>>, show: impl Fn(I) -> String) -> Items {
    let items = items.map(|item| item.map(&show).map_err(|error| error.to_string()));
    items.collect()
}

fn plain(bytes: &[u8]) -> Items {
    all(lines(bytes), |line| line.text)
}

fn csv(bytes: &[u8]) -> Items {
    all(Csv::new(lines(bytes)), |row| row.fields.join("|"))
}

fn tsv(bytes: &[u8]) -> Items {
    all(Tsv::new(lines(bytes)), |row| row.fields.join("|"))
}

fn json(bytes: &[u8]) -> Items {
    all(JsonLines::<_, Value>::new(lines(bytes)), |(_, value)| {
        value.to_string()
    })
}

fn fasttext(bytes: &[u8]) -> Items {
    all(FastText::new(lines(bytes)), |text| {
        format!("{}|{}", text.labels.join("+"), text.text)
    })
}

fn columns(bytes: &[u8]) -> Items {
    let columns = Columns::new(lines(bytes), ColumnsOptions::default());
    all(columns, |sentence| {
        sentence
            .columns
            .iter()
            .map(|column| column.join(" "))
            .collect::<Vec<_>>()
            .join("|")
    })
}

fn labelled(bytes: &[u8]) -> Items {
    let texts = LabelledTexts::from_lines(lines(bytes), &FieldNames::default())
        .map_err(|error| error.to_string())?;
    let show = |example: &lexigrad_text::read::LabelledText| {
        format!("{}|{}", texts.labels[example.label as usize], example.text)
    };
    Ok(texts.examples.iter().map(show).collect())
}

fn refused(read: impl Fn(&[u8]) -> Items, cases: &[(&[u8], &str)]) {
    for (bytes, expected) in cases {
        let found = read(bytes);
        let shown = String::from_utf8_lossy(bytes);
        assert!(
            found.as_ref().is_err_and(|message| message == expected),
            "{shown:?}: {found:?}; {expected}"
        );
    }
}

fn taken(read: impl Fn(&[u8]) -> Items, cases: &[(&[u8], &[&str])]) {
    for (bytes, expected) in cases {
        let found = read(bytes);
        let shown = String::from_utf8_lossy(bytes);
        assert!(
            found.as_ref().is_ok_and(|items| items == expected),
            "{shown:?}: {found:?}; {expected:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_text() {
    let zero = "a zero byte: text has none, UTF-16 has them (iconv -f UTF-16LE -t UTF-8)";
    let zero_at_2 = format!("file, line 1: byte 2 is {zero}");
    let zero_at_1 = format!("file, line 1: byte 1 is {zero}");
    let zero_in_2 = format!("file, line 2: byte 3 is {zero}");
    let utf_16 = "file: it is UTF-16; UTF-8 is read (iconv -f UTF-16 -t UTF-8)";
    let cr = "file: its lines end with CR alone; LF or CRLF ends a line (tr '\\r' '\\n')";
    refused(
        plain,
        &[
            (b"a\0,\0b\0\n\0", &zero_at_2),
            (b"\0a\0,\0b\0\n", &zero_at_1),
            (b"abc\nab\0\n", &zero_in_2),
            (b"\xff\xfea\0\n\0", utf_16),
            (b"\xfe\xff\0a\0\n", utf_16),
            (
                b"\xff\xfe\0\0a\0\0\0",
                "file: it is UTF-32; UTF-8 is read (iconv -f UTF-32 -t UTF-8)",
            ),
            (
                b"\x1f\x8b\x08",
                "file: it is compressed by gzip; unpack it first (gunzip)",
            ),
            (b"a,b\rc,d\r", cr),
            (b"a,b\r", cr),
            (b"caf\xe9\n", "file, line 1: byte 4, 0xe9, is not UTF-8"),
            (b"a\nna\xc3", "file, line 2: byte 3, 0xc3, is not UTF-8"),
            (b"a\xc0\x80\n", "file, line 1: byte 2, 0xc0, is not UTF-8"),
            (
                b"a\xed\xa0\x80\n",
                "file, line 1: byte 2, 0xed, is not UTF-8",
            ),
            (
                b"a\xf4\x90\x80\x80\n",
                "file, line 1: byte 2, 0xf4, is not UTF-8",
            ),
        ],
    );
    taken(
        plain,
        &[
            (b"", &[]),
            (b"\n\n", &[]),
            (b"\xef\xbb\xbf", &[]),
            (b"\xef\xbb\xbfa\r\nb", &["a", "b"]),
            (b"a\r\nb\r", &["a", "b"]),
            (b"a\rb\nc", &["a\rb", "c"]),
            (
                b"a\xef\xbb\xbf\n\xef\xbb\xbfb\n",
                &["a\u{feff}", "\u{feff}b"],
            ),
            (
                b"a\xc2\x85b\xe2\x80\xa8c\x0bd\x0ce\n",
                &["a\u{85}b\u{2028}c\u{b}d\u{c}e"],
            ),
            (b"BZh\n", &["BZh"]),
        ],
    );
}

#[test]
fn comma_separated_values() {
    let beyond = |line| {
        format!(
            "file, line {line}: a quoted field goes on after its end; a comma or the end of the row follows its quote, and quotes inside are doubled"
        )
    };
    refused(
        csv,
        &[
            (b"a,b\nc\n", "file, line 2: it has 1 field; 2 are expected"),
            (
                b"a,b\nc,d,e\n",
                "file, line 2: it has 3 fields; 2 are expected",
            ),
            (
                b"a,b\nc,\n\"d\n",
                "file, line 3: a quoted field does not end",
            ),
            (b"\"a\"\"", "file, line 1: a quoted field does not end"),
            (b"\"a\"b,c\n", &beyond(1)),
            (b"a,b\n\"c\" ,d\n", &beyond(2)),
            (b"a,\"b\nc\"d\n", &beyond(1)),
            (b"\"a\"\r\"b\"\n", &beyond(1)),
        ],
    );
    taken(
        csv,
        &[
            (b"a,b\r\nc,d", &["a|b", "c|d"]),
            (b"a,\n,b\n", &["a|", "|b"]),
            (b"\"a,b\",\"c\"\"d\"\n", &["a,b|c\"d"]),
            (b"\"a\r\nb\",c\r\n", &["a\nb|c"]),
            (b"\"\",\"\"\n", &["|"]),
            (b"5\" disk,b\n", &["5\" disk|b"]),
            (b" \"a\",b\n", &[" \"a\"|b"]),
            (b"a;b\n", &["a;b"]),
            (b"a, b \n", &["a| b "]),
        ],
    );
}

#[test]
fn tab_separated_values() {
    refused(
        tsv,
        &[
            (b"a\tb\nc\n", "file, line 2: it has 1 field; 2 are expected"),
            (
                b"a\tb\nc\td\t\n",
                "file, line 2: it has 3 fields; 2 are expected",
            ),
        ],
    );
    taken(
        tsv,
        &[
            (b"a\tb\r\n\"c\td\n", &["a|b", "\"c|d"]),
            (b"a\t\n\tb\n", &["a|", "|b"]),
        ],
    );
}

#[test]
fn json_lines() {
    let deep = "[".repeat(100_000);
    let recursion = "file, line 1: recursion limit exceeded at column 128";
    refused(
        json,
        &[
            (
                b"{\"a\": 1}\n{\"a\": }\n",
                "file, line 2: expected value at column 7",
            ),
            (
                b"{\"a\": 1} {\"b\": 2}\n",
                "file, line 1: trailing characters at column 10",
            ),
            (b"{\"a\": 1,}\n", "file, line 1: trailing comma at column 9"),
            (
                b"{'a': 1}\n",
                "file, line 1: key must be a string at column 2",
            ),
            (b"NaN\n", "file, line 1: expected value at column 1"),
            (b"01\n", "file, line 1: invalid number at column 2"),
            (b"+1\n", "file, line 1: expected value at column 1"),
            (b"1e999\n", "file, line 1: number out of range at column 5"),
            (
                b"\"\\ud800\"\n",
                "file, line 1: unexpected end of hex escape at column 8",
            ),
            (
                b"\"\\udc00\"\n",
                "file, line 1: lone leading surrogate in hex escape at column 7",
            ),
            (
                b"\"a\tb\"\n",
                "file, line 1: control character (\\u0000-\\u001F) found while parsing a string at column 3",
            ),
            (b"\"\\x41\"\n", "file, line 1: invalid escape at column 3"),
            (
                b"[1,\n2]\n",
                "file, line 1: EOF while parsing a value at column 3",
            ),
            (deep.as_bytes(), recursion),
        ],
    );
    taken(
        json,
        &[(
            b" {\"a\" : [1, 2.5e3, null, true]} \r\n\n\"\\ud83d\\ude00\"\n",
            &["{\"a\":[1,2500.0,null,true]}", "\"\u{1f600}\""],
        )],
    );
}

#[test]
fn labels_before_texts() {
    refused(
        fasttext,
        &[
            (b"a\n", "file, line 1: it does not begin with __label__"),
            (b"__label__ a\n", "file, line 1: the label is empty"),
            (b"__label__a\n", "file, line 1: the text is empty"),
            (
                b"__label__a b __label__c\n",
                "file, line 1: a label stands inside the text",
            ),
        ],
    );
    taken(
        fasttext,
        &[
            (
                "__label__a\u{a0}b c\u{3000}d\n".as_bytes(),
                &["a\u{a0}b|c\u{3000}d"],
            ),
            (b" __label__a\t__label__b  c \n", &["a+b|c"]),
            (b"__label__a,b c\n", &["a,b|c"]),
        ],
    );
}

#[test]
fn columns_of_tokens() {
    refused(
        columns,
        &[
            (
                b"a b\n\nc\n",
                "file, line 3: it has 1 field; 2 are expected",
            ),
            (b"a\t\n", "file, line 1: a field is empty"),
            (
                b"a\tb\nc d\te\tf\n",
                "file, line 2: it has 3 fields; 2 are expected",
            ),
        ],
    );
    taken(
        columns,
        &[
            (
                "a\u{a0}b X\n\u{3000} Y\n".as_bytes(),
                &["a\u{a0}b \u{3000}|X Y"],
            ),
            ("\u{a0}\tX\n".as_bytes(), &["\u{a0}|X"]),
            (b"a b\r\n\r\n\r\nc d\r\n", &["a|b", "c|d"]),
            (b"a b\tX\n", &["a b|X"]),
        ],
    );
}

#[test]
fn labelled_texts() {
    refused(
        labelled,
        &[
            (b"", "file: it has no examples"),
            (
                b"a,b\na,c\n",
                "file: every example has the label \"a\"; two labels are needed",
            ),
            (
                b"label,text,label\na,b,c\n",
                "file, line 1: the name \"label\" stands there twice",
            ),
            (
                b"label,review\na,b\n",
                "file, line 1: the name \"label\" stands there and \"text\" does not",
            ),
            (
                b"sentiment,text\na,b\n",
                "file, line 1: the name \"text\" stands there and \"label\" does not",
            ),
            (
                b"good,a joy, really\nbad,a bore, really\n",
                "file, line 1: it has 3 columns; label, text are read; for more columns the first row must have the names of the columns \"label\" and \"text\"",
            ),
            (b"label,text\na,b\nb,\n", "file, line 3: the text is empty"),
            (b"label,text\na,b\n,c\n", "file, line 3: the label is empty"),
            (
                b"{\"label\": 1, \"label\": 2, \"text\": \"a\"}\n",
                "file, line 1: the field \"label\" stands there twice",
            ),
            (
                b"{\"label\": 1, \"text\": null}\n",
                "file, line 1: the field \"text\" is missing, or no text or number",
            ),
            (
                b"{\"label\": [1], \"text\": \"a\"}\n",
                "file, line 1: the field \"label\" is missing, or no text or number",
            ),
            (
                b"{\"label\": 1180591620717411303424, \"text\": \"a\"}\n",
                "file, line 1: the field \"label\" is 1.1805916207174113e+21; a number beyond 2^53 must be in quotes, since it is rounded without",
            ),
            (
                b"[{\"label\": 1, \"text\": \"a\"}]\n",
                "file, line 1: it begins a JSON array; JSON lines are read, an object on each",
            ),
            (
                b"[\n{\"label\": 1, \"text\": \"a\"}\n]\n",
                "file, line 1: it begins a JSON array; JSON lines are read, an object on each",
            ),
            (
                b"Sentence\tLabel\na joy\t1\n",
                "file, line 1: it has the name \"label\"; with tabs between there is no row of names, but label, text on each line",
            ),
            (
                b"a\tb\nb\t\x1b[2J\tc\n",
                "file, line 2: \"\\u{1b}[2J\", the second of three columns, is no number",
            ),
        ],
    );
    taken(labelled, &[
        (b" {\"label\": 1, \"text\": \"a\"}\n\t{\"text\": \"b\", \"label\": 2}\n", &["1|a", "2|b"]),
        (b"id,TEXT, Label\n1,a,x\n2,b,y\n", &["x|a", "y|b"]),
        (b"x,\"a\tb\"\ny,\"c\"\n", &["x|a\tb", "y|c"]),
        (b"x\t\"a, b\"\ny\tc\n", &["x|\"a, b\"", "y|c"]),
        (b"{\"label\": 18446744073709551615, \"text\": true}\n{\"label\": 0.5, \"text\": 3}\n", &["18446744073709551615|true", "0.5|3"]),
        (b"{\"label\": 1, \"more\": 1, \"more\": 2, \"text\": \"a\"}\n{\"label\": 2, \"text\": \"b\"}\n", &["1|a", "2|b"]),
    ]);
}

#[test]
fn what_is_said_of_a_hostile_line_is_short_and_moves_no_cursor() {
    let long = "\u{1b}]0;x\u{7}\u{202e}".repeat(20_000);
    for bytes in [
        format!("a\tb\nb\t{long}\tc\n"),
        format!("{long}\ta\n{long}\tb\n"),
        format!(
            "{{\"label\": 1, \"text\": 1}}\n\"{}\"\n",
            "\u{202e}x".repeat(100_000)
        ),
    ] {
        let message = labelled(bytes.as_bytes()).unwrap_err();
        assert!(
            message.chars().count() < 1100,
            "{}",
            message.chars().count()
        );
        assert!(
            !message.contains(|character: char| character.is_control() || character == '\u{202e}'),
            "{message}"
        );
    }
}

#[test]
fn lists_of_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("split.tsv");
    for (bytes, expected) in [
        (
            &b"a\ttrain\t1\n"[..],
            "split.tsv, line 1: it has 3 fields; 4 are expected",
        ),
        (
            b"a\ttrain\t0\t5\n",
            "split.tsv, line 1: \"0\" is no line number or count",
        ),
        (
            b"a\ttrain\t1\t-1\n",
            "split.tsv, line 1: \"-1\" is no line number or count",
        ),
        (
            b"a\ttrain\t1\t1.5\n",
            "split.tsv, line 1: \"1.5\" is no line number or count",
        ),
        (
            b"a\ttrain\t2\t18446744073709551615\n",
            "split.tsv, line 1: \"18446744073709551615\" is no line number or count",
        ),
        (
            b"a\ttrain\t\x1b[2J\t1\n",
            "split.tsv, line 1: \"\\u{1b}[2J\" is no line number or count",
        ),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = parts(&path).unwrap_err().to_string();
        assert!(message.ends_with(expected), "{message}");
    }
}
