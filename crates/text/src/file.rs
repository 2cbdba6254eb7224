//! Files that are read: what can be opened, and what their first bytes say they are.

use std::fs::{File, FileType, Metadata};
use std::io::Read;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Place, Result};
use crate::foreign::{BYTE_ORDER_MARK, foreign};

/// A file that is read from its beginning to its end: a regular file, a pipe, a device.
///
/// # Errors
/// If it is a folder, or cannot be opened.
pub(crate) fn open(path: &Path) -> Result<File> {
    Ok(open_with_facts(path)?.0)
}

/// The bytes of a file, pipes included.
///
/// # Errors
/// If it is a folder or a device, which may have no end, or cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let (file, facts) = open_with_facts(path)?;
    read_all(path, file, &facts)
}

/// The bytes of a file of UTF-8 text, without a byte order mark.
///
/// # Errors
/// As [`read`], or if the bytes are no text.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let mut bytes = read(path)?;
    let fail = |place, reason: String| Error::format(path.display().to_string(), place, reason);
    if let Some(kind) = foreign(&bytes) {
        return Err(fail(Place::Whole, kind.to_owned()));
    }
    let mark = match bytes.starts_with(BYTE_ORDER_MARK) {
        true => BYTE_ORDER_MARK.len(),
        false => 0,
    };
    bytes.drain(..mark);
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let reason = format!("0x{:02x} is not UTF-8 there", error.as_bytes()[at]);
        fail(Place::Byte((mark + at) as u64), reason)
    })
}

/// The bytes of a file: mapped if it is a regular one, else read into memory.
pub(crate) enum Bytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapping) => mapping,
            Self::Read(bytes) => bytes,
        }
    }
}

/// The bytes of a file, pipes included; the system reads those of a regular file as they are looked at.
///
/// # Errors
/// As [`read`].
pub(crate) fn bytes(path: &Path) -> Result<Bytes> {
    let (file, facts) = open_with_facts(path)?;
    // A file of length 0 may have bytes all the same, as those of `/proc` do.
    if facts.is_file() && facts.len() > 0 {
        return map(path, &file).map(Bytes::Mapped);
    }
    read_all(path, file, &facts).map(Bytes::Read)
}

/// A regular file, mapped into memory.
///
/// # Errors
/// If it is another kind of file, or cannot be mapped.
pub(crate) fn mapped(path: &Path) -> Result<Mmap> {
    let (file, facts) = open_with_facts(path)?;
    if !facts.is_file() {
        let kind = kind(facts.file_type());
        return Err(refused(
            path,
            format!("it is {kind}; only a regular file can be mapped into memory"),
        ));
    }
    map(path, &file)
}

/// The file must stay as it is as long as it is mapped: cutting it short ends the program at the next look.
fn map(path: &Path, file: &File) -> Result<Mmap> {
    #[allow(unsafe_code, reason = "files cannot be mapped without")]
    // SAFETY: a mapping is sound as long as nobody changes the file. Nothing in this library writes to a file that it has mapped:
    // whatever is saved goes to a new file, which then takes the old one's name. That the program and others leave the file as it is
    // is the caller's duty; the documentation of everything that maps says so.
    let mapping = unsafe { Mmap::map(file) };
    mapping.map_err(|cause| Error::io(path, cause))
}

fn open_with_facts(path: &Path) -> Result<(File, Metadata)> {
    let fail = |cause| Error::io(path, cause);
    // Asked before opening: a socket cannot be opened, and the system's reason for that does not name it.
    let facts = std::fs::metadata(path).map_err(fail)?;
    let kind = kind(facts.file_type());
    if matches!(kind, FOLDER | SOCKET) {
        return Err(refused(path, format!("it is {kind}; it must be a file")));
    }
    let file = File::open(path).map_err(fail)?;
    let facts = file.metadata().map_err(fail)?;
    Ok((file, facts))
}

fn read_all(path: &Path, mut file: File, facts: &Metadata) -> Result<Vec<u8>> {
    let kind = kind(facts.file_type());
    if kind == DEVICE {
        let reason = format!("it is {kind}, which may have no end; a file or a pipe is read");
        return Err(refused(path, reason));
    }
    let mut bytes = Vec::new();
    let unread = |cause| Error::io(path, cause);
    let room = usize::try_from(facts.len()).unwrap_or(usize::MAX);
    let fits = bytes.try_reserve_exact(room.saturating_add(1));
    fits.map_err(|_| refused(path, format!("its {room} bytes do not fit into memory")))?;
    file.read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}

fn refused(path: &Path, reason: String) -> Error {
    Error::format(path.display().to_string(), Place::Whole, reason)
}

const FOLDER: &str = "a folder";
const SOCKET: &str = "a socket";
const DEVICE: &str = "a device";

/// What a path leads to, in words.
fn kind(file: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file.is_fifo() {
            return "a pipe";
        }
        if file.is_socket() {
            return SOCKET;
        }
        if file.is_char_device() || file.is_block_device() {
            return DEVICE;
        }
    }
    if file.is_dir() { FOLDER } else { "a file" }
}
