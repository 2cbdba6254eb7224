//! fastText models, from the options on; known and unseen words are asked for.
#![no_main]

mod message;

use lexigrad_text::vectors::VectorOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let magic = 793_712_314_i32.to_le_bytes();
    let version = 12_i32.to_le_bytes();
    let file = [&magic[..], &version, bytes].concat();
    let vectors = match VectorOptions::default().read(&file, "fuzz") {
        Ok((vectors, _)) => vectors,
        Err(error) => return message::check(&error),
    };
    for word in vectors.words().chain(["unseen", "é", "</s>"]) {
        if let Some(vector) = vectors.compose(word) {
            assert_eq!(vector.len(), vectors.dim());
            assert!(vector.iter().all(|value| value.is_finite()));
        }
    }
});
