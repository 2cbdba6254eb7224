//! Tab-separated values; what is read is written, and read back.
#![no_main]

mod message;

use lexigrad_text::read::{LineOptions, Lines, Row, Tsv};
use libfuzzer_sys::fuzz_target;

fn rows(bytes: &[u8]) -> Tsv<&[u8]> {
    Tsv::new(Lines::new(bytes, "fuzz", LineOptions::default()))
}

fuzz_target!(|bytes: &[u8]| {
    let found: Vec<_> = rows(bytes).collect();
    assert!(found.iter().rev().skip(1).all(Result::is_ok));
    found.iter().flat_map(|item| item.as_ref().err()).for_each(message::check);
    assert!(!bytes.contains(&0) || found.last().is_some_and(Result::is_err));
    let found: Vec<Row> = found.into_iter().flatten().collect();
    let mut written = "\u{feff}".to_owned();
    for row in &found {
        written += &row.fields.join("\t");
        written += "\r\n";
    }
    let again = rows(written.as_bytes()).map(|row| row.expect("what was written is read").fields);
    assert!(again.eq(found.into_iter().map(|row| row.fields)));
});
