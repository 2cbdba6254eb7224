//! A table of vectors in a file that is mapped into memory.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use lexigrad_tensor::{Ids, Tensor};
use memmap2::Mmap;

use super::WordVectors;
use super::source::{Source, append_numbers, not_finite};
use super::write::write_numbers;
use crate::error::{Error, Result};
use crate::file;
use crate::save::write_whole;

/// With which the file starts; the last byte is the version of the format.
const MAGIC: [u8; 8] = *b"lxgrows\x01";
/// The header: magic, rows, dim, checksum, each of 8 bytes, and zeros up to here, so that rows are aligned.
const HEADER: usize = 64;

/// A table `[V, D]` of `f32` in a file, of which the system reads the rows that are looked at.
///
/// Opening it costs nothing, and a table larger than memory can be used. The file starts with 64 bytes: `lxgrows`, the version 1,
/// then V, D and a checksum of the numbers as little-endian `u64`, zeros; the rows follow. Clones share it.
///
/// The file must not be changed while it is open. One thing cannot be caught: another program that cuts it short ends this one, at
/// the next look at a row that is gone (`SIGBUS`). Files that this crate writes are never changed, only replaced.
///
/// ```
/// use lexigrad_tensor::Ids;
/// use lexigrad_text::vectors::MappedTable;
/// let folder = tempfile::tempdir()?;
/// let rows = (0..1000).map(|row| [row as f32, 0.5]);
/// let table = MappedTable::create(folder.path().join("table"), 2, rows)?;
/// assert_eq!((table.len(), table.dim()), (1000, 2));
/// assert_eq!(table.rows(&Ids::new([7, 999])?)?.to_vec(), [7.0, 0.5, 999.0, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MappedTable {
    file: Arc<Mmap>,
    /// The path of the file.
    name: Arc<str>,
    len: usize,
    dim: usize,
    checksum: u64,
}

impl MappedTable {
    /// Writes rows of `dim` numbers one after another, as they come, and opens them.
    ///
    /// The file is written beside `path` and then takes its name.
    ///
    /// # Errors
    /// If a row has not `dim` finite numbers, `dim` is 0, or writing fails; then a file that was there is as it was.
    pub fn create<R: AsRef<[f32]>>(
        path: impl AsRef<Path>,
        dim: usize,
        rows: impl IntoIterator<Item = R>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let fail = |reason: String| Error::argument("create table", reason);
        if dim == 0 {
            return Err(fail("rows of 0 numbers; there must be one".to_owned()));
        }
        let fail = |reason: String| io::Error::other(fail(reason));
        write_whole(path, |out| {
            out.write_all(&[0; HEADER])?;
            let (mut len, mut checksum) = (0_u64, Checksum::default());
            for row in rows {
                let row = row.as_ref();
                if row.len() != dim {
                    let found = row.len();
                    return Err(fail(format!(
                        "row {len} has {found} numbers; the rows have {dim}"
                    )));
                }
                if let Some(place) = row.iter().position(|value| !value.is_finite()) {
                    let reason = not_finite(place, row[place]);
                    return Err(fail(format!("row {len}: {reason}")));
                }
                checksum.add(row);
                write_numbers(out, row)?;
                len += 1;
            }
            out.seek(SeekFrom::Start(0))?;
            let fields = [len, dim as u64, checksum.0].map(u64::to_le_bytes);
            let header = [MAGIC, fields[0], fields[1], fields[2]].concat();
            out.write_all(&header)
        })?;
        Self::open(path)
    }

    /// Opens a file that [`create`](Self::create) wrote.
    ///
    /// # Errors
    /// If it cannot be opened, is a folder, a pipe or a device, is none, or its length is not what it says. Its numbers are not looked
    /// at before [`rows`](Self::rows) reads them.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = file::mapped(path)?;
        let name = path.display().to_string();
        let source = Source {
            name: &name,
            data: &file,
        };
        let Some(header) = file.first_chunk::<HEADER>() else {
            return Err(source.whole(format!("{} bytes; the header has {HEADER}", file.len())));
        };
        let (fields, _) = header.as_chunks::<8>();
        if fields[0] != MAGIC {
            return Err(source.byte(0, "no table of vectors of version 1"));
        }
        let [len, dim, checksum] = [1, 2, 3].map(|field| u64::from_le_bytes(fields[field]));
        if let Some(place) = header[32..].iter().position(|&byte| byte != 0) {
            let reason = "the rest of the header must be zeros";
            return Err(source.byte(32 + place, reason));
        }
        if dim == 0 {
            return Err(source.byte(16, "rows of 0 numbers; there must be one"));
        }
        let size = len
            .checked_mul(dim)
            .and_then(|numbers| numbers.checked_mul(4));
        let size = size.and_then(|size| size.checked_add(HEADER as u64));
        // Where there is no row, the file's size says nothing of its length.
        let has_shape = Tensor::<f32>::from_slice(&[], [0, dim as usize]).is_ok();
        if size != Some(file.len() as u64) || usize::try_from(dim).is_err() || !has_shape {
            let found = file.len();
            let reason = format!(
                "a table [{len}, {dim}] takes {HEADER} bytes and 4 a number; the file has {found}"
            );
            return Err(source.byte(8, reason));
        }
        Ok(Self {
            len: len as usize,
            dim: dim as usize,
            checksum,
            name: name.into(),
            file: Arc::new(file),
        })
    }

    /// V, the number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// D, how many numbers a row has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// What the numbers were when the file was written, in 64 bits.
    pub(super) fn checksum(&self) -> u64 {
        self.checksum
    }

    /// The rows of `ids: [..]`, as a constant `[.., D]`.
    ///
    /// # Errors
    /// If an id is not below V, or a number of a row is not finite: the file has been changed.
    pub fn rows(&self, ids: &Ids) -> Result<Tensor> {
        ids.check_range("mapped table", self.len)?;
        let mut values = Vec::with_capacity(ids.len() * self.dim);
        for &id in ids.as_slice() {
            self.append_row(id as usize, &mut values)?;
        }
        let shape: Vec<usize> = ids.shape().iter().copied().chain([self.dim]).collect();
        Ok(Tensor::from_slice(&values, &shape[..])?)
    }

    /// Appends a row below V to `values`.
    pub(super) fn append_row(&self, row: usize, values: &mut Vec<f32>) -> Result<()> {
        let size = self.dim * 4;
        let start = HEADER + row * size;
        append_numbers(&self.file[start..][..size], values).map_err(|reason| {
            let source = Source {
                name: &self.name,
                data: &self.file,
            };
            source.byte(start, format!("row {row}: {reason}"))
        })
    }
}

impl WordVectors {
    /// Writes the vectors, in the order of their words, as a table that is used without reading it into memory.
    ///
    /// # Errors
    /// If writing fails; then a file that was there is as it was.
    pub fn save_mapped(&self, path: impl AsRef<Path>) -> Result<MappedTable> {
        MappedTable::create(path, self.dim(), self.rows())
    }
}

/// FNV-1a over the bits of numbers, 32 at a time.
struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    fn add(&mut self, row: &[f32]) {
        for number in row {
            self.0 = (self.0 ^ u64::from(number.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
