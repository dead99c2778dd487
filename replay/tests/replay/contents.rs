//! `verify --blobs`: the bytes that the log promises.

use std::fs;

use tagstone_replay::content::Layout;

use crate::command::{replay, verify};
use crate::directory::{digest, sound};

/// Puts content where large blobs lie, which is one of the places where the reader looks.
fn store(layout: &Layout, name: &str, bytes: &str) {
    let digest = digest(name);
    fs::create_dir_all(layout.blob_directory(&digest)).unwrap();
    fs::write(layout.blob(&digest), bytes).unwrap();
}

#[test]
fn what_is_live_is_read_and_compared() {
    let (directory, _) = sound();
    let layout = Layout::new(directory.path());
    // `other` and its tag went with their repository, so nobody misses it.
    for name in ["config", "layer", "one", "two"] {
        store(&layout, name, name);
    }
    let run = verify(directory.path(), &["--blobs"]);
    assert_eq!(run.code, 0, "{run:?}");

    store(&layout, "config", "another length");
    store(&layout, "two", "owt");
    fs::remove_file(layout.blob(&digest("layer"))).unwrap();
    let run = verify(directory.path(), &["--blobs"]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![2, 3, 6]), "{run:?}");
    let said = run.problems();
    let lines: Vec<_> = said.lines().collect();
    for (line, (kind, name, what)) in lines.iter().zip([
        ("blob", "config", "has 14 bytes where 6 are recorded"),
        ("blob", "layer", "is missing"),
        ("manifest", "two", "has changed"),
    ]) {
        assert!(line.starts_with(&format!("{kind} {} {what}", digest(name))), "{line}");
    }
    let shown = replay(["verify", directory.path().to_str().unwrap(), "--blobs"]).out;
    assert!(shown.contains("The log is whole, its chain is unbroken, and every event in it is legal."), "{shown}");
    assert!(shown.ends_with("\n3 blobs or manifests are missing or damaged.\n"), "{shown}");
    assert!(!shown.contains("does not hold") && !shown.contains("bad record"), "{shown}");
    assert_eq!(verify(directory.path(), &[]).code, 0, "without --blobs the log alone is judged");
}
