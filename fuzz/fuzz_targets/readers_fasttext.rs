//! fastText's lines with several labels; what is read is written, and read back.
#![no_main]

mod message;

use lexigrad_text::read::{FastText, LineOptions, Lines, TaggedText};
use libfuzzer_sys::fuzz_target;

fn texts(bytes: &[u8]) -> FastText<&[u8]> {
    FastText::new(Lines::new(bytes, "fuzz", LineOptions::default()))
}

fuzz_target!(|bytes: &[u8]| {
    let found: Vec<_> = texts(bytes).collect();
    assert!(found.iter().rev().skip(1).all(Result::is_ok));
    found.iter().flat_map(|item| item.as_ref().err()).for_each(message::check);
    assert!(!bytes.contains(&0) || found.last().is_some_and(Result::is_err));
    let found: Vec<TaggedText> = found.into_iter().flatten().collect();
    let mut written = String::new();
    for tagged in &found {
        assert!(!tagged.labels.is_empty());
        for label in &tagged.labels {
            written += &format!("__label__{label} ");
        }
        written += &tagged.text;
        written += "\n";
    }
    let again = texts(written.as_bytes()).map(|tagged| tagged.expect("what was written is read"));
    assert!(
        again
            .map(|tagged| (tagged.labels, tagged.text))
            .eq(found.into_iter().map(|tagged| (tagged.labels, tagged.text)))
    );
});
