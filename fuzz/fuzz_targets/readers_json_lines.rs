//! JSON lines, as any value and as a pair; pairs that are read are written, and read back.
#![no_main]

mod message;

use lexigrad_text::read::{JsonLines, LineOptions, Lines};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn values<V: DeserializeOwned>(bytes: &[u8]) -> JsonLines<&[u8], V> {
    JsonLines::new(Lines::new(bytes, "fuzz", LineOptions::default()))
}

fuzz_target!(|bytes: &[u8]| {
    let any: Vec<_> = values::<Value>(bytes).collect();
    assert!(any.iter().rev().skip(1).all(Result::is_ok));
    any.iter().flat_map(|item| item.as_ref().err()).for_each(message::check);
    assert!(!bytes.contains(&0) || any.last().is_some_and(Result::is_err));
    assert!(
        any.iter()
            .flatten()
            .is_sorted_by(|(line, _), (next, _)| line < next)
    );

    let pairs: Vec<(i64, String)> = values(bytes).flatten().map(|(_, pair)| pair).collect();
    let line = |pair| serde_json::to_string(pair).expect("a number and a text are JSON") + "\n";
    let written: String = pairs.iter().map(line).collect();
    let again = values::<(i64, String)>(written.as_bytes())
        .map(|pair| pair.expect("what was written is read").1);
    assert!(again.eq(pairs));
});
