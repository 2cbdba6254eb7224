//! State dicts in safetensors files.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use lexigrad_macros::compiled;
use lexigrad_tensor::message::printable_name;
use lexigrad_tensor::{Element, Error, ErrorKind, Result, Shape, Tensor};
use safetensors::{Dtype, View};

use super::archive::{Archive, METADATA, StoredTensor};
use super::dict::Named;
use super::{StateDict, write_whole};

#[compiled]
impl<T: Element> StateDict<T> {
    /// Writes a safetensors file, [whole or not at all](write_whole).
    ///
    /// # Errors
    /// If a name stands twice or is `__metadata__`, a tensor was not read, or writing fails; then a file that was there is as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let fail = |reason: &dyn Display| file_error("save", path, reason);
        self.check_writable().map_err(|reason| fail(&reason))?;
        let tensors = self.iter().map(|(name, tensor)| (name, Stored(tensor)));
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone());
        let bytes = safetensors::serialize(tensors, metadata).map_err(|error| fail(&error))?;
        write_whole(path, |file| file.write_all(&bytes)).map_err(|error| fail(&error))
    }

    /// Whether a file can hold all of it.
    fn check_writable(&self) -> Result<(), String> {
        let mut seen = HashSet::from([METADATA]);
        for Named { name, value, .. } in &self.entries {
            let shown = printable_name(name);
            if let Err(reason) = value {
                return Err(format!(
                    "{shown} {reason}, so it was not read and cannot be written"
                ));
            }
            if !seen.insert(name) {
                return Err(format!(
                    "the name {shown} stands twice, or belongs to the format"
                ));
            }
        }
        Ok(())
    }

    /// Reads a safetensors file, converting the numbers to T: floats, integers and booleans, 8-bit floats too.
    ///
    /// What the file claims of itself is checked against its size before anything is made of it. A tensor that T cannot hold (of
    /// another type, or with a number beyond T) is left [unread](Self::unread): it is an error only where a model needs it.
    ///
    /// # Errors
    /// If the file cannot be read or breaks a rule of the format.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |reason: &dyn Display| file_error("load", path, reason);
        let bytes = read_bytes(path).map_err(|error| fail(&error))?;
        let archive = Archive::read(&bytes).map_err(|reason| fail(&reason))?;
        let entries = archive.tensors.into_iter().map(|stored| Named {
            value: read(&stored),
            stored: Some(stored.dtype),
            name: stored.name,
        });
        Ok(Self {
            entries: entries.collect(),
            metadata: archive.metadata.into_iter().collect(),
            file: Some(path.display().to_string()),
        })
    }
}

/// The bytes of a file or a pipe: a folder has none, and a device may have them without end.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::other("it is a folder; it must be a file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_char_device() || kind.is_block_device() {
            let reason = "it is a device, which may have no end; a file or a pipe is read";
            return Err(io::Error::other(reason));
        }
    }
    fs::read(path)
}

fn file_error(operation: &str, path: &Path, reason: &dyn Display) -> Error {
    let kind = ErrorKind::File {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    Error::new(operation, kind)
}

/// A tensor as safetensors writes it.
struct Stored<'a, T: Element>(&'a Tensor<T>);

impl<T: Element> View for Stored<'_, T> {
    fn dtype(&self) -> Dtype {
        if size_of::<T>() == 4 {
            Dtype::F32
        } else {
            Dtype::F64
        }
    }

    fn shape(&self) -> &[usize] {
        self.0.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.0.values();
        let wide = values.iter().map(|value| value.as_f64());
        match self.dtype() {
            Dtype::F32 => wide
                .flat_map(|value| (value as f32).to_le_bytes())
                .collect(),
            _ => wide.flat_map(f64::to_le_bytes).collect(),
        }
    }

    fn data_len(&self) -> usize {
        self.0.elements() * size_of::<T>()
    }
}

/// The tensor; else what it holds that T cannot.
fn read<T: Element>(stored: &StoredTensor<'_>) -> Result<Tensor<T>, String> {
    let values = match stored.dtype {
        Dtype::F32 => floats(stored, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F64 => floats(stored, f64::from_le_bytes),
        Dtype::F16 => floats(stored, |bytes| from_f16(u16::from_le_bytes(bytes))),
        Dtype::BF16 => floats(stored, |bytes| from_bf16(u16::from_le_bytes(bytes))),
        Dtype::F8_E5M2 => floats(stored, |[byte]| from_f16(u16::from(byte) << 8)),
        Dtype::F8_E4M3 => floats(stored, |[byte]| from_f8_e4m3(byte)),
        Dtype::BOOL => numbers(stored, u8::from_le_bytes, |byte| match byte {
            0 => Some(T::zero()),
            1 => Some(T::one()),
            _ => None,
        }),
        Dtype::U8 => integers(stored, |bytes| u8::from_le_bytes(bytes).into()),
        Dtype::I8 => integers(stored, |bytes| i8::from_le_bytes(bytes).into()),
        Dtype::U16 => integers(stored, |bytes| u16::from_le_bytes(bytes).into()),
        Dtype::I16 => integers(stored, |bytes| i16::from_le_bytes(bytes).into()),
        Dtype::U32 => integers(stored, |bytes| u32::from_le_bytes(bytes).into()),
        Dtype::I32 => integers(stored, |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::U64 => integers(stored, |bytes| u64::from_le_bytes(bytes).into()),
        Dtype::I64 => integers(stored, |bytes| i64::from_le_bytes(bytes).into()),
        other => return Err(format!("is stored as {other}, which is not read")),
    }?;
    Tensor::from_slice(&values, &stored.shape[..]).map_err(|error| error.to_string())
}

/// Floats, finite ones within the finite ones of T.
fn floats<T: Element, const N: usize>(
    stored: &StoredTensor<'_>,
    read: impl Fn([u8; N]) -> f64,
) -> Result<Vec<T>, String> {
    numbers(stored, read, |wide| {
        let value = T::from_f64(wide);
        (value.is_finite() || !wide.is_finite()).then_some(value)
    })
}

/// Integers that T holds exactly.
fn integers<T: Element, const N: usize>(
    stored: &StoredTensor<'_>,
    read: impl Fn([u8; N]) -> i128,
) -> Result<Vec<T>, String> {
    numbers(stored, read, |whole| {
        let value = T::from_f64(whole as f64);
        (value.as_f64() as i128 == whole).then_some(value)
    })
}

/// The numbers converted; else the first that cannot be.
fn numbers<T: Element, S: Copy + Debug, const N: usize>(
    stored: &StoredTensor<'_>,
    read: impl Fn([u8; N]) -> S,
    convert: impl Fn(S) -> Option<T>,
) -> Result<Vec<T>, String> {
    let (numbers, _) = stored.data.as_chunks::<N>();
    let mut values = Vec::with_capacity(numbers.len());
    for (place, bytes) in numbers.iter().enumerate() {
        let number = read(*bytes);
        let Some(value) = convert(number) else {
            let position = Shape::from(&stored.shape[..]).index_of(place);
            let (dtype, name) = (stored.dtype, T::NAME);
            return Err(format!(
                "holds {number:?} at {position}; {dtype} is read as {name}, which has no such number"
            ));
        };
        values.push(value);
    }
    Ok(values)
}

/// One sign bit, four of exponent, three of fraction; no infinity.
fn from_f8_e4m3(bits: u8) -> f64 {
    let sign = if bits >> 7 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 3 & 15), f64::from(bits & 7) / 8.0);
    sign * match (exponent, bits & 7) {
        (0, _) => fraction * 2.0_f64.powi(-6),
        (15, 7) => f64::NAN,
        _ => (1.0 + fraction) * 2.0_f64.powi(exponent - 7),
    }
}

/// The upper half of an `f32`.
fn from_bf16(bits: u16) -> f64 {
    f32::from_bits(u32::from(bits) << 16).into()
}

/// One sign bit, five of exponent, ten of fraction.
fn from_f16(bits: u16) -> f64 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2.0_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_read_exactly() {
        let halves = [
            0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x7c00, 0xfc00,
        ];
        let expected = [
            0.0,
            -0.0,
            1.0,
            -2.0,
            0.333_251_953_125,
            5.960_464_477_539_063e-8,
            65504.0,
        ];
        for (half, expected) in halves.iter().zip(expected) {
            assert_eq!(from_f16(*half).to_bits(), f64::to_bits(expected));
        }
        assert_eq!(
            (from_f16(halves[7]), from_f16(halves[8])),
            (f64::INFINITY, f64::NEG_INFINITY)
        );
        assert!(from_f16(0x7e00).is_nan());
        let eighths = [0x00, 0x01, 0x08, 0x38, 0xb8, 0x7e, 0xfe].map(from_f8_e4m3);
        assert_eq!(
            eighths,
            [
                0.0,
                2.0_f64.powi(-9),
                2.0_f64.powi(-6),
                1.0,
                -1.0,
                448.0,
                -448.0
            ]
        );
        assert!(from_f8_e4m3(0x7f).is_nan() && from_f8_e4m3(0xff).is_nan());
        assert_eq!(from_bf16(0x3fc0), 1.5);
        assert_eq!(from_bf16(0xc2f7), -123.5);
    }
}
