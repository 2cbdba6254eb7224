//! Neighbours and analogies, against gensim's.

use lexigrad_text::vectors::WordVectors;
use serde_json::Value;

use crate::support::{fixture, read};

#[test]
fn neighbours_and_analogies_are_gensims() {
    let vectors = WordVectors::load(fixture("gensim_text.vec")).unwrap();
    let json = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let expected = serde_json::from_str::<Value>(&json).unwrap()["geometry"].clone();
    let found = [
        ("nearest", vectors.nearest("film", 3).unwrap()),
        (
            "analogy",
            vectors.analogy("the", "film", "東京", 3).unwrap(),
        ),
    ];
    for (name, found) in found {
        let expected: Vec<(String, f64)> = serde_json::from_value(expected[name].clone()).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.0, expected.0);
            assert!(
                (found.1 - expected.1).abs() < 1e-6,
                "{found:?} {expected:?}"
            );
        }
    }
    let similarity = vectors.similarity("film", "große").unwrap();
    assert!((similarity - expected["similarity"].as_f64().unwrap()).abs() < 1e-6);
}

#[test]
fn zero_and_huge_vectors_give_numbers() {
    let (vectors, _) = read(b"zero 0 0\nhuge 3e38 3e38\ntiny 1e-45 1e-45\nleft -1 0\n").unwrap();
    for a in vectors.words() {
        for b in vectors.words() {
            let cosine = vectors.similarity(a, b).unwrap();
            assert!((-1.0..=1.0).contains(&cosine), "{a} {b}: {cosine}");
            assert!(
                vectors
                    .analogy(a, b, a, 4)
                    .unwrap()
                    .iter()
                    .all(|(_, cosine)| cosine.is_finite())
            );
        }
        assert_eq!(vectors.similarity("zero", a).unwrap(), 0.0);
        assert!(
            vectors
                .nearest(a, 9)
                .unwrap()
                .iter()
                .all(|(_, cosine)| cosine.is_finite())
        );
    }
    assert!((vectors.similarity("huge", "tiny").unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(vectors.nearest("zero", 0).unwrap(), []);
}

#[test]
fn a_vector_has_neighbours_too() {
    let (vectors, _) = read(b"a 1 0\nb 0 1\nc 1 1\n").unwrap();
    let words: Vec<&str> = vectors
        .nearest_to(&[0.0, 2.0], 3)
        .unwrap()
        .iter()
        .map(|(word, _)| *word)
        .collect();
    assert_eq!(words, ["b", "c", "a"]);
    assert_eq!(
        vectors.nearest_to(&[1.0], 3).unwrap_err().to_string(),
        "nearest_to: a vector of 1 numbers; it must have 2 finite ones"
    );
    assert_eq!(
        vectors.nearest("d", 1).unwrap_err().to_string(),
        "nearest: \"d\" has no vector"
    );
}

#[test]
fn pairs_without_vectors_are_left_out_and_counted() {
    let (vectors, _) = read(b"a 1 0\nb 0 1\n").unwrap();
    let agreement = vectors.similarity_correlation(&[("a", "b", 1.0), ("a", "x", 2.0)]);
    assert_eq!(
        (agreement.spearman, agreement.pairs, agreement.left_out),
        (None, 1, 1)
    );
}
