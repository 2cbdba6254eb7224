//! A file that is written whole or not at all.

use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// Ends the name of a temporary file, by which a later save knows what a killed one left.
const SUFFIX: &str = ".lexigrad-partial";
/// As many symbolic links as Linux follows.
const LINKS: usize = 40;

/// Writes a file whole or not at all: `write` fills a temporary file beside `path`, which takes its name once it is on the disk.
///
/// Everything that lexigrad saves is written this way. The file is flushed to the disk (`fsync`) before it is renamed, and on Unix
/// its folder after that. It has the permissions of the file that it replaces; without one, those that the umask gives. A symbolic
/// link stays: the file that it leads to is replaced. A target that is not a regular file, such as a device, is written in place.
///
/// A process that is killed leaves its temporary file, `.{name}.{random}.lexigrad-partial`. The next save into the same folder removes
/// it, but never a file that a living process still writes.
///
/// ```
/// use std::io::Write;
/// use lexigrad_nn::write_whole;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("words.txt");
/// write_whole(&path, |file| writeln!(file, "good"))?;
/// let failed = write_whole(&path, |file| {
///     writeln!(file, "half of")?;
///     Err(std::io::Error::other("no more"))
/// });
/// assert!(failed.is_err());
/// assert_eq!(std::fs::read_to_string(&path)?, "good\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// PyTorch: none; `torch.save` writes in place.
///
/// # Errors
/// If `write` fails or the system does. Then a file that was there is as it was, unless flushing the folder is what failed: then the
/// new file is there, but may be gone after a crash of the machine.
pub fn write_whole(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let path = without_links(path.as_ref())?;
    let old = match fs::metadata(&path) {
        Ok(old) if !old.is_file() => return fill(&File::options().write(true).open(&path)?, write),
        Ok(old) => Some(old),
        Err(_) => None,
    };
    let folder = folder_of(&path);
    remove_left_over(folder);
    let file = temporary(&path, old.as_ref())?;
    fill(file.as_file(), write)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    sync_folder(folder)
}

fn fill(
    file: &File,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()
}

/// The folder in which a file lies.
fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Where the symbolic links at `path` lead; there need not be a file.
fn without_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// A new file beside `path`, locked as long as it is open, with the permissions that `path` is to have.
fn temporary(path: &Path, old: Option<&Metadata>) -> io::Result<NamedTempFile> {
    // The whole name and what surrounds it may be longer than a file system allows.
    let name: String = path.file_name().map_or_else(String::new, |name| {
        name.to_string_lossy().chars().take(50).collect()
    });
    let prefix = format!(".{name}.");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let any = || fs::Permissions::from_mode(0o666);
        builder.permissions(old.map_or_else(any, Metadata::permissions));
    }
    loop {
        let file = builder.tempfile_in(folder_of(path))?;
        // Between its creation and the lock another save may have removed it. Where the file system has no locks, no save removes any.
        let is_ours = !matches!(file.as_file().try_lock(), Err(fs::TryLockError::WouldBlock))
            && file.path().exists();
        if !is_ours {
            continue;
        }
        if let Some(old) = old {
            // The umask has cut what the builder was given.
            file.as_file().set_permissions(old.permissions())?;
        }
        return Ok(file);
    }
}

/// Removes the temporary files of processes that are gone: those that nobody holds locked.
fn remove_left_over(folder: &Path) {
    // A folder that cannot be read, or a file that cannot be removed, is no reason not to save.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        let is_temporary = name.starts_with(b".") && name.ends_with(SUFFIX.as_bytes());
        if is_temporary
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Flushes the names of a folder's files to the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    // One may write into a folder that one may not read, and some file systems cannot flush a folder.
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => {
            Ok(())
        }
        flushed => flushed,
    }
}

/// Other systems flush the names of a folder's files by themselves.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
