//! What loaders of files need.

use std::path::PathBuf;

/// The bytes in a file, which is written anew each time.
pub fn file(bytes: &[u8]) -> PathBuf {
    let path = path("input");
    std::fs::write(&path, bytes).expect("the folder for temporary files can be written");
    path
}

/// A file of this process.
pub fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("lexigrad-fuzz-{}-{name}", std::process::id()))
}
