//! A file as bytes, mapped into memory: the one place with `unsafe`.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::error::{Error, Result};

/// The bytes of a file; the system reads them as they are looked at, and takes the memory back when it needs it.
///
/// The file must stay as it is as long as it is mapped: cutting it short ends the program at the next look.
pub(super) fn map(path: &Path) -> Result<Mmap> {
    let fail = |cause| Error::io(path, cause);
    let file = File::open(path).map_err(fail)?;
    #[allow(unsafe_code, reason = "files cannot be mapped without")]
    // SAFETY: a mapping is sound as long as nobody changes the file; nothing in this program writes to a file that it has mapped
    // (whatever is saved goes to a new file, which then takes the old one's name), and what other programs must not do is said
    // in the documentation of everything that maps.
    let mapping = unsafe { Mmap::map(&file) };
    mapping.map_err(fail)
}
