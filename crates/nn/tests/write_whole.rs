//! A file is written whole or not at all, and stands as the one before did.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use lexigrad_nn::write_whole;
use tempfile::tempdir;

fn write(path: &Path, text: &str) -> io::Result<()> {
    write_whole(path, |file| file.write_all(text.as_bytes()))
}

fn rights(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_new_file_has_the_rights_of_any_and_one_that_is_replaced_keeps_its_own() {
    let folder = tempdir().unwrap();
    let [new, other] = ["new", "other"].map(|name| folder.path().join(name));
    write(&new, "one").unwrap();
    fs::write(&other, "").unwrap();
    assert_eq!(rights(&new), rights(&other));
    for mode in [0o600, 0o666, 0o755, 0o444] {
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        write(&new, "two").unwrap();
        assert_eq!(rights(&new), mode);
    }
    assert_eq!(names(folder.path()), ["new", "other"]);
}

#[test]
fn a_symbolic_link_is_followed() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("there")).unwrap();
    symlink("there/file", at("second")).unwrap();
    symlink("second", at("first")).unwrap();
    for text in ["where there was none", "again"] {
        write(&at("first"), text).unwrap();
        assert_eq!(fs::read_to_string(at("there/file")).unwrap(), text);
    }
    assert!(at("first").is_symlink() && at("second").is_symlink());
    assert_eq!(names(&at("there")), ["file"]);
    symlink("around", at("around")).unwrap();
    assert!(write(&at("around"), "").is_err());
}

#[test]
fn what_fails_leaves_the_file_that_was_there_and_nothing_else() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, "old").unwrap();
    let failed = write_whole(&path, |file| {
        file.write_all(&[b'x'; 100_000])?;
        Err(io::Error::other("no more"))
    });
    assert_eq!(failed.unwrap_err().to_string(), "no more");
    let panicked = std::panic::catch_unwind(|| write_whole(&path, |_| panic!("in the middle")));
    assert!(panicked.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["file"]);
    assert!(write(&folder.path().join("no/such/folder"), "").is_err());
    assert!(write(folder.path(), "a folder is no file").is_err());
}

#[test]
fn a_device_stays_one() {
    write(Path::new("/dev/null"), "gone").unwrap();
    let folder = tempdir().unwrap();
    let full = folder.path().join("full");
    symlink("/dev/full", &full).unwrap();
    if Path::new("/dev/full").exists() {
        let kind = write(&full, "too much").unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::StorageFull);
    }
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn what_a_killed_save_left_goes_with_the_next_and_what_is_being_written_stays() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    let left_over = folder.path().join(".other.abcdef.lexigrad-partial");
    fs::write(&left_over, "half").unwrap();
    fs::set_permissions(&left_over, fs::Permissions::from_mode(0o444)).unwrap();
    fs::write(folder.path().join(".hidden"), "the user's").unwrap();
    write_whole(&path, |file| {
        file.write_all(b"outer")?;
        write(&path, "inner")?;
        let [outer, hidden, inner] = &names(folder.path())[..] else {
            panic!("{:?}", names(folder.path()));
        };
        assert!(outer.starts_with(".file.") && outer.ends_with(".lexigrad-partial"));
        assert_eq!((hidden.as_str(), inner.as_str()), (".hidden", "file"));
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "outer");
    assert_eq!(names(folder.path()), [".hidden", "file"]);
}

#[test]
fn a_name_as_long_as_the_system_allows_can_be_written() {
    let folder = tempdir().unwrap();
    let name = "ä".repeat(127);
    write(&folder.path().join(&name), "long").unwrap();
    assert_eq!(names(folder.path()), [name]);
}

#[test]
fn whoever_reads_while_several_write_sees_one_whole_file() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("file");
    let text = |writer: usize| writer.to_string().repeat(50_000);
    write(&path, &text(0)).unwrap();
    std::thread::scope(|scope| {
        for writer in 1..4 {
            let path = &path;
            scope.spawn(move || (0..20).for_each(|_| write(path, &text(writer)).unwrap()));
        }
        for _ in 0..100 {
            let found = fs::read_to_string(&path).unwrap();
            assert!((0..4).any(|writer| found == text(writer)));
        }
    });
    assert_eq!(names(folder.path()), ["file"]);
}
