//! A label and a text on each line, in any of the forms that [`LabelledTexts`](super::LabelledTexts) reads.

use std::fmt;
use std::io::BufRead;

use lexigrad_tensor::message::quoted;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::csv::{Csv, has_commas};
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
    let (number, first) = lines
        .peek()?
        .map_or((1, ""), |line| (line.number, &line.text));
    if first.trim() == "[" || first.trim_start().starts_with("[{") {
        let reason = "it begins a JSON array; JSON lines are read, an object on each";
        return Err(Error::format(name, Place::Line(number), reason));
    }
    if first.starts_with(PREFIX) {
        from_fasttext(FastText::new(lines), &name)
    } else if first.trim_start().starts_with('{') {
        from_json(JsonLines::new(lines), &name, names)
    } else if has_commas(first) {
        from_csv(Csv::new(lines), &name, names)
    } else {
        from_columns(lines, &name, names)
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
    objects: JsonLines<R, Object>,
    name: &str,
    names: &FieldNames,
) -> Result<Vec<Found>> {
    let found = objects.map(|object| {
        let (line, object) = object?;
        let field = |name: &str| object.text_of(name);
        field(&names.label)
            .and_then(|label| complete(&label, &field(&names.text)?))
            .map_err(|reason| Error::format(name, Place::Line(line), reason))
    });
    found.collect()
}

/// The fields of a JSON object in their order; a name may stand there twice.
struct Object(Vec<(String, Value)>);

impl Object {
    /// The text, number or truth value of a field.
    fn text_of(&self, name: &str) -> Result<String, String> {
        let mut fields = self.0.iter().filter(|(own, _)| own == name);
        let (field, name) = (fields.next(), quoted(name));
        if fields.next().is_some() {
            return Err(format!("the field {name} stands there twice"));
        }
        match field {
            Some((_, Value::String(text))) => Ok(text.clone()),
            Some((_, Value::Number(number))) if is_exact(number) => Ok(number.to_string()),
            Some((_, Value::Number(number))) => {
                let rule = "a number beyond 2^53 must be in quotes, since it is rounded without";
                Err(format!("the field {name} is {number}; {rule}"))
            }
            Some((_, Value::Bool(value))) => Ok(value.to_string()),
            _ => Err(format!("the field {name} is missing, or no text or number")),
        }
    }
}

/// Whether a number is the one that was written, if that was whole.
fn is_exact(number: &serde_json::Number) -> bool {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    !number.is_f64() || number.as_f64().is_some_and(|value| value.abs() < WHOLE)
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

fn from_csv<R: BufRead>(rows: Csv<R>, name: &str, names: &FieldNames) -> Result<Vec<Found>> {
    let mut places = None;
    let mut found = Vec::new();
    for row in rows {
        let row = row?;
        let fault = |reason| Error::format(name, Place::Line(row.line), reason);
        let (label, text) = match places {
            Some(places) => places,
            None => match places_of(&row.fields, names).map_err(fault)? {
                Some(named) => {
                    places = Some(named);
                    continue;
                }
                None => *places.insert((0, 1)),
            },
        };
        let field = |place: usize| row.fields.get(place).map_or("", String::as_str);
        found.push(complete(field(label), field(text)).map_err(fault)?);
    }
    Ok(found)
}

/// The places of the label and the text, if the first row has their names.
fn places_of(first: &[String], names: &FieldNames) -> Result<Option<(usize, usize)>, String> {
    let place = |name: &str| {
        let is_name = |field: &String| field.trim().to_lowercase() == name.to_lowercase();
        let mut places = (0..first.len()).filter(|&place| is_name(&first[place]));
        match (places.next(), places.next()) {
            (Some(_), Some(_)) => Err(format!("the name {} stands there twice", quoted(name))),
            (place, _) => Ok(place),
        }
    };
    let (label, text) = (quoted(&names.label), quoted(&names.text));
    match (place(&names.label)?, place(&names.text)?) {
        (Some(labels), Some(texts)) => Ok(Some((labels, texts))),
        _ if *names != FieldNames::default() => {
            Err(format!("the names {label} and {text} are not in it"))
        }
        (None, None) if first.len() == 2 => Ok(None),
        (None, None) => {
            let count = first.len();
            let rule = "the first row must have the names of the columns";
            Err(format!(
                "it has {count} columns; label, text are read; for more columns {rule} {label} and {text}"
            ))
        }
        (Some(_), None) => Err(format!("the name {label} stands there and {text} does not")),
        (None, Some(_)) => Err(format!("the name {text} stands there and {label} does not")),
    }
}

fn from_columns<R: BufRead>(lines: Lines<R>, name: &str, names: &FieldNames) -> Result<Vec<Found>> {
    let found = lines.enumerate().map(|(index, line)| {
        let line = line?;
        let is_name = |field: &str| field.trim().to_lowercase() == names.label.to_lowercase();
        if index == 0 && line.text.split('\t').any(is_name) {
            let rule = "with tabs between there is no row of names, but label, text on each line";
            let reason = format!("it has the name {}; {rule}", quoted(&names.label));
            return Err(Error::format(name, Place::Line(line.number), reason));
        }
        match line.text.split('\t').collect::<Vec<_>>()[..] {
            [label, text] => complete(label, text),
            [label, score, text] if is_number(score) => complete(label, text),
            [_, other, _] => {
                let other = quoted(other);
                Err(format!(
                    "{other}, the second of three columns, is no number"
                ))
            }
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
