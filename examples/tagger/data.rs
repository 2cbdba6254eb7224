//! Reads tagged sentences, and says which are trained on.

use std::error::Error;
use std::path::{Path, PathBuf};

use lexigrad_text::read;

use crate::args::Args;

/// A sentence and its tags.
pub type Tagged = (Vec<String>, Vec<String>);

/// The sentences to train on, to watch progress by and to judge by.
pub fn read(args: &Args) -> Result<[Vec<Tagged>; 3], Box<dyn Error>> {
    let mut train = sentences(&args.train, &args.drop_suffix)?;
    if let Some(path) = &args.split {
        let parts = read::parts(path)?;
        let part = |name| -> lexigrad_text::Result<Vec<Tagged>> {
            let own = read::items_of(&train, &parts, name)?;
            Ok(own.into_iter().cloned().collect())
        };
        return Ok([part("train")?, part("dev")?, part("test")?]);
    }
    let tenth = train.len() / 10;
    let mut part = |path: &Option<PathBuf>| match path {
        Some(path) => sentences(path, &args.drop_suffix),
        None => Ok(train.split_off(train.len() - tenth)),
    };
    let (test, dev) = (part(&args.test)?, part(&args.dev)?);
    Ok([train, dev, test])
}

/// The first column of a file, and the last without those endings.
fn sentences(path: &Path, endings: &[String]) -> Result<Vec<Tagged>, Box<dyn Error>> {
    let mut sentences = Vec::new();
    for sentence in read::columns(path)? {
        let sentence = sentence?;
        let [words, .., tags] = &sentence.columns[..] else {
            let (path, line) = (path.display(), sentence.line);
            return Err(format!("{path}, line {line}: a word without a tag").into());
        };
        let tags = tags.iter().map(|tag| without_endings(tag, endings));
        sentences.push((words.clone(), tags.collect()));
    }
    match sentences.is_empty() {
        true => Err(format!("{}: there is no sentence", path.display()).into()),
        false => Ok(sentences),
    }
}

fn without_endings(mut tag: &str, endings: &[String]) -> String {
    let shorter = |tag: &'_ str, ending: &String| match tag.strip_suffix(ending.as_str()) {
        Some(rest) if !rest.is_empty() && !ending.is_empty() => Some(rest.len()),
        _ => None,
    };
    while let Some(length) = endings.iter().find_map(|ending| shorter(tag, ending)) {
        tag = &tag[..length];
    }
    tag.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use clap::Parser;

    use super::*;

    /// A file in a folder of its own.
    fn file(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tags");
        std::fs::write(&path, text).unwrap();
        (folder, path.display().to_string())
    }

    fn parts(options: &[&str]) -> Result<[Vec<Tagged>; 3], String> {
        let args = Args::try_parse_from(std::iter::once(&"tagger").chain(options)).unwrap();
        read(&args).map_err(|error| error.to_string())
    }

    fn tagged(word: &str, tag: &str) -> Tagged {
        (vec![word.to_owned()], vec![tag.to_owned()])
    }

    #[test]
    fn the_tag_is_the_last_column_without_its_endings() {
        let (_folder, path) = file("fulton x np-tl-hl\n\n-- x -hl\n");
        let expected = [tagged("fulton", "np"), tagged("--", "-hl")];
        assert_eq!(parts(&["--train", &path]).unwrap()[0], expected);
    }

    #[test]
    fn a_file_of_its_own_or_a_tenth_or_a_split() {
        let text: String = (0..10).map(|n| format!("w{n}\tx\n\n")).collect();
        let (_folder, path) = file(&text);
        let (_other, dev) = file("a y\n");
        let [train, own, test] = parts(&["--train", &path, "--dev", &dev]).unwrap();
        assert_eq!(
            (train.len(), own, test),
            (9, vec![tagged("a", "y")], vec![tagged("w9", "x")])
        );

        let (_folder, split) = file("b\ttrain\t2\t3\na\tdev\t1\t1\nc\ttest\t10\t1\n");
        let [train, dev, test] = parts(&["--train", &path, "--split", &split]).unwrap();
        assert_eq!((train.len(), &train[0].0[0][..]), (3, "w1"));
        assert_eq!(
            (dev, test),
            (vec![tagged("w0", "x")], vec![tagged("w9", "x")])
        );
    }

    #[test]
    fn what_has_no_tags_is_refused_with_its_place() {
        let (_folder, path) = file("\nword\n");
        let message = parts(&["--train", &path]).unwrap_err();
        assert!(
            message.ends_with("tags, line 2: a word without a tag"),
            "{message}"
        );
        let (_folder, path) = file("\n");
        let message = parts(&["--train", &path]).unwrap_err();
        assert!(message.ends_with("tags: there is no sentence"), "{message}");
    }
}
