//! Which lines of a file belong to which part.

use std::ops::Range;
use std::path::Path;

use lexigrad_tensor::message::{printable_name, quoted};

use super::tsv::tsv;
use crate::error::{Error, Place, Result};

/// A run of lines, or sentences, and the part that they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the run is: a document.
    pub name: String,
    /// Such as `train`, `dev` or `test`.
    pub part: String,
    /// The places of its lines, from 0.
    pub lines: Range<usize>,
}

/// A list of documents of another file: on each line a name, a part, the number of its first line (from 1) and how many lines it
/// has, with tabs between.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("split.tsv");
/// std::fs::write(&path, "ca01\ttrain\t1\t98\nca02\ttest\t99\t2\n")?;
/// let parts = lexigrad_text::read::parts(&path)?;
/// assert_eq!((&parts[1].part[..], parts[1].lines.clone()), ("test", 98..100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the file cannot be read, a line has not four fields, or its numbers are none, or the first is 0.
pub fn parts(path: impl AsRef<Path>) -> Result<Vec<Part>> {
    let path = path.as_ref();
    let mut parts = Vec::new();
    for row in tsv(path)?.with_columns(4) {
        let row = row?;
        let fault = |field: &str| {
            let reason = format!("{} is no line number or count", quoted(field));
            Error::format(path.display().to_string(), Place::Line(row.line), reason)
        };
        let number = |field: &String| field.trim().parse::<usize>().map_err(|_| fault(field));
        let [name, part, first, count] = &row.fields[..] else {
            continue;
        };
        let start = number(first)?.checked_sub(1).ok_or_else(|| fault(first))?;
        let end = start
            .checked_add(number(count)?)
            .ok_or_else(|| fault(count))?;
        parts.push(Part {
            name: name.clone(),
            part: part.clone(),
            lines: start..end,
        });
    }
    Ok(parts)
}

/// The items that belong to `part`, in the order of `parts`.
///
/// # Errors
/// If a part goes beyond the items.
pub fn items_of<'a, I>(items: &'a [I], parts: &[Part], part: &str) -> Result<Vec<&'a I>> {
    let mut found = Vec::new();
    for Part { name, lines, .. } in parts.iter().filter(|own| own.part == part) {
        let Some(items) = items.get(lines.clone()) else {
            let (name, end, count) = (printable_name(name), lines.end, items.len());
            let reason = format!("{name} ends at line {end}; there are {count}");
            return Err(Error::argument("parts", reason));
        };
        found.extend(items);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ends_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.tsv");
        for line in [
            "a\ttrain\t0\t5",
            "a\ttrain\tx\t5",
            "a\ttrain\t1\t-1",
            "a\ttrain\t1",
        ] {
            std::fs::write(&path, line).unwrap();
            let message = parts(&path).unwrap_err().to_string();
            assert!(message.contains("split.tsv, line 1: "), "{message}");
        }
        std::fs::write(&path, "a\ttrain\t2\t2\nb\tdev\t1\t1").unwrap();
        let parts = parts(&path).unwrap();
        assert_eq!(items_of(&[7, 8, 9], &parts, "train").unwrap(), [&8, &9]);
        let message = items_of(&[7, 8], &parts, "train").unwrap_err().to_string();
        assert_eq!(message, "parts: a ends at line 3; there are 2");
    }
}
