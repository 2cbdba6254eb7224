//! word2vec's binary format; what is read is written, and read back.
#![no_main]

mod message;

use lexigrad_text::vectors::VectorOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (rows, dim, bytes) = input;
    let file = [format!("{rows} {dim}\n").as_bytes(), bytes].concat();
    let vectors = match VectorOptions::default().read(&file, "fuzz") {
        Ok((vectors, _)) => vectors,
        Err(error) => return message::check(&error),
    };
    let mut binary = Vec::new();
    if vectors.write_binary(&mut binary).is_ok() {
        let (again, _) = VectorOptions::default()
            .read(&binary, "again")
            .expect("what was written is read");
        assert!(again.words().eq(vectors.words()) && again.rows().eq(vectors.rows()));
    }
});
