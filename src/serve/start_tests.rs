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
