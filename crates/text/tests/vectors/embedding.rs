//! Embeddings that start from vectors.

use lexigrad_tensor::{Ids, Tape};
use lexigrad_text::vectors::{MissingRows, WordVectors};
use lexigrad_text::{Vocab, VocabOptions};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::{fixture, read};

#[test]
fn rows_are_those_of_their_words() {
    let (vectors, _) = read(b"the 1 2\ncat 3 4\nParis 5 6\n<pad> 7 8\n").unwrap();
    let options = VocabOptions {
        specials: ["the", "Cat", "PARIS", "emu"].map(String::from).into(),
        ..VocabOptions::default()
    };
    let vocab = options.build([""; 0]).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let (embed, matching) = vectors
        .embedding(&vocab, MissingRows::Zero, false, &mut rng)
        .unwrap();
    assert_eq!(
        matching.to_string(),
        "1 of 5 words matched, 2 in another case, 2 missing: <unk> emu"
    );
    assert_eq!(matching.missing, ["<unk>", "emu"]);
    assert_eq!(
        embed.weight.value().to_vec(),
        [0., 0., 0., 0., 1., 2., 3., 4., 5., 6., 0., 0.]
    );
    assert_eq!(embed.weight.fixed_row(), Some(0));
    assert!(!embed.weight.requires_grad());

    let (embed, _) = vectors
        .embedding(&vocab, MissingRows::Zero, true, &mut rng)
        .unwrap();
    let tape = Tape::new();
    let y = embed.forward(&Ids::new([2, 0]).unwrap()).unwrap().sum();
    let grads = tape.backward(&y).unwrap();
    let sparse = grads.get(&embed.weight).unwrap().as_row_sparse().unwrap();
    assert_eq!(sparse.rows().as_slice(), [2]);
}

#[test]
fn missing_rows_have_the_mean_and_spread_of_the_known() {
    let (vectors, _) = read(b"a 1 -10\nb 3 -10\n").unwrap();
    let others = (0..4000).map(|number| format!("other{number}"));
    let words: Vec<String> = ["a", "b"]
        .map(String::from)
        .into_iter()
        .chain(others)
        .collect();
    let vocab = VocabOptions::plain().build(&words).unwrap();
    for missing in [MissingRows::Uniform, MissingRows::Normal] {
        let mut rng = StdRng::seed_from_u64(1);
        let (embed, matching) = vectors.embedding(&vocab, missing, false, &mut rng).unwrap();
        assert_eq!(matching.missing.len(), 4000);
        let table = embed.weight.value().to_vec();
        let rows: Vec<&[f32]> = table.chunks(2).collect();
        let drawn: Vec<f32> = matching
            .missing
            .iter()
            .map(|word| rows[vocab.id(word).unwrap() as usize][0])
            .collect();
        let mean = drawn.iter().sum::<f32>() / 4000.0;
        let spread = (drawn.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 4000.0).sqrt();
        assert!(
            (mean - 2.0).abs() < 0.08 && (spread - 1.0).abs() < 0.05,
            "{missing:?} {mean} {spread}"
        );
        let is_within = drawn.iter().all(|x| (x - 2.0).abs() <= 1.7321);
        assert_eq!(is_within, missing == MissingRows::Uniform);
        assert!(
            rows.iter().all(|row| row[1] == -10.0),
            "a column without spread"
        );
        let again = vectors
            .embedding(&vocab, missing, false, &mut StdRng::seed_from_u64(1))
            .unwrap()
            .0;
        assert_eq!(again.weight.value().to_vec(), table);
    }
}

#[test]
fn subwords_give_rows_to_unseen_words() {
    let vectors = WordVectors::load(fixture("fasttext_skipgram.bin")).unwrap();
    let vocab = VocabOptions::plain().build(["films", "film"]).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let (embed, matching) = vectors
        .embedding(&vocab, MissingRows::Zero, false, &mut rng)
        .unwrap();
    assert_eq!(
        matching.to_string(),
        "1 of 2 words matched, 1 from subwords, 0 missing"
    );
    let row = vocab.id("films").unwrap() as usize * 3;
    assert_eq!(
        embed.weight.value().to_vec()[row..row + 3],
        *vectors.compose("films").unwrap()
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let (vectors, _) = read(b"a 1\n").unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let vocab = Vocab::from_tokens(["b"]).unwrap();
    let error = vectors
        .embedding(&vocab, MissingRows::Normal, false, &mut rng)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "embedding: no word of the vocabulary has a vector, so there is no mean and spread for missing rows"
    );
    let empty = VocabOptions::plain().build([""; 0]).unwrap();
    let error = vectors
        .embedding(&empty, MissingRows::Zero, false, &mut rng)
        .unwrap_err();
    assert_eq!(error.to_string(), "embedding: the vocabulary is empty");
}
