//! Vocabularies from JSON: ids and words agree, words can be added, and what is read is written and read back.
#![no_main]

mod message;

use lexigrad_text::Vocab;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    let mut vocab = match Vocab::from_json(json) {
        Ok(vocab) => vocab,
        Err(error) => return message::check(&error),
    };
    for (id, word) in vocab.words().enumerate() {
        assert_eq!(vocab.id(word), Some(id as u32));
    }
    assert!(
        [vocab.padding(), vocab.unknown()]
            .into_iter()
            .flatten()
            .all(|id| vocab.word(id).is_some())
    );
    let again = Vocab::from_json(&vocab.to_json()).expect("what was written is read");
    assert!(again == vocab);

    let words: Vec<String> = vocab.words().take(3).map(str::to_owned).collect();
    let (before, is_new) = (vocab.len(), vocab.id("unseen").is_none());
    let tokens = words.iter().map(String::as_str).chain(["unseen"]);
    assert_eq!(
        vocab.grow(tokens, 1).expect("there is room"),
        usize::from(is_new)
    );
    assert_eq!(vocab.len(), before + usize::from(is_new));
});
