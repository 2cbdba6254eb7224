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
    let cut = |tag: &'_ str| {
        let ending = endings.iter().find(|ending| tag.ends_with(ending.as_str()));
        ending.map_or(tag.len(), |ending| tag.len() - ending.len())
    };
    while cut(tag) < tag.len() {
        tag = &tag[..cut(tag)];
    }
    tag.to_owned()
}
