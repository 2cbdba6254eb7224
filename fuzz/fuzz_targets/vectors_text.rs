//! Vectors as text, and whatever else their reader may be given; what is read is written, and read back.
#![no_main]

mod message;

use lexigrad_text::vectors::{VectorFormat, VectorOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (vectors, report) = match VectorOptions::default().read(bytes, "fuzz") {
        Ok(read) => read,
        Err(error) => return message::check(&error),
    };
    // A header has no sign, and text no zero byte.
    assert!(!bytes.starts_with(b"-5 3\n"));
    let is_text = matches!(report.format, VectorFormat::GloVe | VectorFormat::Word2VecText);
    assert!(!is_text || vectors.words().all(|word| !word.is_empty() && !word.contains('\0')));
    assert_eq!((report.words, report.dim), (vectors.len(), vectors.dim()));
    for (word, row) in vectors.words().zip(vectors.rows()) {
        assert_eq!(vectors.get(word), Some(row));
        assert!(row.iter().all(|value| value.is_finite()));
    }
    let mut text = Vec::new();
    if vectors.write_text(&mut text).is_ok() {
        let (again, _) = VectorOptions::default()
            .read(&text, "again")
            .expect("what was written is read");
        assert!(again.words().eq(vectors.words()) && again.rows().eq(vectors.rows()));
    }
});
