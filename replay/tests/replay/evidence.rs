//! Evidence stays as it was: no command changes a byte, a name or a time of what it reads.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tagstone_replay::content::Layout;
use tagstone_replay::log::directory::DirectoryLock;

use crate::command::replay;
use crate::directory::{evidence, sound};
use crate::export::export;

/// Every command over a source, with where it may write.
fn commands<'a>(source: &'a str, out: &'a str, data: &'a str) -> Vec<Vec<&'a str>> {
    vec![
        vec!["verify", source],
        vec!["verify", source, "--blobs"],
        vec!["verify", source, "--format", "json", "--expect", "3:00"],
        vec!["state", source],
        vec!["state", source, "--at", "3", "--repository", "acme/app"],
        vec!["export", source, "--out", out],
        vec!["export", source, "--out", out, "--sound-part", "--to-seq", "4"],
        vec!["restore", source, "--data", data],
    ]
}

/// Runs every command, each with a place of its own to write to, and compares.
fn assert_unchanged(root: &Path, source: &Path, what: &str) {
    let before = evidence(root);
    let place = tempfile::tempdir().unwrap();
    let [out, data] = ["out", "data"].map(|name| place.path().join(name));
    for command in commands(source.to_str().unwrap(), out.to_str().unwrap(), data.to_str().unwrap()) {
        let _ = fs::remove_file(&out);
        let run = replay(&command);
        assert_eq!(evidence(root), before, "{what}: {command:?} changed the evidence: {run:?}");
        if command.contains(&source.to_str().unwrap()) && command[0] == "state" {
            assert!(run.code < 2, "{what}: {run:?}");
        }
    }
}

fn make(root: &Path, directories: u32, files: u32) {
    for path in evidence(root).keys() {
        let mode = if path.is_dir() { directories } else { files };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn no_command_changes_what_it_reads() {
    let (directory, _) = sound();
    assert_unchanged(directory.path(), directory.path(), "a data directory");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("export");
    assert_eq!(export(directory.path(), &file, &[]).code, 0);
    assert_unchanged(place.path(), &file, "an export");

    // As root nothing is refused, and this shows only that nothing is tried.
    make(directory.path(), 0o555, 0o444);
    make(place.path(), 0o555, 0o444);
    assert_unchanged(directory.path(), directory.path(), "a data directory that is read-only");
    assert_unchanged(place.path(), &file, "an export that is read-only");
    make(directory.path(), 0o755, 0o644);
    make(place.path(), 0o755, 0o644);

    let db = Layout::new(directory.path()).log().join("db");
    let mut bytes = fs::read(&db).unwrap();
    bytes.iter_mut().take(300).for_each(|byte| *byte ^= 0x55);
    fs::write(&db, &bytes).unwrap();
    assert_unchanged(directory.path(), directory.path(), "a data directory that is damaged");
}

#[test]
fn a_directory_in_use_is_refused_by_every_command() {
    let (directory, _) = sound();
    let lock = DirectoryLock::take(&Layout::new(directory.path()).lock()).unwrap();
    let before = evidence(directory.path());
    let place = tempfile::tempdir().unwrap();
    let [out, data] = ["out", "data"].map(|name| place.path().join(name));
    for command in commands(directory.path().to_str().unwrap(), out.to_str().unwrap(), data.to_str().unwrap()) {
        let run = replay(&command);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{command:?}: {run:?}");
        let named = run.err.contains(&format!("in use by process {}", std::process::id()));
        assert!(named || command[0] == "restore" || run.err.contains("SEQ:HASH"), "{command:?}: {run:?}");
        assert!(!out.exists() && !data.exists(), "{command:?}");
    }
    assert_eq!(evidence(directory.path()), before);
    drop(lock);
}
