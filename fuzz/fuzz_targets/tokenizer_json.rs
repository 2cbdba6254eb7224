//! Tokenizers from JSON: whatever is loaded cuts some texts, or says why it cannot.
#![no_main]

mod message;

use lexigrad_text::PretrainedTokenizer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let tokenizer = match PretrainedTokenizer::read(bytes, "fuzz") {
        Ok(tokenizer) => tokenizer,
        Err(error) => return message::check(&error),
    };
    for text in ["", "a man is eating", "A naïve 東京 \u{1f600}\u{0} aaaa"] {
        match tokenizer.encode(text, true) {
            Ok(ids) => {
                let _ = tokenizer.decode(&ids);
            }
            Err(error) => message::check(&error),
        }
    }
});
