//! What is accepted, and what the report says of it.

use lexigrad_text::Vocab;
use lexigrad_text::vectors::{VectorFormat, VectorOptions};

use crate::support::{binary, read};

#[test]
fn every_text_format_gives_the_same_vectors() {
    let glove = "the 0.5 -1e-2 3\nof .25 4. +5\n";
    let texts = [
        (glove.to_owned(), VectorFormat::GloVe),
        (format!("2 3\n{glove}"), VectorFormat::Word2VecText),
        (glove.replace('\n', "\r\n"), VectorFormat::GloVe),
        (
            format!("2 3\n{glove}").replace('\n', " \r\n"),
            VectorFormat::Word2VecText,
        ),
        (glove.replace(' ', "\t"), VectorFormat::GloVe),
        (glove.trim_end().to_owned(), VectorFormat::GloVe),
        (format!("{glove}\n\n"), VectorFormat::GloVe),
        (format!("\u{feff}2 3\n{glove}"), VectorFormat::Word2VecText),
    ];
    for (text, format) in texts {
        let (vectors, report) = read(text.as_bytes()).unwrap();
        assert_eq!(
            (report.format, report.rows, report.dim),
            (format, 2, 3),
            "{text:?}"
        );
        assert_eq!(report.crlf, text.contains('\r'));
        assert_eq!(report.final_newline, text.ends_with('\n'));
        assert_eq!(report.byte_order_mark, text.starts_with('\u{feff}'));
        assert_eq!(vectors.get("the"), Some(&[0.5, -0.01, 3.0][..]), "{text:?}");
        assert_eq!(vectors.get("of"), Some(&[0.25, 4.0, 5.0][..]), "{text:?}");
        assert_eq!(vectors.get("The"), None);
    }
}

#[test]
fn binary_rows_are_read_with_newlines_and_without() {
    let rows: [(&[u8], &[f32]); 2] = [(b"the", &[1.0, 0.5]), ("été".as_bytes(), &[0.1, -2.0])];
    let with_newlines = binary("2 2", &rows);
    let mut without = b"2 2\nthe ".to_vec();
    without.extend(
        [1.0_f32, 0.5]
            .iter()
            .flat_map(|number| number.to_le_bytes()),
    );
    without.extend("été ".as_bytes());
    without.extend(
        [0.1_f32, -2.0]
            .iter()
            .flat_map(|number| number.to_le_bytes()),
    );
    for bytes in [with_newlines, without] {
        let (vectors, report) = read(&bytes).unwrap();
        assert_eq!(report.format, VectorFormat::Word2VecBinary);
        assert_eq!(vectors.words().collect::<Vec<_>>(), ["the", "été"]);
        assert_eq!(vectors.get("été"), Some(&[0.1, -2.0][..]));
    }
}

#[test]
fn words_with_spaces_are_split_from_the_right() {
    let text =
        "the 1 2\n. . . 3 4\nat name@domain.com 5 6\n\u{a0} 7 8\n\u{85}\u{3000} 9 10\n7 11 12\n";
    let (vectors, report) = read(text.as_bytes()).unwrap();
    assert_eq!(report.words_with_spaces, 2);
    let words: Vec<&str> = vectors.words().collect();
    assert_eq!(
        words,
        [
            "the",
            ". . .",
            "at name@domain.com",
            "\u{a0}",
            "\u{85}\u{3000}",
            "7"
        ]
    );
    assert_eq!(vectors.get(". . ."), Some(&[3.0, 4.0][..]));
    // Also where the first line says how many numbers there are.
    let (vectors, _) = read(b". . 1 2 3\nthe 4 5 6\n").unwrap();
    assert_eq!(
        (vectors.dim(), vectors.get(". .")),
        (3, Some(&[1.0, 2.0, 3.0][..]))
    );
}

#[test]
fn words_of_control_characters_leave_text_text() {
    let (vectors, report) = read(b"2 2\n\x01\x1f 1 2\n\x0c 3 4\n").unwrap();
    assert_eq!(report.format, VectorFormat::Word2VecText);
    assert_eq!(vectors.get("\u{c}"), Some(&[3.0, 4.0][..]));
}

#[test]
fn of_duplicates_the_first_stays() {
    let text = read(b"4 1\na 1\nb 2\na 3\na 4\n").unwrap();
    let rows: [(&[u8], &[f32]); 4] = [
        (b"a", &[1.0]),
        (b"b", &[2.0]),
        (b"a", &[3.0]),
        (b"a", &[4.0]),
    ];
    for (vectors, report) in [text, read(&binary("4 1", &rows)).unwrap()] {
        assert_eq!((report.rows, report.words, report.duplicates), (4, 2, 2));
        assert_eq!(
            (vectors.get("a"), vectors.get("b")),
            (Some(&[1.0][..]), Some(&[2.0][..]))
        );
    }
}

#[test]
fn a_limit_takes_the_first_rows_and_looks_at_no_other() {
    let options = VectorOptions {
        limit: Some(2),
        ..VectorOptions::default()
    };
    let (vectors, report) = options.read(b"a 1\nb 2\nc nan\n", "file").unwrap();
    assert_eq!((vectors.len(), report.rows), (2, 2));
    let (vectors, _) = options.read(b"3 1\na 1\na 2\nc nan\n", "file").unwrap();
    assert_eq!(vectors.words().collect::<Vec<_>>(), ["a"]);
    let none = VectorOptions {
        limit: Some(0),
        ..VectorOptions::default()
    };
    assert!(none.read(b"a 1\n", "file").unwrap().0.is_empty());
}

#[test]
fn a_vocabulary_keeps_its_words_in_any_case() {
    let vocab = Vocab::from_tokens(["Paris", "the", "ÉTÉ"]).unwrap();
    let options = VectorOptions {
        vocabulary: Some(&vocab),
        ..VectorOptions::default()
    };
    let text = "the 1\nof 2\nparis 3\nPARIS 4\nété 5\nthe 6\nof 7\n";
    let (vectors, report) = options.read(text.as_bytes(), "file").unwrap();
    assert_eq!(
        vectors.words().collect::<Vec<_>>(),
        ["the", "paris", "PARIS", "été"]
    );
    assert_eq!(vectors.get("été"), Some(&[5.0][..]));
    assert_eq!(
        (report.rows, report.duplicates, report.not_in_vocabulary),
        (7, 1, 2)
    );
    assert_eq!(
        report.to_string(),
        "GloVe text: 4 words of 1 numbers from 7 rows; 1 duplicates, 2 not in the vocabulary"
    );
}

#[test]
fn a_file_of_no_rows_has_no_words() {
    let (vectors, report) = read(b"0 5\n").unwrap();
    assert_eq!((vectors.len(), vectors.dim(), report.words), (0, 5, 0));
}
