//! A label and a text on each line, in any of the forms that [`LabelledTexts`](super::LabelledTexts) reads.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::csv::Csv;
use super::fasttext::{FastText, PREFIX};
use super::json_lines::JsonLines;
use super::labelled::FieldNames;
use super::lines::Lines;
use crate::error::{Error, Place, Result};

/// A label and its text.
pub(super) type Found = (String, String);

/// Everything in `lines`, in the form of the first.
pub(super) fn read<R: BufRead>(mut lines: Lines<R>, names: &FieldNames) -> Result<Vec<Found>> {
    let name = lines.name().to_owned();
    let first = lines.peek()?.map_or("", |line| &line.text);
    if first.starts_with(PREFIX) {
        from_fasttext(FastText::new(lines), &name)
    } else if first.starts_with('{') {
        from_json(JsonLines::new(lines), &name, names)
    } else if first.contains(',') && !first.contains('\t') {
        from_csv(Csv::new(lines), &name, names)
    } else {
        from_columns(lines, &name)
    }
}

fn from_fasttext<R: BufRead>(texts: FastText<R>, name: &str) -> Result<Vec<Found>> {
    let found = texts.map(|text| {
        let text = text?;
        match &text.labels[..] {
            [label] => complete(label, &text.text),
            _ => Err("it has more than one label".to_owned()),
        }
        .map_err(|reason| Error::format(name, Place::Line(text.line), reason))
    });
    found.collect()
}

fn from_json<R: BufRead>(
    objects: JsonLines<R, Map<String, Value>>,
    name: &str,
    names: &FieldNames,
) -> Result<Vec<Found>> {
    let found = objects.map(|object| {
        let (line, object) = object?;
        let field = |name: &str| match object.get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(value)) => Ok(value.to_string()),
            _ => Err(format!(
                "the field {name:?} is missing, or no text or number"
            )),
        };
        field(&names.label)
            .and_then(|label| complete(&label, &field(&names.text)?))
            .map_err(|reason| Error::format(name, Place::Line(line), reason))
    });
    found.collect()
}

fn from_csv<R: BufRead>(rows: Csv<R>, name: &str, names: &FieldNames) -> Result<Vec<Found>> {
    let (mut label, mut text) = (0, 1);
    let mut found = Vec::new();
    for (index, row) in rows.enumerate() {
        let row = row?;
        let fault = |reason| Error::format(name, Place::Line(row.line), reason);
        if index == 0 {
            let place = |name: &str| {
                let is_name = |field: &String| field.trim().to_lowercase() == name.to_lowercase();
                row.fields.iter().position(is_name)
            };
            if let (Some(labels), Some(texts)) = (place(&names.label), place(&names.text)) {
                (label, text) = (labels, texts);
                continue;
            }
            if *names != FieldNames::default() {
                let FieldNames { label, text } = names;
                return Err(fault(format!(
                    "the names {label:?} and {text:?} are not in it"
                )));
            }
        }
        let field = |place: usize| row.fields.get(place).map_or("", String::as_str);
        found.push(complete(field(label), field(text)).map_err(fault)?);
    }
    Ok(found)
}

fn from_columns<R: BufRead>(lines: Lines<R>, name: &str) -> Result<Vec<Found>> {
    let found = lines.map(|line| {
        let line = line?;
        match line.text.split('\t').collect::<Vec<_>>()[..] {
            [label, text] => complete(label, text),
            [label, score, text] if is_number(score) => complete(label, text),
            [_, other, _] => Err(format!(
                "{other:?}, the second of three columns, is no number"
            )),
            [_] => Err("there is no tab between a label and a text".to_owned()),
            ref columns => Err(format!(
                "it has {} columns; label, text or label, number, text are read",
                columns.len()
            )),
        }
        .map_err(|reason| Error::format(name, Place::Line(line.number), reason))
    });
    found.collect()
}

fn complete(label: &str, text: &str) -> Result<Found, String> {
    match (label.trim(), text.trim()) {
        ("", _) => Err("the label is empty".to_owned()),
        (_, "") => Err("the text is empty".to_owned()),
        (label, text) => Ok((label.to_owned(), text.to_owned())),
    }
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}
