//! Fields with commas between, quoted where needed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::lines::{LineOptions, Lines};
use super::tsv::Row;
use crate::error::Result;

/// The rows of a file of comma-separated values (RFC 4180), its header with them; blank lines between rows are left out.
///
/// # Errors
/// If the file cannot be opened; items as for [`Csv`].
pub fn csv(path: impl AsRef<Path>) -> Result<Csv<BufReader<File>>> {
    let options = LineOptions {
        skip_blank: false,
        ..LineOptions::default()
    };
    Ok(Csv::new(Lines::open(path, options)?))
}

/// Rows of fields with commas between; a field in double quotes may hold commas, line ends (read as `\n`) and doubled quotes.
///
/// An item is an error if a row has not as many fields as the first, or a quoted field does not end.
///
/// ```
/// use lexigrad_text::read::{Csv, LineOptions, Lines};
/// let bytes = b"label,text\n1,\"fine,\n\"\"really\"\"\"\n";
/// let lines = Lines::new(&bytes[..], "reviews", LineOptions { skip_blank: false, ..Default::default() });
/// let rows: Vec<_> = Csv::new(lines).collect::<Result<_, _>>()?;
/// assert_eq!(rows[1].fields, ["1", "fine,\n\"really\""]);
/// assert_eq!(rows[1].line, 2);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
#[derive(Debug)]
pub struct Csv<R> {
    lines: Lines<R>,
    columns: Option<usize>,
    is_over: bool,
}

impl<R: BufRead> Csv<R> {
    /// The rows of `lines`, which must not leave out blank ones: they may stand inside quotes.
    pub fn new(lines: Lines<R>) -> Self {
        Self {
            lines,
            columns: None,
            is_over: false,
        }
    }

    /// The text of the next row: lines up to the first at which no quote is open.
    fn record(&mut self) -> Result<Option<(usize, String)>> {
        let first = loop {
            match self.lines.next().transpose()? {
                None => return Ok(None),
                Some(line) if line.text.trim().is_empty() => {}
                Some(line) => break line,
            }
        };
        let (number, mut text) = (first.number, first.text);
        // Quotes come in pairs, the doubled ones too.
        let mut quotes = text.matches('"').count();
        while quotes % 2 == 1 {
            let Some(line) = self.lines.next().transpose()? else {
                return Err(self.lines.fault(number, "a quoted field does not end"));
            };
            if text.len() + line.text.len() > self.lines.longest() {
                let reason = format!("the row is longer than {} bytes", self.lines.longest());
                return Err(self.lines.fault(number, reason));
            }
            quotes += line.text.matches('"').count();
            text.push('\n');
            text.push_str(&line.text);
        }
        Ok(Some((number, text)))
    }

    fn read(&mut self) -> Result<Option<Row>> {
        let Some((line, text)) = self.record()? else {
            return Ok(None);
        };
        let mut options = csv::ReaderBuilder::new();
        let mut reader = options.has_headers(false).from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let more = reader.read_record(&mut record);
        more.map_err(|error| self.lines.fault(line, error.to_string()))?;
        let fields: Vec<String> = record.iter().map(str::to_owned).collect();
        let (count, columns) = (fields.len(), *self.columns.get_or_insert(fields.len()));
        if count != columns {
            let reason = format!("it has {count} fields; {columns} are expected");
            return Err(self.lines.fault(line, reason));
        }
        Ok(Some(Row { line, fields }))
    }
}

impl<R: BufRead> Iterator for Csv<R> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.read().transpose();
        self.is_over = !matches!(row, Some(Ok(_)));
        row
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<Row>> {
        let options = LineOptions {
            skip_blank: false,
            ..LineOptions::default()
        };
        Csv::new(Lines::new(bytes, "x", options)).collect()
    }

    #[test]
    fn rows_that_do_not_fit_are_refused_by_line() {
        let rows = read(b"a,\"b\r\n\"\r\n\r\nc\r\nd,e");
        assert_eq!(rows.len(), 2);
        let message = rows[1].as_ref().unwrap_err().to_string();
        assert_eq!(message, "x, line 4: it has 1 fields; 2 are expected");
        let rows = read(b"\xef\xbb\xbfa,b\nc,\xff\n");
        assert_eq!(rows[0].as_ref().unwrap().fields, ["a", "b"]);
        let message = rows[1].as_ref().unwrap_err().to_string();
        assert_eq!(message, "x, line 2: byte 3 is not UTF-8");
        let message = read(b"a,b\nc,\"d\n\n").remove(1).unwrap_err().to_string();
        assert_eq!(message, "x, line 2: a quoted field does not end");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec("[^\u{feff}\r]{0,8}", 3), 0..5)) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
            let file: String = rows.iter().map(|row| line(row) + "\r\n").collect();
            let found: Vec<Vec<String>> = read(file.as_bytes()).into_iter().map(|row| row.unwrap().fields).collect();
            prop_assert_eq!(found, rows);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            read(&bytes);
        }
    }
}
