//! Reading labelled texts.

use std::error::Error;
use std::path::Path;

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

/// A text and the number of its label.
pub struct Example {
    pub label: u32,
    pub text: String,
}

/// Texts to train on, to choose on and to test on.
pub struct Corpus {
    pub labels: Vec<String>,
    pub train: Vec<Example>,
    pub dev: Vec<Example>,
    pub test: Vec<Example>,
}

type Line = (String, String);

impl Corpus {
    /// The texts of three files.
    pub fn from_parts(train: &Path, dev: &Path, test: &Path) -> Result<Self, Box<dyn Error>> {
        Self::number([read(train)?, read(dev)?, read(test)?])
    }

    /// The texts of one file, shuffled and cut 80 : 10 : 10.
    pub fn split(path: &Path, seed: u64) -> Result<Self, Box<dyn Error>> {
        let mut lines = read(path)?;
        if lines.len() < 10 {
            let count = lines.len();
            return Err(
                format!("{}: {count} texts; at least 10 are needed", path.display()).into(),
            );
        }
        lines.shuffle(&mut StdRng::seed_from_u64(seed));
        let tenth = lines.len() / 10;
        let test = lines.split_off(lines.len() - tenth);
        let dev = lines.split_off(lines.len() - tenth);
        Self::number([lines, dev, test])
    }

    /// Numbers the labels of the training texts in alphabetical order.
    fn number([train, dev, test]: [Vec<Line>; 3]) -> Result<Self, Box<dyn Error>> {
        let mut labels: Vec<String> = train.iter().map(|(label, _)| label.clone()).collect();
        labels.sort_unstable();
        labels.dedup();
        if labels.len() < 2 {
            return Err(format!(
                "the only label to train on is {labels:?}; at least two are needed"
            )
            .into());
        }
        let number = |lines: Vec<Line>| -> Result<Vec<Example>, Box<dyn Error>> {
            lines
                .into_iter()
                .map(|line| example(&labels, line))
                .collect()
        };
        let (train, dev, test) = (number(train)?, number(dev)?, number(test)?);
        Ok(Self {
            labels,
            train,
            dev,
            test,
        })
    }

    /// The same texts with the labels numbered as in `labels`.
    pub fn relabel(self, labels: &[String]) -> Result<Self, Box<dyn Error>> {
        let lines = |examples: Vec<Example>| -> Result<Vec<Example>, Box<dyn Error>> {
            let line =
                |example: Example| (self.labels[example.label as usize].clone(), example.text);
            examples
                .into_iter()
                .map(|old| example(labels, line(old)))
                .collect()
        };
        Ok(Self {
            train: lines(self.train)?,
            dev: lines(self.dev)?,
            test: lines(self.test)?,
            labels: labels.to_vec(),
        })
    }
}

fn example(labels: &[String], (label, text): Line) -> Result<Example, Box<dyn Error>> {
    match labels.iter().position(|known| *known == label) {
        Some(number) => Ok(Example {
            label: number as u32,
            text,
        }),
        None => Err(format!("label {label:?} does not occur among the training texts").into()),
    }
}

/// The label and text of every line of a file; blank lines are passed over.
fn read(path: &Path) -> Result<Vec<Line>, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = parse(&bytes)
        .map_err(|(line, reason)| format!("{}: line {line}: {reason}", path.display()))?;
    if lines.is_empty() {
        return Err(format!("{}: no texts", path.display()).into());
    }
    Ok(lines)
}

/// The label and text of every line, or the number of the first bad line and what is wrong with it.
fn parse(bytes: &[u8]) -> Result<Vec<Line>, (usize, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut found = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let fail = |reason: &str| (index + 1, reason.to_owned());
        let line = std::str::from_utf8(line)
            .map_err(|_| fail("not UTF-8"))?
            .trim();
        if !line.is_empty() {
            found.push(parse_line(line).map_err(fail)?);
        }
    }
    Ok(found)
}

/// `label<TAB>text` with any columns between, or `__label__x text`.
fn parse_line(line: &str) -> Result<Line, &'static str> {
    let parts = match line.strip_prefix("__label__") {
        Some(rest) => rest
            .split_once(char::is_whitespace)
            .ok_or("a label without a text")?,
        None => {
            let (label, rest) = line
                .split_once('\t')
                .ok_or("no tab between a label and a text")?;
            (label, rest.rsplit('\t').next().unwrap_or(rest))
        }
    };
    let (label, text) = (parts.0.trim(), parts.1.trim());
    if label.is_empty() {
        return Err("an empty label");
    }
    if text.is_empty() {
        return Err("an empty text");
    }
    Ok((label.to_owned(), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read() {
        let text = "\u{feff}1\t0.5\tGood film.\r\n\n__label__bad Not good\nx\ty";
        let pair = |label: &str, text: &str| (label.to_owned(), text.to_owned());
        let expected = vec![
            pair("1", "Good film."),
            pair("bad", "Not good"),
            pair("x", "y"),
        ];
        assert_eq!(parse(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn a_bad_line_is_named() {
        let fault = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert_eq!(
            fault(b"1\tgood\nbad"),
            (2, "no tab between a label and a text".to_owned())
        );
        assert_eq!(
            fault(b"1\t \n"),
            (1, "no tab between a label and a text".to_owned())
        );
        assert_eq!(
            fault(b"__label__x\n"),
            (1, "a label without a text".to_owned())
        );
        assert_eq!(fault(b"1\ta\n1\t\xff"), (2, "not UTF-8".to_owned()));
    }
}
