//! Safetensors files as they are stored, held to the rules of the format.

use std::collections::HashSet;
use std::fmt;

use lexigrad_tensor::message::printable_name;
use safetensors::Dtype;
use serde::de::{
    Deserialize, Deserializer, Error as _, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};

/// The bytes before the header, which say how long it is.
const LENGTH: usize = 8;
/// The longest header that the format allows.
const LONGEST_HEADER: u64 = 100_000_000;
/// How many characters are told of what the JSON parser says.
const LONGEST_MESSAGE: usize = 300;
/// The key that is no tensor's name.
pub(super) const METADATA: &str = "__metadata__";

/// The tensors of a safetensors file as they are stored, each with its own type of numbers.
///
/// The `safetensors` crate takes files that the format forbids: with a name twice, where the last wins, or with a header that does
/// not begin with `{`. These are refused here.
///
/// ```
/// use lexigrad_nn::Archive;
/// let header = br#"{"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#;
/// let file = [&(header.len() as u64).to_le_bytes()[..], header, &[1, 0]].concat();
/// let archive = Archive::read(&file)?;
/// assert_eq!(archive.get("mask").map(|mask| (mask.dtype.to_string(), mask.data)), Some(("BOOL".into(), &[1, 0][..])));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct Archive<'a> {
    /// What the file says of itself.
    pub metadata: Vec<(String, String)>,
    /// The tensors, in the order of the header.
    pub tensors: Vec<StoredTensor<'a>>,
}

/// A tensor of an [`Archive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor<'a> {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// The sizes of its axes.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order, little-endian.
    pub data: &'a [u8],
}

impl<'a> Archive<'a> {
    /// Reads the bytes of a file; what it claims of itself is checked against its size before anything is made of it.
    ///
    /// # Errors
    /// The byte or the tensor that breaks a rule of the format, and the rule.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let (header, data) = split(bytes)?;
        let header = parse(header)?;
        check_coverage(&header.tensors, data.len())?;
        let tensors = header.tensors.into_iter().map(|(name, info)| StoredTensor {
            name,
            dtype: info.dtype,
            shape: info.shape,
            data: &data[info.offsets[0]..info.offsets[1]],
        });
        Ok(Self {
            tensors: tensors.collect(),
            metadata: header.metadata,
        })
    }

    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&StoredTensor<'a>> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// What the file says of itself under this key.
    pub fn note(&self, key: &str) -> Option<&str> {
        let found = self.metadata.iter().find(|(own, _)| own == key);
        found.map(|(_, note)| note.as_str())
    }
}

/// The header without its padding, and the bytes after it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else {
        let found = bytes.len();
        return Err(format!(
            "{found} bytes; a safetensors file begins with the {LENGTH} of its header's length"
        ));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER {
        return Err(format!(
            "byte 0: a header of {length} bytes; at most {LONGEST_HEADER} are allowed"
        ));
    }
    let Some((header, data)) = rest.split_at_checked(length as usize) else {
        let found = rest.len();
        return Err(format!(
            "byte 0: a header of {length} bytes; {found} follow"
        ));
    };
    let header = std::str::from_utf8(header).map_err(|error| {
        format!(
            "byte {}: the header is not UTF-8",
            LENGTH + error.valid_up_to()
        )
    })?;
    if !header.starts_with('{') {
        return Err(format!("byte {LENGTH}: the header must begin with {{"));
    }
    let text = header.trim_end_matches(' ');
    if !text.ends_with('}') {
        let byte = LENGTH + text.len() - 1;
        return Err(format!(
            "byte {byte}: the header must end with }}, with spaces alone after it"
        ));
    }
    Ok((text, data))
}

/// What the header says.
struct Header {
    metadata: Vec<(String, String)>,
    tensors: Vec<(String, Info)>,
}

/// What the header says of a tensor.
struct Info {
    dtype: Dtype,
    shape: Vec<usize>,
    offsets: [usize; 2],
}

fn parse(header: &str) -> Result<Header, String> {
    serde_json::from_str(header).map_err(|error| {
        let before = header
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1));
        let line = before.map(str::len).sum::<usize>();
        // A line end is column 0 of the line after it.
        let byte = LENGTH + (line + error.column()).saturating_sub(1);
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&place).unwrap_or(&message);
        // The parser quotes a text that stands in the place of a number, however long it is.
        let message: String = message.chars().take(LONGEST_MESSAGE).collect();
        format!("byte {byte}: {message}")
    })
}

/// The next key of a map; an error if it came before.
fn next_key<'de, A: MapAccess<'de>>(
    map: &mut A,
    seen: &mut HashSet<String>,
) -> Result<Option<String>, A::Error> {
    let Some(key) = map.next_key::<String>()? else {
        return Ok(None);
    };
    if seen.insert(key.clone()) {
        return Ok(Some(key));
    }
    let key = printable_name(&key);
    Err(A::Error::custom(format!("the key {key} stands twice")))
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;

        impl<'de> Visitor<'de> for Tensors {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header of tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut metadata, mut tensors) = (Vec::new(), Vec::new());
                let mut seen = HashSet::new();
                while let Some(name) = next_key(&mut map, &mut seen)? {
                    let of_name =
                        |error| A::Error::custom(format!("{}: {error}", printable_name(&name)));
                    if name == METADATA {
                        metadata = map.next_value::<Notes>().map_err(of_name)?.0;
                    } else {
                        let info = map.next_value().map_err(of_name)?;
                        tensors.push((name, info));
                    }
                }
                Ok(Header { metadata, tensors })
            }
        }

        deserializer.deserialize_map(Tensors)
    }
}

/// Texts by key.
struct Notes(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Notes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("texts by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Notes, A::Error> {
                let (mut notes, mut seen) = (Vec::new(), HashSet::new());
                while let Some(key) = next_key(&mut map, &mut seen)? {
                    notes.push((key, map.next_value()?));
                }
                Ok(Notes(notes))
            }
        }

        deserializer.deserialize_map(Texts)
    }
}

impl<'de> Deserialize<'de> for Info {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Info;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of dtype, shape and data_offsets")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Info, A::Error> {
                let (mut dtype, mut shape, mut offsets) = (None, None, None);
                let mut seen = HashSet::new();
                while let Some(key) = next_key(&mut map, &mut seen)? {
                    match key.as_str() {
                        "dtype" => dtype = Some(named_type(&map.next_value::<String>()?)?),
                        "shape" => shape = Some(map.next_value()?),
                        "data_offsets" => offsets = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                let missing = |key: &str| A::Error::custom(format!("{key} is missing"));
                Ok(Info {
                    dtype: dtype.ok_or_else(|| missing("dtype"))?,
                    shape: shape.ok_or_else(|| missing("shape"))?,
                    offsets: offsets.ok_or_else(|| missing("data_offsets"))?,
                })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

fn named_type<E: serde::de::Error>(name: &str) -> Result<Dtype, E> {
    let found: Result<Dtype, E> = Dtype::deserialize(name.into_deserializer());
    found.map_err(|_| E::custom(format!("the format has no type {}", printable_name(name))))
}

/// Checks that the tensors lie one after another from the first byte of the data to the last, each as long as it says.
fn check_coverage(tensors: &[(String, Info)], data: usize) -> Result<(), String> {
    let mut in_order: Vec<&(String, Info)> = tensors.iter().collect();
    in_order.sort_by_key(|(_, info)| info.offsets);
    let mut covered = 0;
    for (name, info) in in_order {
        let name = printable_name(name);
        let (shape, dtype, [begin, end]) = (&info.shape, info.dtype, info.offsets);
        if begin == covered && end > data {
            return Err(format!(
                "{name}: data_offsets [{begin}, {end}]; the file holds {data} bytes of data, so it is cut short or damaged"
            ));
        }
        if begin != covered || end < begin {
            return Err(format!(
                "{name}: data_offsets [{begin}, {end}]; the tensors must cover the {data} bytes of data without holes and overlaps, and this one begin at {covered}"
            ));
        }
        let elements = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size));
        let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize()));
        if bits.is_none_or(|bits| bits % 8 != 0 || bits / 8 != end - begin) {
            let takes = bits.map_or("more bits than can be counted".to_owned(), |bits| {
                format!("{bits} bits")
            });
            return Err(format!(
                "{name}: shape {shape:?} of {dtype} takes {takes}; its data_offsets [{begin}, {end}] hold {} bytes",
                end - begin
            ));
        }
        covered = end;
    }
    if covered != data {
        return Err(format!(
            "the tensors cover {covered} bytes of data; the file has {data}"
        ));
    }
    Ok(())
}
