//! Labelled texts in any form; what is read is written as JSON lines, and read back.
#![no_main]

mod message;

use lexigrad_text::read::LabelledTexts;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let texts = match LabelledTexts::read(bytes, "fuzz") {
        Ok(texts) => texts,
        Err(error) => return message::check(&error),
    };
    assert!(texts.labels.len() > 1 && texts.labels.is_sorted_by(|label, next| label < next));
    let mut written = String::new();
    for example in &texts.examples {
        assert!(!example.text.trim().is_empty());
        let label = &texts.labels[example.label as usize];
        written += &json!({ "label": label, "text": example.text }).to_string();
        written += "\n";
    }
    let again = LabelledTexts::read(written.as_bytes(), "again").expect("what was written is read");
    assert!(again == texts);
});
