//! State dicts in safetensors files.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use lexigrad_tensor::{Element, Error, ErrorKind, Result, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};

use super::{StateDict, write_whole};

impl<T: Element> StateDict<T> {
    /// Writes a safetensors file, [whole or not at all](write_whole).
    ///
    /// # Errors
    /// If writing fails; then a file that was there is as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let fail = |reason: &dyn std::fmt::Display| file_error("save", path, reason);
        let tensors = self.iter().map(|(name, tensor)| (name, Stored(tensor)));
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone());
        let bytes = safetensors::serialize(tensors, metadata).map_err(|error| fail(&error))?;
        write_whole(path, |file| file.write_all(&bytes)).map_err(|error| fail(&error))
    }

    /// Reads a safetensors file of `F32`, `F64`, `F16`, `BF16` or `I64` numbers, converting them to T.
    ///
    /// What the file claims of itself is checked against its size before anything is made of it.
    ///
    /// # Errors
    /// If the file cannot be read, is no safetensors file, lies about its sizes, is cut short, or holds another type of numbers.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |reason: &dyn std::fmt::Display| file_error("load", path, reason);
        let bytes = std::fs::read(path).map_err(|error| fail(&error))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fail(&error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| fail(&error))?;
        let mut tensors = Vec::new();
        for (name, view) in file.tensors() {
            let tensor = read(&view).ok_or_else(|| {
                let message = format!(
                    "tensor {name} holds {:?}; F32, F64, F16, BF16 and I64 are read",
                    view.dtype()
                );
                fail(&message)
            })?;
            tensors.push((name, tensor));
        }
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self { tensors, metadata })
    }
}

fn file_error(operation: &str, path: &Path, reason: &dyn std::fmt::Display) -> Error {
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

/// The tensor of a view; `None` if its type of numbers is not read.
fn read<T: Element>(view: &TensorView<'_>) -> Option<Tensor<T>> {
    let data = view.data();
    let values: Vec<T> = match view.dtype() {
        Dtype::F32 => numbers(data, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F64 => numbers(data, f64::from_le_bytes),
        Dtype::F16 => numbers(data, |bytes| from_f16(u16::from_le_bytes(bytes))),
        Dtype::BF16 => numbers(data, |bytes| from_bf16(u16::from_le_bytes(bytes))),
        Dtype::I64 => numbers(data, |bytes| i64::from_le_bytes(bytes) as f64),
        _ => return None,
    };
    Tensor::from_slice(&values, view.shape()).ok()
}

fn numbers<T: Element, const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<T> {
    let (numbers, _) = data.as_chunks::<N>();
    numbers
        .iter()
        .map(|bytes| T::from_f64(read(*bytes)))
        .collect()
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
        assert_eq!(from_bf16(0x3fc0), 1.5);
        assert_eq!(from_bf16(0xc2f7), -123.5);
    }
}
