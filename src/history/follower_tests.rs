//! What becomes of those who ask while the index is behind, and when it fails.

use std::thread;

use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::index::CatchUp;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Head, Id, Origin, Record, RecordHash, Timestamp};

use super::super::HistoryError;
use super::*;
use crate::registry::Published;

/// A log of so many records, and an index of its first one.
fn behind(root: &std::path::Path, records: u64) -> (EmbeddedLog, Behind, Snapshot) {
    let (layout, options) = (Layout::new(root), Options::default());
    let mut log = EmbeddedLog::open(&layout, options, &mut |_| Ok(())).unwrap().log;
    let (mut state, mut index) = (State::default(), CatchUp::new(layout.index(), options, Default::default()));
    let mut reached = Snapshot::default();
    let mut found = None;
    for seq in 1..=records {
        let head = log.head();
        let events = vec![match seq {
            1 => Event::LogStarted { log: Id([1; 16]) },
            _ => Event::ServerStarted { version: seq.to_string() },
        }];
        let (actor, origin) = (Actor::system("test"), Origin::default());
        let (time, prev) = (Timestamp(seq as i64), head.hash);
        let record = Record { format: FORMAT_VERSION, seq, time, prev, actor, origin, events };
        log.append(&head, &[record.encode().unwrap()]).unwrap();
        if seq == 1 {
            index.apply(&mut state, &record).unwrap();
            reached = Snapshot { state: state.clone(), head: log.head() };
            found = Some(
                std::mem::replace(&mut index, CatchUp::new(layout.index(), options, Default::default()))
                    .finish(&log, log.head()),
            );
        } else {
            state.apply(&record).unwrap();
        }
    }
    let behind = Behind { index: found.unwrap(), audit: Default::default(), records: log.reader(), reached };
    let newest = Snapshot { state, head: log.head() };
    (log, behind, newest)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn whoever_asks_waits_for_what_was_published() {
    let directory = tempfile::tempdir().unwrap();
    let (_log, behind, newest) = behind(directory.path(), 2_500);
    let head = newest.head;
    let (published, newer) = Published::followed(newest);
    let (follower, history) = Follower::new(behind, newer);
    block_on(history.up_to(1)).unwrap();
    let following = thread::spawn(move || follower.run());
    let index = block_on(history.up_to(head.seq)).unwrap();
    let reached = index.reached().unwrap();
    assert_eq!((reached.seq, reached.hash), (head.seq, head.hash));
    // It ends with the last one that could publish.
    drop(published);
    following.join().unwrap();
}

#[test]
fn a_failure_is_told_and_not_waited_for() {
    let beyond = |newest: &Snapshot| Head { seq: newest.head.seq + 1, hash: RecordHash::ZERO, ..newest.head };
    // A record that is not there, and an index that could not be opened.
    for failure in ["short", "absent"] {
        let directory = tempfile::tempdir().unwrap();
        let (_log, mut behind, mut newest) = behind(directory.path(), 3);
        match failure {
            "short" => newest.head = beyond(&newest),
            _ => behind.index = Err(FollowError::Short { found: 1, expected: 2 }),
        }
        let seq = newest.head.seq;
        let (_published, newer) = Published::followed(newest);
        let (follower, history) = Follower::new(behind, newer);
        let following = thread::spawn(move || follower.run());
        assert_eq!(block_on(history.up_to(seq)).map(drop), Err(HistoryError::Failed), "{failure}");
        assert_eq!(block_on(history.up_to(1)).map(drop), Err(HistoryError::Failed), "{failure}");
        following.join().unwrap();
    }
}
