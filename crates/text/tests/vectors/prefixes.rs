//! A file cut short is refused, or is a shorter file: never a panic.

use lexigrad_text::vectors::VectorFormat;
use proptest::prelude::*;

use crate::support::{binary, fixture, read};

/// Every prefix is refused or has the first words; the formats of those that were taken.
fn accepted_prefixes(bytes: &[u8]) -> Vec<VectorFormat> {
    let (whole, _) = read(bytes).unwrap();
    let words: Vec<&str> = whole.words().collect();
    let prefixes = (0..bytes.len()).filter_map(|length| read(&bytes[..length]).ok());
    let accepted = prefixes.map(|(vectors, report)| {
        assert!(vectors.len() <= whole.len());
        // Of the last row a number may be cut short, and then is another number.
        let complete = vectors.len().saturating_sub(1);
        for (found, word) in vectors.words().zip(&words).take(complete) {
            assert_eq!(found, *word);
            assert_eq!(vectors.get(found), whole.get(word));
        }
        report.format
    });
    accepted.collect()
}

#[test]
fn prefixes_of_recorded_files() {
    for file in [
        "fasttext_skipgram.bin",
        "fasttext_supervised.bin",
        "gensim_fasttext.bin",
        "gensim_binary.vec",
    ] {
        let bytes = std::fs::read(fixture(file)).unwrap();
        assert_eq!(accepted_prefixes(&bytes), [], "{file}");
    }
    accepted_prefixes(&std::fs::read(fixture("gensim_text.vec")).unwrap());
}

fn rows() -> impl Strategy<Value = Vec<(String, Vec<f32>)>> {
    (1usize..4).prop_flat_map(|dim| {
        let numbers = prop::collection::vec(-1e3f32..1e3, dim);
        prop::collection::btree_map("[a-zé東\u{a0}]{1,4}", numbers, 1..6)
            .prop_map(|rows| rows.into_iter().collect())
    })
}

proptest! {
    #[test]
    fn prefixes_of_text(rows in rows(), header: bool, end in prop::sample::select(vec!["\n", "\r\n"])) {
        let mut text = String::new();
        if header {
            text += &format!("{} {}{end}", rows.len(), rows[0].1.len());
        }
        for (word, numbers) in &rows {
            let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
            text += &format!("{word} {}{end}", numbers.join(" "));
        }
        let (vectors, _) = read(text.as_bytes()).unwrap();
        for (word, numbers) in &rows {
            prop_assert_eq!(vectors.get(word), Some(&numbers[..]));
        }
        accepted_prefixes(text.as_bytes());
    }

    #[test]
    fn prefixes_of_binary(rows in rows()) {
        let borrowed: Vec<(&[u8], &[f32])> = rows.iter().map(|(word, row)| (word.as_bytes(), &row[..])).collect();
        let bytes = binary(&format!("{} {}", rows.len(), rows[0].1.len()), &borrowed);
        let (vectors, _) = read(&bytes).unwrap();
        for (word, numbers) in &rows {
            prop_assert_eq!(vectors.get(word), Some(&numbers[..]));
        }
        // Without its last newline it is whole; and a number's first bytes may happen to be digits.
        let mut accepted = accepted_prefixes(&bytes);
        accepted.retain(|&format| format == VectorFormat::Word2VecBinary);
        prop_assert_eq!(accepted.len(), 1);
    }

    #[test]
    fn bytes_of_any_kind(bytes in prop::collection::vec(any::<u8>(), 0..200), start in 0usize..4) {
        let starts: [&[u8]; 4] = [b"", b"2 3\n", b"a 1 2\n", b"\xba\x16\x4f\x2f\x0c\0\0\0\x03\0\0\0"];
        let _ = read(&[starts[start], &bytes].concat());
    }

    #[test]
    fn models_with_a_byte_changed(place in 0usize..10_000, value: u8) {
        let mut bytes = std::fs::read(fixture("fasttext_supervised.bin")).unwrap();
        let place = place % bytes.len();
        bytes[place] = value;
        if let Ok((vectors, _)) = read(&bytes) {
            prop_assert!(vectors.words().all(|word| vectors.get(word).is_some()));
        }
    }
}
