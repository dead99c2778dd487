//! Which directories a start opens, and what it records.

use std::fs;
use std::path::Path;

use tagstone_replay::log::memory::MemoryLog;
use tagstone_schema::{Head, Timestamp};

use super::*;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal(layout: &Layout) -> String {
    match Opened::open(layout, &Settings::default()) {
        Ok(_) => panic!("the start was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_directory_of_another_program_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("photo.jpg"), b"").unwrap();
    let message = refusal(&Layout::new(directory.path()));
    assert!(message.contains("holds `photo.jpg`"), "{message}");
    assert_eq!(names(directory.path()), ["photo.jpg"]);
}

#[test]
fn content_without_its_history_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path());
    drop(Opened::open(&layout, &Settings::default()).unwrap());
    fs::remove_dir_all(layout.log()).unwrap();
    fs::remove_file(layout.anchor()).unwrap();
    for _ in 0..2 {
        let message = refusal(&layout);
        assert!(message.contains(&layout.root().display().to_string()), "{message}");
        assert_eq!(names(directory.path()), ["blobs", "index", "segments", "uploads"]);
    }
}

#[test]
fn a_refused_log_leaves_no_content_behind() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path());
    fs::write(layout.anchor(), b"no anchor").unwrap();
    refusal(&layout);
    assert_eq!(names(directory.path()), ["anchor"]);
}

#[test]
fn a_start_at_the_end_of_time_is_not_recorded() {
    let (mut log, mut state) = (MemoryLog::default(), State::default());
    let last = Record {
        format: FORMAT_VERSION,
        seq: 1,
        time: Timestamp(i64::MAX),
        prev: Head::default().hash,
        actor: Actor::system("start"),
        origin: Origin::default(),
        events: vec![Event::LogStarted { log: Id::from_random([1; 16]) }],
    };
    log.append(&Head::default(), &[last.encode().unwrap()]).unwrap();
    state.apply(&last).unwrap();
    let refused = record_start(&mut log, &mut state, &SystemClock, &Settings::default());
    assert!(matches!(refused, Err(ServeError::Record(_))), "{refused:?}");
    assert_eq!(log.head().seq, 1);
}

/// Opens a data directory as a start does, once sled has let go of its lock.
fn opened(layout: &Layout) -> Opened {
    for _ in 0..500 {
        match Opened::open(layout, &Settings::default()) {
            Err(error) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the lock of {} is held for ever", layout.log().display());
}

/// What a start found: the record that it began with, and what it came to.
fn start(layout: &Layout) -> (Head, Snapshot) {
    let Opened { snapshot, known, .. } = opened(layout);
    (known, snapshot)
}

/// The state behind the last record, from the first one on.
fn folded(layout: &Layout) -> String {
    fs::rename(layout.snapshot(), layout.root().join("aside")).unwrap();
    let mut state = State::default();
    let log = loop {
        match UnverifiedLog::open(layout, Options::default()) {
            Err(error) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            log => break log.unwrap(),
        }
    };
    log.verify_after(Head::default(), &mut |record: &Record| state.apply(record)).unwrap();
    fs::rename(layout.root().join("aside"), layout.snapshot()).unwrap();
    state.fingerprint().to_string()
}

#[test]
fn a_start_begins_with_a_snapshot_of_its_own_log_and_with_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path());
    let (none, first) = start(&layout);
    assert_eq!(none, Head::default());
    snapshot::write(&layout.snapshot(), &first.state, first.head).unwrap();
    // Every start records itself, so each finds the snapshot farther behind.
    for _ in 0..3 {
        let (known, snapshot) = start(&layout);
        assert_eq!(known, first.head);
        assert_eq!(snapshot.state.fingerprint().to_string(), folded(&layout));
    }
    let whole = fs::read(layout.snapshot()).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Layout::new(elsewhere.path());
    let (_, stranger) = start(&other);
    snapshot::write(&other.snapshot(), &stranger.state, stranger.head).unwrap();
    let of_another = fs::read(other.snapshot()).unwrap();
    let (_, newest) = start(&layout);
    let beyond = Head { seq: newest.head.seq + 1, ..newest.head };
    snapshot::write(&other.snapshot(), &newest.state, beyond).unwrap();
    let of_later = fs::read(other.snapshot()).unwrap();
    for unusable in [&whole[..whole.len() - 1], &flipped, b"", &of_another, &of_later] {
        fs::write(layout.snapshot(), unusable).unwrap();
        let (known, snapshot) = start(&layout);
        assert_eq!(known, Head::default());
        assert_eq!(snapshot.state.fingerprint().to_string(), folded(&layout));
    }
}

#[test]
fn a_snapshot_that_the_log_contradicts_is_not_begun_with() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path());
    let (_, first) = start(&layout);
    // A record more, so that something follows the snapshot; and a state in which the log has not begun: whatever follows is illegal.
    start(&layout);
    snapshot::write(&layout.snapshot(), &State::default(), first.head).unwrap();
    let (known, snapshot) = start(&layout);
    assert_eq!(known, Head::default());
    assert_eq!(snapshot.state.fingerprint().to_string(), folded(&layout));
}
