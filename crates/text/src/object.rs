//! JSON objects that are read as objects alone: serde takes a list of its values for a struct, too, which the formats here forbid.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

/// A struct that is read from values by name.
pub(crate) struct Object<V>(pub(crate) V);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Object<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for ByName<V> {
            type Value = V;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V, A::Error> {
                V::deserialize(MapAccessDeserializer::new(map))
            }
        }

        // Formats that a person does not read keep the values of a struct without their names.
        if !deserializer.is_human_readable() {
            return V::deserialize(deserializer).map(Self);
        }
        deserializer.deserialize_map(ByName(PhantomData)).map(Self)
    }
}

/// A struct from a JSON object.
pub(crate) fn from_json<V: DeserializeOwned>(json: &str) -> serde_json::Result<V> {
    serde_json::from_str(json).map(|Object(value)| value)
}

/// The line and the column, both from 1, at which `json` is at fault, and the fault; line 0 for one that stands nowhere.
pub(crate) fn place_of(json: &str, cause: &serde_json::Error) -> (usize, usize, String) {
    let (line, column) = match (cause.line(), cause.column()) {
        // serde counts a line end as column 0 of the line after it.
        (line, 0) if line > 1 => {
            let before = json.split('\n').nth(line - 2);
            (line - 1, before.map_or(0, str::len) + 1)
        }
        place => place,
    };
    let text = cause.to_string();
    let place = format!(" at line {} column {}", cause.line(), cause.column());
    let reason = text.strip_suffix(&place).unwrap_or(&text);
    (line, column, reason.to_owned())
}

/// For a field that holds a struct.
pub(crate) fn one<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<V, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// For a field that holds structs.
pub(crate) fn list<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<V>, D::Error> {
    let objects: Vec<Object<V>> = Vec::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}
