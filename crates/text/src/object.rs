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
