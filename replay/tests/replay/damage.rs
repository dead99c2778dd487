//! Damage to the files themselves: sled's data file, the anchor, an older copy of the log.

use std::fs;

use tagstone_replay::content::Layout;

use crate::command::verify;
use crate::directory::{append, blob, copy, evidence, records, sound};

/// Verifies a damaged directory. Damage may hit bytes that mean nothing, but it never makes another log of it.
fn survives(root: &std::path::Path, genuine: &serde_json::Value, what: &str) -> i32 {
    let before = evidence(root);
    let run = verify(root, &[]);
    assert_eq!(evidence(root), before, "{what}: the source was changed");
    match run.code {
        0 => assert_eq!(&run.json(), genuine, "{what}"),
        1 => assert!(!run.problems().is_empty() && run.json()["ok"] == false, "{what}: {run:?}"),
        2 => assert!(!run.err.is_empty(), "{what}: {run:?}"),
        other => panic!("{what}: exit code {other}"),
    }
    run.code
}

#[test]
fn flipped_bytes_never_go_unseen_or_cause_a_panic() {
    let (directory, _) = sound();
    let genuine = verify(directory.path(), &[]).json();
    let file = Layout::new(directory.path()).log().join("db");
    let whole = fs::read(&file).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut found = 0;
    for at in (0..used).step_by(used / 150) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        fs::write(&file, &flipped).unwrap();
        found += survives(directory.path(), &genuine, &format!("byte {at} flipped")).min(1);
    }
    assert!(found > 75, "only {found} of 150 flips were found, of bytes that are mostly records");
}

#[test]
fn a_data_file_cut_anywhere_never_goes_unseen_or_causes_a_panic() {
    let (directory, _) = sound();
    let genuine = verify(directory.path(), &[]).json();
    let file = Layout::new(directory.path()).log().join("db");
    let whole = fs::read(&file).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for length in (0..used).step_by(used / 60) {
        fs::write(&file, &whole[..length]).unwrap();
        let code = survives(directory.path(), &genuine, &format!("cut to {length} bytes"));
        assert_ne!(code, 0, "cut to {length} of {used} bytes");
    }
}

#[test]
fn every_file_of_the_log_missing_or_overwritten_is_survived() {
    let (directory, _) = sound();
    let genuine = verify(directory.path(), &[]).json();
    let log = Layout::new(directory.path()).log();
    for entry in fs::read_dir(&log).unwrap().map(|entry| entry.unwrap()).filter(|e| e.file_type().unwrap().is_file()) {
        let whole = fs::read(entry.path()).unwrap();
        let name = entry.file_name();
        fs::remove_file(entry.path()).unwrap();
        survives(directory.path(), &genuine, &format!("{name:?} missing"));
        fs::write(entry.path(), vec![0x55; whole.len()]).unwrap();
        survives(directory.path(), &genuine, &format!("{name:?} overwritten"));
        fs::write(entry.path(), whole).unwrap();
    }
    assert_eq!(survives(directory.path(), &genuine, "nothing"), 0);
}

#[test]
fn an_older_copy_of_the_log_is_below_its_anchor() {
    let (directory, old) = sound();
    let layout = Layout::new(directory.path());
    let aside = tempfile::tempdir().unwrap();
    copy(&layout.log(), aside.path());
    append(directory.path(), &records(old.last().unwrap().head(), [vec![blob("b", "x")], vec![blob("b", "y")]]));
    fs::remove_dir_all(layout.log()).unwrap();
    copy(aside.path(), &layout.log());
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
    assert!(run.problems().contains("records 10 to 11 are missing"), "{run:?}");
    assert_eq!(run.json()["records"], 9);

    fs::remove_dir_all(layout.log()).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![1]), "{run:?}");
    assert!(run.problems().contains("records 1 to 11 are missing"), "{run:?}");
}

#[test]
fn a_missing_or_damaged_anchor_is_a_problem() {
    let (directory, _) = sound();
    let anchor = Layout::new(directory.path()).anchor();
    fs::write(&anchor, b"no anchor").unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
    assert!(run.problems().contains("is damaged"), "{run:?}");
    assert_eq!(run.json()["records"], 9);
    fs::remove_file(&anchor).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
    assert!(run.problems().contains("is missing"), "{run:?}");
}
