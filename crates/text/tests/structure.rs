//! The folders of this crate stand apart, as ARCHITECTURE.md says: each uses only what lies below all of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

const BELOW: [&str; 8] = [
    "error",
    "file",
    "foreign",
    "object",
    "progress",
    "save",
    "statistics",
    "vocab",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules of the crate that a source names outside its comments.
fn uses(source: &str) -> impl Iterator<Item = &str> {
    let lines = source.lines().map(str::trim_start);
    let code = lines.filter(|line| !line.starts_with("//"));
    let paths = code.flat_map(|line| line.split("crate::").skip(1));
    paths.filter_map(|path| {
        path.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    })
}

#[test]
fn folders_use_only_what_lies_below_all_of_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for path in sources(&root) {
        let place = path.strip_prefix(&root).unwrap();
        let mut parts = place.iter();
        let folder = parts.next().unwrap().to_str().unwrap();
        if parts.next().is_none() {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for import in uses(&source) {
            seen += 1;
            let is_allowed = import == folder || BELOW.contains(&import);
            assert!(is_allowed, "{} uses `{import}`", place.display());
        }
    }
    assert!(seen > 50, "only {seen} imports were found");
}
