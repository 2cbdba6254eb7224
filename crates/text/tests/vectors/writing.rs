//! What is written is read back, to the bit.

use lexigrad_tensor::Tensor;
use lexigrad_text::VocabOptions;
use lexigrad_text::vectors::{VectorFormat, VectorOptions, WordVectors};
use proptest::prelude::*;

use crate::support::{fixture, read};

proptest! {
    #[test]
    fn both_formats_come_back(
        rows in prop::collection::btree_map("[^ \n\t\r\0]{1,6}", prop::collection::vec(any::<f32>(), 3), 0..6),
    ) {
        let finite = |row: &[f32]| row.iter().all(|value| value.is_finite());
        let (words, values): (Vec<String>, Vec<Vec<f32>>) = rows.into_iter().filter(|(_, row)| finite(row)).unzip();
        let vocab = VocabOptions { specials: words.clone(), ..VocabOptions::plain() }.build([""; 0]).unwrap();
        let table = Tensor::from_slice(&values.concat(), [words.len(), 3]).unwrap();
        let vectors = WordVectors::from_table(&vocab, &table).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (text, binary) = (folder.path().join("a.txt"), folder.path().join("a.bin"));
        vectors.save_text(&text).unwrap();
        vectors.save_binary(&binary).unwrap();
        for path in [text, binary] {
            let (again, report) = VectorOptions::default().load(&path).unwrap();
            prop_assert!(words.is_empty() || (report.format == VectorFormat::Word2VecText) == path.ends_with("a.txt"));
            prop_assert!(again.words().eq(vectors.words()));
            let bits = |vectors: &WordVectors| -> Vec<u32> { vectors.rows().flatten().map(|x| x.to_bits()).collect() };
            prop_assert_eq!(bits(&again), bits(&vectors));
        }
    }
}

#[test]
fn words_that_would_not_come_back_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors");
    std::fs::write(&path, "as it was").unwrap();
    for (word, in_text) in [
        ("a b", true),
        (" a", false),
        ("a 1", false),
        ("a\nb", false),
        ("a \rb", false),
    ] {
        let vocab = VocabOptions::plain().build([word]).unwrap();
        let vectors = WordVectors::from_table(&vocab, &Tensor::ones([1, 2])).unwrap();
        assert!(vectors.save_binary(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"as it was");
        let mut text = Vec::new();
        assert_eq!(vectors.write_text(&mut text).is_ok(), in_text, "{word:?}");
        if in_text {
            assert_eq!(read(&text).unwrap().0.get(word), Some(&[1.0, 1.0][..]));
        }
    }
    let vocab = VocabOptions::plain().build(["a\0b"]).unwrap();
    let vectors = WordVectors::from_table(&vocab, &Tensor::ones([1, 2])).unwrap();
    assert!(vectors.write_text(Vec::new()).is_err());
    let vocab = VocabOptions::plain().build(["a\nb"]).unwrap();
    let vectors = WordVectors::from_table(&vocab, &Tensor::ones([1, 2])).unwrap();
    assert_eq!(
        vectors.save_text(&path).unwrap_err().to_string(),
        "save_text: the word \"a\\nb\" has a line end or a zero byte, or spaces around it or before a number; text cannot hold it"
    );
}

#[test]
fn numbers_whose_bytes_are_digits_come_back_too() {
    // The second was found by fuzzing.
    let rows: [&[(&str, &[u8; 4])]; 4] = [
        &[("a", b"0.5\n")],
        &[("\0\0\0\0\0\u{1}\t\t239", b"\t\t\n4"), ("1", b"9 \0\0")],
        &[("a", b"1234"), ("b", b"5 6\n")],
        &[("a", &[0; 4]), ("b", &[b'1', b' ', 0x80, b'2'])],
    ];
    for rows in rows {
        let words = rows.iter().map(|(word, _)| (*word).to_owned()).collect();
        let vocab = VocabOptions {
            specials: words,
            ..VocabOptions::plain()
        }
        .build([""; 0])
        .unwrap();
        let numbers: Vec<f32> = rows
            .iter()
            .map(|(_, bytes)| f32::from_le_bytes(**bytes))
            .collect();
        let table = Tensor::from_slice(&numbers, [numbers.len(), 1]).unwrap();
        let mut bytes = Vec::new();
        WordVectors::from_table(&vocab, &table)
            .unwrap()
            .write_binary(&mut bytes)
            .unwrap();
        let (again, report) = read(&bytes).unwrap();
        assert_eq!(report.format, VectorFormat::Word2VecBinary);
        assert!(again.words().eq(vocab.words()));
        assert_eq!(again.table().unwrap().to_vec(), numbers);
    }
}

#[test]
fn gensims_text_is_written_as_gensim_has_it() {
    let path = fixture("gensim_text.vec");
    let mut text = Vec::new();
    WordVectors::load(&path)
        .unwrap()
        .write_text(&mut text)
        .unwrap();
    assert_eq!(text, std::fs::read(path).unwrap());
}

#[test]
fn a_table_must_fit_its_vocabulary() {
    let vocab = VocabOptions::plain().build(["a", "b"]).unwrap();
    let message = |table: Tensor| {
        WordVectors::from_table(&vocab, &table)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(Tensor::ones([3, 2])),
        "from_table: a table [3, 2] for 2 words; there must be a row for each word, and a number in each"
    );
    assert_eq!(
        message(Tensor::ones([2])),
        "from_table: the table has shape [2]; it must be [V, D]"
    );
    assert_eq!(
        message(Tensor::new([[1.0, 2.0], [f32::NAN, 0.0]])),
        "from_table: row 1 holds NaN; numbers must be finite"
    );
}
