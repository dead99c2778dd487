//! The embedded log over restarts, crashes and damage.

use std::fs;
use std::path::Path;

use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, EncodedRecord, Event, Head, Id, Origin, Position, Record, RecordHash, limits};

use super::super::anchor::{self, Anchor};
use super::super::pages::first_key;
use super::*;
use crate::fold::State;
use crate::log::{Recovered, recover};

/// A record behind `head` that holds a text of `length` bytes.
pub(super) fn record(head: &Head, length: usize) -> EncodedRecord {
    let mut events = vec![Event::ServerStarted { version: "v".repeat(length) }];
    if head.seq == 0 {
        events.insert(0, Event::LogStarted { log: Id([1; 16]) });
    }
    let (seq, time, prev) = (head.seq + 1, head.time.next(), head.hash);
    let (actor, origin) = (Actor::system("test"), Origin::default());
    Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events }.encode().unwrap()
}

/// A record of exactly the largest size.
fn largest(head: &Head) -> EncodedRecord {
    let length = limits::RECORD_BYTES - record(head, 0).bytes().len();
    let largest = record(head, length);
    assert_eq!(largest.bytes().len(), limits::RECORD_BYTES);
    largest
}

pub(super) fn append(log: &mut EmbeddedLog, make: impl Fn(&Head) -> EncodedRecord) -> EncodedRecord {
    let head = log.head();
    let record = make(&head);
    log.append(&head, std::slice::from_ref(&record)).unwrap();
    record
}

pub(super) fn try_open(root: &Path) -> Result<Opened, OpenError> {
    loop {
        let mut state = State::default();
        match EmbeddedLog::open(&Layout::new(root), Options::default(), &mut |record| state.apply(record)) {
            // sled lets go of its lock in a thread of its own.
            Err(OpenError::Unusable { why, .. }) if why.contains("could not acquire lock") => std::thread::yield_now(),
            opened => return opened,
        }
    }
}

pub(super) fn open(root: &Path) -> EmbeddedLog {
    try_open(root).unwrap().log
}

/// A log with so many records of 10,000 bytes, closed.
fn filled(records: u64) -> (tempfile::TempDir, Layout, Head) {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    (0..records).for_each(|_| drop(append(&mut log, |head| record(head, 10_000))));
    let head = log.head();
    drop(log);
    let layout = Layout::new(directory.path());
    (directory, layout, head)
}

fn bytes_of(log: &EmbeddedLog, from: Seq) -> Vec<Vec<u8>> {
    log.read(from).map(|stored| stored.unwrap().bytes).collect()
}

#[test]
fn what_was_appended_is_there_after_every_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for length in [0, 1, 4000, 4096, 5000, 8192, 60_000] {
        let mut log = open(directory.path());
        assert_eq!(bytes_of(&log, 1), written);
        let head = log.head();
        let first = record(&head, length);
        let batch = [first.clone(), record(&first.head(), length)];
        log.append(&head, &batch).unwrap();
        written.extend(batch.iter().map(|record| record.bytes().to_vec()));
        assert_eq!(log.head(), batch[1].head());
        assert_eq!(anchor::read(&Layout::new(directory.path()).anchor()).unwrap(), log.head());
        assert_eq!(bytes_of(&log, head.seq + 2), written[written.len() - 1..]);
    }
}

#[test]
fn an_append_behind_another_head_is_a_conflict_and_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    append(&mut log, |head| record(head, 1));
    let late = record(&Head::default(), 2);
    let refused = log.append(&Head::default(), &[late]);
    assert!(matches!(refused, Err(AppendError::Conflict { found, .. }) if found == log.head()));
    append(&mut log, |head| record(head, 3));
    drop(log);
    assert_eq!(open(directory.path()).head().seq, 2);
}

#[test]
fn two_hundred_records_of_the_largest_size_survive_and_never_leave_the_synced_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let separate = Layout::new(directory.path()).log().join("blobs");
    let mut written = Vec::new();
    for _ in 0..200 {
        written.push(append(&mut log, largest).bytes().to_vec());
        assert_eq!(fs::read_dir(&separate).unwrap().count(), 0, "sled put a value into a file that nobody syncs");
    }
    drop(log);
    assert_eq!(bytes_of(&open(directory.path()), 1), written);
    assert_eq!(fs::read_dir(&separate).unwrap().count(), 0);
}

#[test]
fn whole_records_behind_the_anchor_are_kept_and_torn_ones_cut_off() {
    let (directory, layout, head) = filled(3);
    let old = fs::read(layout.anchor()).unwrap();
    let mut log = open(directory.path());
    let kept = append(&mut log, |head| record(head, 10_000));
    append(&mut log, |head| record(head, 10_000));
    let tear = [&first_key(head.seq + 2)[..], &[0, 2]].concat();
    log.tree.tree_for_tests().remove(tear).unwrap();
    drop(log);
    fs::write(layout.anchor(), &old).unwrap();

    let opened = try_open(directory.path()).unwrap();
    assert_eq!((opened.log.head(), opened.cut_off), (kept.head(), 1));
    assert_eq!(anchor::read(&layout.anchor()).unwrap(), kept.head());
    drop(opened);
    let mut log = open(directory.path());
    append(&mut log, |head| record(head, 1));
    drop(log);
    let opened = try_open(directory.path()).unwrap();
    assert_eq!((opened.log.head().seq, opened.cut_off), (5, 0));
}

#[test]
fn a_part_that_belongs_to_no_record_does_not_come_between_later_ones() {
    let (directory, _, head) = filled(3);
    let log = open(directory.path());
    for part in [7, 900u16] {
        let stray = [&first_key(head.seq)[..], &part.to_be_bytes()].concat();
        log.tree.tree_for_tests().insert(stray, b"stray").unwrap();
    }
    drop(log);
    let mut log = open(directory.path());
    append(&mut log, |head| record(head, 1));
    drop(log);
    assert_eq!(open(directory.path()).head().seq, 4);
}

#[test]
fn a_damaged_acknowledged_record_is_named() {
    let (directory, layout, _) = filled(3);
    let log = open(directory.path());
    log.tree.tree_for_tests().remove([&first_key(2)[..], &[0, 1]].concat()).unwrap();
    drop(log);
    let Err(OpenError::Broken(broken)) = try_open(directory.path()) else { panic!("opened") };
    assert_eq!(broken.seq, 2);
    // An operator may accept the sound beginning, and nothing else.
    let found = recover(&layout, Some(Position { seq: 3, hash: RecordHash::ZERO })).unwrap().head;
    assert_eq!(found.seq, 1);
    assert!(matches!(try_open(directory.path()), Err(OpenError::Broken(_))));
    recover(&layout, Some(Position { seq: 1, hash: found.hash })).unwrap();
    let opened = try_open(directory.path()).unwrap();
    assert_eq!((opened.log.head(), opened.cut_off), (found, 2));
}

#[test]
fn a_lost_or_foreign_anchor_stops_the_start_until_an_operator_names_the_head() {
    let (directory, layout, head) = filled(3);
    let other = Head { hash: RecordHash([9; 32]), ..head };
    let above = Head { seq: 9, ..other };
    type Case = (&'static str, fn(&OpenError) -> bool);
    let cases: [Case; 4] = [
        ("missing", |error| matches!(error, OpenError::Anchor { source: AnchorError::Missing(_) })),
        ("damaged", |error| matches!(error, OpenError::Anchor { source: AnchorError::Damaged(_) })),
        ("foreign", |error| matches!(error, OpenError::AnchorDiffers { .. })),
        ("above", |error| matches!(error, OpenError::BelowAnchor { .. })),
    ];
    for (what, expected) in cases {
        match what {
            "missing" => fs::remove_file(layout.anchor()).unwrap(),
            "damaged" => fs::write(layout.anchor(), b"no anchor").unwrap(),
            "foreign" => drop(Anchor::create(&layout.anchor(), other).unwrap()),
            _ => drop(Anchor::create(&layout.anchor(), above).unwrap()),
        }
        assert!(try_open(directory.path()).is_err_and(|error| expected(&error)), "{what}");
        assert_eq!(recover(&layout, None).unwrap(), Recovered { head, holds_anchor: false }, "{what}");
        assert!(try_open(directory.path()).is_err(), "{what}: looking alone accepts nothing");
        recover(&layout, Some(Position { seq: head.seq, hash: head.hash })).unwrap();
        assert_eq!(open(directory.path()).head(), head, "{what}");
        assert_eq!(recover(&layout, None).unwrap(), Recovered { head, holds_anchor: true }, "nothing is wrong");
    }
    // Nothing is wrong either where a process died between the record and the anchor.
    drop(Anchor::create(&layout.anchor(), Head::default()).unwrap());
    assert!(recover(&layout, None).unwrap().holds_anchor);
}

#[test]
fn an_illegal_record_stops_the_start() {
    let (directory, _, _) = filled(1);
    let mut log = open(directory.path());
    append(&mut log, |head| {
        let mut again = Record::decode(record(head, 0).bytes()).unwrap();
        again.events.push(Event::LogStarted { log: Id([2; 16]) });
        again.encode().unwrap()
    });
    drop(log);
    let Err(OpenError::Illegal(illegal)) = try_open(directory.path()) else { panic!("opened") };
    assert_eq!((illegal.seq, illegal.index), (2, 1));
}

#[test]
fn a_crash_at_any_point_of_the_creation_leaves_a_directory_that_starts() {
    for point in ["nothing", "new anchor", "anchor", "empty log directory", "log"] {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        match point {
            "nothing" => {}
            "new anchor" => fs::write(layout.anchor().with_extension("new"), b"half").unwrap(),
            "log" => drop(open(directory.path())),
            _ => drop(Anchor::create(&layout.anchor(), Head::default()).unwrap()),
        }
        if point == "empty log directory" {
            fs::create_dir(layout.log()).unwrap();
        }
        let mut log = open(directory.path());
        append(&mut log, |head| record(head, 1));
        drop(log);
        assert_eq!(open(directory.path()).head().seq, 1, "{point}");
    }
}

#[test]
fn an_empty_log_is_begun_only_in_an_unused_directory() {
    let allowed: [&[&str]; 3] = [&[], &["lock"], &["lock", "lost+found", "anchor.new"]];
    for names in allowed {
        let directory = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| fs::write(directory.path().join(name), b"").unwrap());
        open(directory.path());
    }
    for name in ["segments", "blobs", "uploads", "logs", ".hidden", "anchor.old"] {
        let directory = tempfile::tempdir().unwrap();
        for entry in ["lock", name] {
            fs::create_dir(directory.path().join(entry)).unwrap();
        }
        for _ in 0..2 {
            let Err(error) = try_open(directory.path()) else { panic!("began a log beside {name}") };
            let message = error.to_string();
            let root = directory.path().display().to_string();
            for part in [&root, name, "neither `log` nor `anchor`", "--data"] {
                assert!(message.contains(part), "{message}");
            }
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "a refused start left something behind");
        }
    }
}

#[test]
fn a_history_that_is_gone_is_not_begun_anew() {
    let (directory, layout, _) = filled(2);
    fs::create_dir(layout.segments()).unwrap();
    fs::remove_dir_all(layout.log()).unwrap();
    fs::remove_file(layout.anchor()).unwrap();
    assert!(matches!(try_open(directory.path()), Err(OpenError::NotEmpty { .. })));
}

#[test]
fn a_data_file_cut_anywhere_is_refused_and_never_panics() {
    let (directory, layout, head) = filled(12);
    let file = layout.log().join("db");
    let whole = fs::read(&file).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let kept = anchor::read(&layout.anchor()).unwrap();
    assert_eq!(kept, head);
    for length in (0..used).step_by(used / 64) {
        // Every attempt begins with the log directory as it was: sled rewrites what it opens.
        fs::remove_dir_all(layout.log()).unwrap();
        fs::create_dir(layout.log()).unwrap();
        fs::write(&file, &whole[..length]).unwrap();
        let opened = try_open(directory.path());
        assert!(opened.is_err(), "{length} of {used} bytes made a log that ends at {}", opened.unwrap().log.head().seq);
        assert_eq!(anchor::read(&layout.anchor()).unwrap(), head, "a refused start moved the anchor");
    }
}

fn reopened(root: &Path) -> UnverifiedLog {
    // sled frees its lock a moment after it was dropped.
    let mut tries = 0..100;
    loop {
        match UnverifiedLog::open(&Layout::new(root), Options::default()) {
            Ok(log) => return log,
            Err(error) if tries.next().is_none() => panic!("{error}"),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    }
}

#[test]
fn a_known_record_is_one_that_the_log_holds_at_or_below_its_anchor() {
    let (directory, layout, _) = filled(1);
    let mut log = open(directory.path());
    let mut heads = vec![log.head()];
    (2..=4).for_each(|_| heads.push(append(&mut log, |head| record(head, 9_000)).head()));
    drop(log);
    for known in &heads {
        let log = reopened(directory.path());
        assert!(log.holds(known), "{known}");
        let others = [
            Head { seq: known.seq + 1, ..*known },
            Head { hash: RecordHash([7; 32]), ..*known },
            Head { time: known.time.next(), ..*known },
            Head { seq: 99, ..*known },
            Head::default(),
        ];
        others.iter().for_each(|other| assert!(!log.holds(other), "{other}"));
        let mut seen = Vec::new();
        let verified = log.verify_after(*known, &mut |record: &Record| {
            seen.push(record.seq);
            Ok(())
        });
        assert_eq!(log.accept(&verified.unwrap()).unwrap().log.head(), heads[3]);
        assert_eq!(seen, (known.seq + 1..=4).collect::<Vec<_>>());
    }
    // A record behind the anchor may be cut off at any moment, so nothing stands on it.
    drop(Anchor::create(&layout.anchor(), heads[1]).unwrap());
    let log = reopened(directory.path());
    let held: Vec<_> = heads.iter().map(|head| log.holds(head)).collect();
    assert_eq!(held, [true, true, false, false]);
}

#[test]
fn what_is_behind_a_known_record_is_verified_and_what_is_torn_there_is_cut_off() {
    let (directory, layout, head) = filled(3);
    let torn = {
        let log = open(directory.path());
        let next = record(&head, 9_000);
        log.tree.tree_for_tests().insert(first_key(4), &next.bytes()[..100]).unwrap();
        log.tree.tree_for_tests().flush().unwrap();
        next
    };
    let log = reopened(directory.path());
    let verified = log.verify_after(head, &mut |_: &Record| Ok(())).unwrap();
    let opened = log.accept(&verified).unwrap();
    assert_eq!((opened.cut_off, opened.log.head()), (1, head));
    drop(opened);
    drop(Anchor::create(&layout.anchor(), torn.head()).unwrap());
    let refused = reopened(directory.path()).verify_after(head, &mut |_: &Record| Ok(()));
    assert!(matches!(refused, Err(OpenError::BelowAnchor { .. })));
}
