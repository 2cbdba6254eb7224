//! Vocabularies as JSON: what is read is written, and read back.
#![no_main]

use lexigrad_text::Vocab;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    let Ok(vocab) = Vocab::from_json(json) else {
        return;
    };
    for (id, word) in (0..).zip(vocab.words()) {
        assert_eq!(vocab.id(word), Some(id));
    }
    let again = Vocab::from_json(&vocab.to_json()).expect("what was written is read");
    assert_eq!(again, vocab);
});
