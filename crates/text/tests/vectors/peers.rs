//! What fastText and gensim wrote, against the vectors that they give: `fixtures/record.py`.

use std::collections::BTreeMap;

use lexigrad_text::vectors::{VectorFormat, VectorOptions, WordVectors};
use serde_json::Value;

use crate::support::fixture;

fn expected(file: &str) -> BTreeMap<String, Vec<f32>> {
    let json = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&json).unwrap();
    serde_json::from_value(all["vectors"][file].clone()).unwrap()
}

#[test]
fn word2vec_files_of_gensim_have_its_vectors() {
    let formats = [
        ("gensim_text.vec", VectorFormat::Word2VecText),
        ("gensim_binary.vec", VectorFormat::Word2VecBinary),
    ];
    for (file, format) in formats {
        let (vectors, report) = VectorOptions::default().load(fixture(file)).unwrap();
        assert_eq!(report.format, format);
        let expected = expected(file);
        assert_eq!(vectors.len(), expected.len());
        for (word, numbers) in expected {
            assert_eq!(vectors.get(&word), Some(&numbers[..]), "{file}: {word}");
        }
    }
}

#[test]
fn known_and_unseen_words_of_fasttext_models_have_their_vectors() {
    for kind in ["skipgram", "cbow", "supervised"] {
        let file = format!("fasttext_{kind}.bin");
        let vectors = WordVectors::load(fixture(&file)).unwrap();
        for (word, numbers) in expected(&file) {
            let found = vectors.compose(&word).map(|vector| vector.into_owned());
            // fastText gives zeros for a word that has no subword.
            let numbers = Some(numbers).filter(|numbers| numbers.iter().any(|&x| x != 0.0));
            assert_eq!(found, numbers, "{file}: {word}");
        }
    }
    let subwords = WordVectors::load(fixture("fasttext_skipgram.bin")).unwrap();
    let subwords = subwords.subwords().unwrap();
    assert_eq!(
        (subwords.minimum(), subwords.maximum(), subwords.buckets()),
        (2, 4, 20)
    );
}

#[test]
fn a_model_that_gensim_wrote_has_gensims_vectors() {
    let vectors = WordVectors::load(fixture("gensim_fasttext.bin")).unwrap();
    for (word, numbers) in expected("gensim_fasttext.bin") {
        let found = vectors.compose(&word).unwrap();
        for (found, expected) in found.iter().zip(&numbers) {
            // gensim adds in another order.
            assert!(
                (found - expected).abs() <= 1e-7,
                "{word}: {found} {expected}"
            );
        }
    }
}

#[test]
fn a_model_is_loaded_in_part() {
    let path = fixture("fasttext_skipgram.bin");
    let options = VectorOptions {
        limit: Some(2),
        subwords: false,
        ..VectorOptions::default()
    };
    let (vectors, report) = options.load(&path).unwrap();
    assert_eq!((vectors.len(), report.format), (2, VectorFormat::FastText));
    assert!(vectors.subwords().is_none() && vectors.compose("films").is_none());
    let all = WordVectors::load(&path).unwrap();
    for word in vectors.words() {
        assert_eq!(vectors.get(word), all.get(word));
    }
}
