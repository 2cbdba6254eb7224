//! Comma-separated values; what is read is written with every field in quotes, and read back.
#![no_main]

mod message;

use lexigrad_text::read::{Csv, LineOptions, Lines, Row};
use libfuzzer_sys::fuzz_target;

fn rows(bytes: &[u8]) -> Csv<&[u8]> {
    Csv::new(Lines::new(bytes, "fuzz", LineOptions::default()))
}

fuzz_target!(|bytes: &[u8]| {
    let found: Vec<_> = rows(bytes).collect();
    assert!(found.iter().rev().skip(1).all(Result::is_ok));
    found.iter().flat_map(|item| item.as_ref().err()).for_each(message::check);
    assert!(!bytes.contains(&0) || found.last().is_some_and(Result::is_err));
    let found: Vec<Row> = found.into_iter().flatten().collect();
    let mut written = String::new();
    for row in &found {
        let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
        written += &row.fields.iter().map(quoted).collect::<Vec<_>>().join(",");
        written += "\n";
    }
    let again = rows(written.as_bytes()).map(|row| row.expect("what was written is read").fields);
    // Line ends inside a field are read as one character.
    let unix = |row: Row| -> Vec<String> {
        row.fields
            .iter()
            .map(|field| field.replace("\r\n", "\n"))
            .collect()
    };
    assert!(again.eq(found.into_iter().map(unix)));
});
