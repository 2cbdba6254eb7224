//! Fields with commas between, quoted where needed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::lines::{Lines, lines};
use super::tsv::Row;
use crate::error::Result;

/// The rows of a file of comma-separated values (RFC 4180), its header with them; blank lines between rows are left out.
///
/// # Errors
/// If the file cannot be opened; items as for [`Csv`].
pub fn csv(path: impl AsRef<Path>) -> Result<Csv<BufReader<File>>> {
    Ok(Csv::new(lines(path)?))
}

/// Where in a row a piece of it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    FieldStart,
    Field,
    Quoted,
    /// After a quote in a quoted field: its end, or the first of two.
    Quote,
    /// After something that follows the end of a quoted field: no format allows it.
    Beyond,
}

impl At {
    fn after(self, text: &str) -> Self {
        text.bytes().fold(self, Self::after_byte)
    }

    fn after_byte(self, byte: u8) -> Self {
        match (self, byte) {
            (At::Quoted, b'"') => At::Quote,
            (At::Quoted, _) | (At::FieldStart | At::Quote, b'"') => At::Quoted,
            (At::Beyond, _) => At::Beyond,
            (_, b',') => At::FieldStart,
            (At::Quote, _) => At::Beyond,
            _ => At::Field,
        }
    }
}

/// Whether a first line has commas between its fields rather than tabs; what stands in quotes after a comma is text.
pub(super) fn has_commas(line: &str) -> bool {
    if !line.contains('\t') {
        return line.contains(',');
    }
    let (mut at, mut commas) = (At::FieldStart, false);
    for byte in line.bytes() {
        if byte == b'\t' && at != At::Quoted {
            return false;
        }
        at = at.after_byte(byte);
        commas |= at == At::FieldStart;
    }
    commas
}

/// Rows of fields with commas between; a field in double quotes may hold commas, line ends (read as `\n`) and doubled quotes.
/// A quote inside a field that does not begin with one is a character like others; RFC 4180 allows none there.
///
/// An item is an error if a row has not as many fields as the first, or a quoted field does not end or goes on after its end.
///
/// ```
/// use lexigrad_text::read::{Csv, LineOptions, Lines};
/// let bytes = b"label,text\n1,\"fine,\n\"\"really\"\"\"\n";
/// let lines = Lines::new(&bytes[..], "reviews", LineOptions::default());
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
    /// The rows of `lines`. Blank lines inside quotes belong to the field, whatever the lines' options say.
    pub fn new(lines: Lines<R>) -> Self {
        Self {
            lines: lines.with_blank(),
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
        let number = first.number;
        // The `csv` crate takes a byte order mark off all that it reads: this one, and none of the text's own.
        let mut text = format!("\u{feff}{}", first.text);
        let mut length = first.text.len();
        let mut at = At::FieldStart.after(&first.text);
        while at == At::Quoted {
            let Some(line) = self.lines.next().transpose()? else {
                return Err(self.lines.fault(number, "a quoted field does not end"));
            };
            length = length.saturating_add(1 + line.text.len());
            if length > self.lines.longest() {
                let reason = format!("the row is longer than {} bytes", self.lines.longest());
                return Err(self.lines.fault(number, reason));
            }
            at = at.after(&line.text);
            text.push('\n');
            text.push_str(&line.text);
        }
        if at == At::Beyond {
            let rule =
                "a comma or the end of the row follows its quote, and quotes inside are doubled";
            return Err(self.lines.fault(
                number,
                format!("a quoted field goes on after its end; {rule}"),
            ));
        }
        Ok(Some((number, text)))
    }

    fn read(&mut self) -> Result<Option<Row>> {
        let Some((line, text)) = self.record()? else {
            return Ok(None);
        };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .terminator(csv::Terminator::Any(b'\n'))
            .buffer_capacity(text.len())
            .from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let more = reader.read_record(&mut record);
        more.map_err(|error| self.lines.fault(line, error.to_string()))?;
        let fields: Vec<String> = record.iter().map(str::to_owned).collect();
        let (count, columns) = (fields.len(), *self.columns.get_or_insert(fields.len()));
        if count != columns {
            return Err(self.lines.wrong_count(line, count, columns));
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
    use crate::read::LineOptions;

    fn read(bytes: &[u8]) -> Vec<Result<Row>> {
        Csv::new(Lines::new(bytes, "x", LineOptions::default())).collect()
    }

    #[test]
    fn rows_that_do_not_fit_are_refused_by_line() {
        let rows = read(b"a,\"b\r\n\"\r\n\r\nc\r\nd,e");
        assert_eq!(rows.len(), 2);
        let message = rows[1].as_ref().unwrap_err().to_string();
        assert_eq!(message, "x, line 4: it has 1 field; 2 are expected");
        let rows = read(b"\xef\xbb\xbfa,b\nc,\xff\n");
        assert_eq!(rows[0].as_ref().unwrap().fields, ["a", "b"]);
        let message = rows[1].as_ref().unwrap_err().to_string();
        assert_eq!(message, "x, line 2: byte 3, 0xff, is not UTF-8");
        let message = read(b"a,b\nc,\"d\n\n").remove(1).unwrap_err().to_string();
        assert_eq!(message, "x, line 2: a quoted field does not end");
    }

    #[test]
    fn a_quote_inside_a_field_opens_nothing() {
        let rows = read(b"5\" disk,a\n6\" disk,\"b\"\n");
        assert_eq!(rows[0].as_ref().unwrap().fields, ["5\" disk", "a"]);
        assert_eq!(rows[1].as_ref().unwrap().fields, ["6\" disk", "b"]);
    }

    #[test]
    fn no_character_of_a_field_is_lost() {
        let rows = read("a\rb,c\n\u{feff}d,e\n".as_bytes());
        assert_eq!(rows[0].as_ref().unwrap().fields, ["a\rb", "c"]);
        assert_eq!(rows[1].as_ref().unwrap().fields, ["\u{feff}d", "e"]);
    }

    #[test]
    fn a_row_over_several_lines_has_the_limit_of_a_line() {
        let options = LineOptions {
            longest: 8,
            skip_blank: true,
        };
        let mut rows = Csv::new(Lines::new(&b"a\n\"bcdef\n\nghi\"\n"[..], "x", options));
        assert!(rows.next().unwrap().is_ok());
        let message = rows.next().unwrap().unwrap_err().to_string();
        assert_eq!(message, "x, line 2: the row is longer than 8 bytes");
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_csv_crate(text in "[\",\nab]{0,30}") {
            let found = read(text.as_bytes());
            let mut builder = csv::ReaderBuilder::new();
            let mut reader = builder.has_headers(false).flexible(true).from_reader(text.as_bytes());
            let wanted: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
            for (row, wanted) in found.iter().zip(&wanted) {
                if let Ok(row) = row {
                    prop_assert!(wanted.iter().eq(&row.fields), "{:?}, not {:?}", row, wanted);
                }
            }
            prop_assert!(found.len() == wanted.len() || found.last().is_some_and(Result::is_err));
        }

        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec("[^\r\0]{0,8}", 3), 0..5)) {
            let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",");
            let file: String = rows.iter().map(|row| line(row) + "\r\n").collect();
            let found: Vec<Vec<String>> = read(file.as_bytes()).into_iter().map(|row| row.unwrap().fields).collect();
            prop_assert_eq!(found, rows);
        }

        #[test]
        fn no_bytes_panic_and_an_error_is_the_last(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(read(&bytes).iter().rev().skip(1).all(Result::is_ok));
        }
    }
}
