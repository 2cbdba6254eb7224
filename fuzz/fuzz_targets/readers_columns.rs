//! CoNLL columns with any options; what is read is written with tabs, and read back.
#![no_main]

mod message;

use lexigrad_text::read::{Columns, ColumnsOptions, LineOptions, Lines, Sentence};
use libfuzzer_sys::fuzz_target;

fn sentences(bytes: &[u8], options: ColumnsOptions) -> Columns<&[u8]> {
    Columns::new(Lines::new(bytes, "fuzz", LineOptions::default()), options)
}

fuzz_target!(|input: (bool, bool, &[u8])| {
    let (comments, skip_document_starts, bytes) = input;
    let options = ColumnsOptions {
        comments,
        skip_document_starts,
    };
    let found: Vec<_> = sentences(bytes, options).collect();
    assert!(found.iter().rev().skip(1).all(Result::is_ok));
    found.iter().flat_map(|item| item.as_ref().err()).for_each(message::check);
    assert!(!bytes.contains(&0) || found.last().is_some_and(Result::is_err));
    let found: Vec<Sentence> = found.into_iter().flatten().collect();
    let mut written = "\u{feff}".to_owned();
    for sentence in &found {
        assert!(!sentence.is_empty());
        for token in 0..sentence.len() {
            let fields = sentence.columns.iter().map(|column| column[token].as_str());
            written += &fields.collect::<Vec<_>>().join("\t");
            written += "\n";
        }
        written += "\n";
    }
    let again = sentences(written.as_bytes(), ColumnsOptions::default());
    let again = again.map(|sentence| sentence.expect("what was written is read").columns);
    assert!(again.eq(found.into_iter().map(|sentence| sentence.columns)));
});
