//! `docs/format.md` is complete: a reader written from it in another language reads the frozen vectors, and refuses what
//! is not a log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The paths of the vectors with this extension, in the order of their names.
fn vectors(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("schema/vectors/v1")).unwrap();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort_unstable();
    assert!(!paths.is_empty(), "there are no vectors");
    paths
}

fn read_records(paths: &[PathBuf]) -> Output {
    Command::new("python3")
        .arg("-B")
        .arg(root().join("tests/format/read_records.py"))
        .args(paths)
        .output()
        .expect("these tests need python3")
}

/// The message with which the files, written from these bytes, are refused.
fn refusal_of(records: &[Vec<u8>]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let write = |(number, bytes): (usize, &Vec<u8>)| {
        let path = directory.path().join(format!("{number}.bin"));
        fs::write(&path, bytes).unwrap();
        path
    };
    let output = read_records(&records.iter().enumerate().map(write).collect::<Vec<_>>());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(output.stdout.is_empty(), "something was printed before the refusal");
    assert_eq!(message.lines().count(), 1, "not one plain line: {message}");
    message
}

#[test]
fn the_python_reader_reads_every_vector_and_verifies_the_chain() {
    let output = read_records(&vectors("bin"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let json = vectors("json");
    assert_eq!(read.len(), json.len());
    for (found, path) in read.iter().zip(json) {
        let wanted: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(*found, wanted, "{}", path.display());
    }
}

#[test]
fn the_python_reader_refuses_every_kind_of_cut() {
    let first = fs::read(&vectors("bin")[0]).unwrap();
    for cut in (0..first.len()).step_by(7).chain([first.len() - 1]) {
        let message = refusal_of(&[first[..cut].to_vec()]);
        assert!(message.contains("remain"), "cut to {cut} bytes: {message}");
    }
}

#[test]
fn the_python_reader_refuses_what_is_no_log() {
    let vectors = vectors("bin");
    let [first, second] = [&vectors[0], &vectors[1]].map(|path| fs::read(path).unwrap());
    let with = |at: usize, byte: u8| {
        let mut changed = first.clone();
        changed[at] = byte;
        changed
    };
    let longer = [&first[..], &[0]].concat();
    let at_number = first.len() - 20;
    assert_eq!(first[at_number..at_number + 4], [0; 4], "log_started has number 0 and 16 bytes");
    let cases = [
        ("a byte too many", vec![longer], "1 bytes follow"),
        ("more than a record may have", vec![vec![1; 73_729]], "at most 73728"),
        ("version 0", vec![with(0, 0)], "format version 0"),
        ("a later version", vec![with(0, 2)], "format version 2"),
        ("an event of the future", vec![with(at_number, 23)], "Event number 23"),
        ("an actor of no kind", vec![with(50, 9)], "ActorKind number 9"),
        ("a list longer than the file", vec![with(at_number - 2, 1)], "claims"),
        ("the second record alone", vec![second.clone()], "record 1 was expected"),
        ("another first record", vec![with(first.len() - 1, first.last().unwrap() ^ 1), second], "not the hash"),
    ];
    for (what, records, wanted) in cases {
        let message = refusal_of(&records);
        assert!(message.contains(wanted), "{what}: {message}");
    }
}
