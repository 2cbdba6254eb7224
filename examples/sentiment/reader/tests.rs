use std::io::Write;

use tempfile::NamedTempFile;

use super::*;

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn pairs(content: &[u8]) -> Vec<(String, String)> {
    let LabelledFile { labels, examples } = parse(content).unwrap();
    let pair = |example: Example| (labels[example.label as usize].clone(), example.text);
    examples.into_iter().map(pair).collect()
}

#[test]
fn the_three_formats_read_alike() {
    let expected = [("good", "Fine film."), ("bad", "Dull.")]
        .map(|(label, text)| (label.to_owned(), text.to_owned()));
    for content in [
        "good\tFine film.\nbad\tDull.\n",
        "good\t1.5\tFine film.\nbad\t-2e0\tDull.",
        "__label__good Fine film.\n__label__bad\tDull.\n",
        "\u{feff}good\tFine film.\r\n\r\nbad\tDull.\r\n",
    ] {
        assert_eq!(pairs(content.as_bytes()), expected, "{content:?}");
    }
}

#[test]
fn labels_are_numbered_in_alphabetical_order() {
    let read = parse(b"sv\tett\nda\ten\nno\tein\nda\tto\n").unwrap();
    assert_eq!(read.labels, ["da", "no", "sv"]);
    let numbers: Vec<u32> = read.examples.iter().map(|example| example.label).collect();
    assert_eq!(numbers, [2, 0, 1, 0]);
}

#[test]
fn a_bad_line_is_named_with_its_number_and_the_reason() {
    let cases: [(&[u8], &str); 8] = [
        (b"no tab here", "there is no tab between a label and a text"),
        (
            b"a\tnot a score\ttext",
            "\"not a score\", the second of three columns, is no score",
        ),
        (
            b"a\tNaN\ttext",
            "\"NaN\", the second of three columns, is no score",
        ),
        (
            b"a\t1\ttext\tmore",
            "it has 4 columns; label, text or label, score, text are read",
        ),
        (b"a\t ", "the text is empty"),
        (b" \ttext", "the label is empty"),
        (b"__label__a __label__b text", "it has more than one label"),
        (b"a\tcaf\xe9", "it is not UTF-8 text"),
    ];
    for (bad_line, reason) in cases {
        let file = file(&[b"a\tone\n\nb\ttwo\n".as_slice(), bad_line, b"\nb\tthree\n"].concat());
        let message = Corpus::from_file(file.path(), 1).unwrap_err().to_string();
        assert_eq!(
            message,
            format!("{}, line 4: {reason}", file.path().display())
        );
    }
}

#[test]
fn files_without_two_labels_and_ten_examples_are_refused() {
    for (content, reason) in [
        ("", "it has no examples"),
        ("\n \r\n", "it has no examples"),
        (
            "a\tone\na\ttwo\n",
            "every example has the label \"a\"; two labels are needed",
        ),
        (
            "a\tone\nb\ttwo\n",
            "it has 2 examples; at least 10 are needed to train, tune and test",
        ),
    ] {
        let file = file(content.as_bytes());
        let message = Corpus::from_file(file.path(), 1).unwrap_err().to_string();
        assert_eq!(message, format!("{}: {reason}", file.path().display()));
    }
}

#[test]
fn a_missing_file_is_named() {
    let message = Corpus::from_file(Path::new("nowhere.tsv"), 1)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("nowhere.tsv: it cannot be read: "),
        "{message}"
    );
}

#[test]
fn the_seed_alone_decides_the_split_and_no_example_is_lost_or_shared() {
    let content: String = (0..57)
        .map(|number| format!("{}\ttext {number}\n", number % 3))
        .collect();
    let file = file(content.as_bytes());
    let corpus = |seed| Corpus::from_file(file.path(), seed).unwrap();
    let Corpus {
        train, dev, test, ..
    } = corpus(1);
    assert_eq!((train.len(), dev.len(), test.len()), (47, 5, 5));
    assert_eq!(corpus(1).test, test);
    assert_ne!(corpus(2).test, test);
    let all = [train, dev, test].concat();
    let mut texts: Vec<String> = all.into_iter().map(|example| example.text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 57);
}

#[test]
fn the_movie_reviews_are_read_whole() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data"));
    let corpus = Corpus::movie_reviews(folder).unwrap();
    assert_eq!(corpus.labels, ["0", "1"]);
    let counts = [&corpus.train, &corpus.dev, &corpus.test].map(Vec::len);
    assert_eq!(counts, [8_333, 1_042, 1_042]);
    assert_eq!(corpus.train[0].text, "Cold, nervy and memorable.");
}
