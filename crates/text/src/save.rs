//! How this crate writes its files.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file [whole or not at all](lexigrad_nn::write_whole). `write` may fail with an [`Error`] of its own, as
/// [`io::Error::other`].
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<()> {
    lexigrad_nn::write_whole(path, write).map_err(|cause| {
        let own = cause.downcast::<Error>();
        own.unwrap_or_else(|cause| Error::io(path, cause))
    })
}
