//! What becomes of those who ask while the index is behind, in doubt or of another log, and when it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use tagstone_replay::audit::index::Limits;
use tagstone_replay::audit::{Kind, Order, Place, Term};
use tagstone_replay::content::Layout;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Id, Origin, Record, RecordHash, Timestamp};

use super::super::{HistoryError, Resume};
use super::*;
use crate::registry::Published;

/// A log of starts, and its fold.
struct Told {
    directory: tempfile::TempDir,
    log: EmbeddedLog,
    state: State,
    records: Vec<Record>,
}

impl Told {
    fn new(records: Seq, id: u8) -> Self {
        let mut told = Self::harmed(records, id, 0, 0);
        for record in &told.records {
            told.state.apply(record).unwrap();
        }
        told
    }

    /// One record does not follow the one before it, and one begins the log again.
    fn harmed(records: Seq, id: u8, broken: Seq, illegal: Seq) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(&Layout::new(directory.path()), Options::default(), &mut |_| Ok(())).unwrap().log;
        let mut told = Self { directory, log, state: State::default(), records: Vec::new() };
        let (mut head, mut encoded) = (Head::default(), Vec::new());
        for seq in 1..=records {
            let begins = seq == 1 || seq == illegal;
            let event = if begins { Event::LogStarted { log: Id([id; 16]) } } else { started(seq) };
            let prev = if seq == broken { RecordHash([7; 32]) } else { head.hash };
            let record = Record { seq, prev, time: Timestamp(seq as i64), ..told.record(event) };
            encoded.push(record.encode().unwrap());
            head = encoded.last().unwrap().head();
            told.records.push(record);
        }
        told.log.append(&Head::default(), &encoded).unwrap();
        told
    }

    fn record(&self, event: Event) -> Record {
        let (actor, origin) = (Actor::system("test"), Origin::default());
        let (format, prev) = (FORMAT_VERSION, RecordHash::ZERO);
        Record { format, seq: 1, time: Timestamp(1), prev, actor, origin, events: vec![event] }
    }

    fn index(&self) -> PathBuf {
        Layout::new(self.directory.path()).index()
    }

    /// What a start finds that folds from behind a record on, as one that begins with a snapshot does.
    fn resumed(&self, folded_from: usize) -> Behind {
        let (mut state, mut resume) = (State::alone(), Resume::new(self.index()));
        for (at, record) in self.records.iter().enumerate() {
            if at >= folded_from {
                resume.pass(&mut state, record);
            }
            state.apply(record).unwrap();
        }
        state.share();
        resume.finish(&mut state, self.log.head(), self.log.reader())
    }

    /// Leaves an index of the records up to a place, in two runs.
    fn leave_index(&self, until: usize) {
        let index = AuditIndex::open_with(&self.index(), Limits::default()).unwrap();
        let mut state = State::default();
        for (at, record) in self.records[..until].iter().enumerate() {
            let head = record.encode().unwrap().head();
            index.add(&Folded::apply(&mut state, record.clone()).unwrap(), head).unwrap();
            if at == until / 2 {
                index.flush().unwrap();
            }
        }
        index.close().unwrap();
    }

    fn newest(&self) -> Snapshot {
        Snapshot { state: self.state.clone(), head: self.log.head() }
    }
}

fn started(seq: Seq) -> Event {
    Event::ServerStarted { version: seq.to_string() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// How many starts the history knows.
fn starts(history: &History, seq: Seq) -> Result<usize, String> {
    let archive = block_on(history.archive(seq)).map_err(|error| error.to_string())?;
    let found = archive.events_of(Term::Kind(Kind::ServerStarted), Place::first_of(0), Order::Ascending);
    let found: Result<Vec<_>, _> = found.collect();
    found.map(|found| found.len()).map_err(|error| error.to_string())
}

#[test]
fn whatever_a_start_finds_the_history_is_whole() {
    const ALL: usize = 2_500;
    type Harm = fn(&Path);
    let cases: [(&str, usize, Harm, usize, Seq); 8] = [
        ("nothing", 0, |_| {}, 0, 0),
        ("all", ALL, |_| {}, 0, ALL as Seq),
        ("a part", 1_700, |_| {}, 0, 1_700),
        ("all, of a log that is folded from a snapshot", ALL, |_| {}, 2_000, ALL as Seq),
        ("a part that a snapshot is behind", 1_700, |_| {}, 1_600, 1_700),
        ("a part that is behind a snapshot", 1_700, |_| {}, 2_000, 0),
        ("nothing behind a snapshot", 0, |_| {}, 2_000, 0),
        ("a part that is cut off", 1_700, |index| drop(fs::remove_file(last(index))), 0, 851),
    ];
    let told = Told::new(ALL as Seq, 1);
    for (what, indexed, harm, folded_from, reached) in cases {
        let _ = fs::remove_dir_all(told.index());
        told.leave_index(indexed);
        harm(&told.index());
        let behind = told.resumed(folded_from);
        assert_eq!(behind.reached.head.seq, reached, "{what}");
        assert_eq!(follow(behind, &told), Ok(ALL - 1), "{what}");
        // A clean stop has left all of it.
        assert_eq!(AuditIndex::open(&told.index()).unwrap().durable(), told.log.head(), "{what}");
    }
}

#[test]
fn a_stop_on_the_way_leaves_what_the_next_start_goes_on_with() {
    let told = Told::new(2_500, 1);
    let behind = told.resumed(0);
    let (published, newer) = Published::followed(told.newest());
    let (follower, history) = Follower::new(behind, newer);
    // Nobody publishes any more before it begins, and there is news.
    published.publish(told.newest());
    drop((published, history));
    assert_eq!(follower.run(), None);
    assert_eq!(AuditIndex::open(&told.index()).unwrap().durable().seq, UNTIL_A_LOOK);

    let behind = told.resumed(0);
    assert_eq!(behind.reached.head.seq, UNTIL_A_LOOK);
    assert_eq!(follow(behind, &told), Ok(2_499));
}

#[test]
fn what_is_wrong_first_is_told() {
    let cases = [(1, 0, 1), (16, 0, 16), (17, 0, 17), (40, 0, 40), (20, 18, 18), (20, 22, 20), (0, 40, 40)];
    for (broken, illegal, wrong) in cases {
        let told = Told::harmed(40, 1, broken, illegal);
        let (index, records) = (AuditIndex::open(&told.index()), told.log.reader());
        let (published, newer) = Published::followed(told.newest());
        let (follower, history) = Follower::new(Behind { index, records, reached: Snapshot::default() }, newer);
        drop((published, history));
        let damage = follower.run().unwrap().to_string();
        assert!(damage.contains(&format!("record {wrong} ")), "{broken} {illegal}: {damage}");
    }
}

#[test]
fn what_is_written_and_not_published_is_not_followed() {
    let told = Told::new(40, 1);
    for published_until in [1, 15, 16, 17, 33] {
        let _ = fs::remove_dir_all(told.index());
        let behind = told.resumed(0);
        let mut newest = Snapshot::default();
        for record in &told.records[..published_until] {
            newest.state.apply(record).unwrap();
            newest.head = record.encode().unwrap().head();
        }
        let head = newest.head;
        let (published, newer) = Published::followed(newest);
        let (follower, history) = Follower::new(behind, newer);
        drop((published, history));
        assert_eq!(follower.run(), None);
        assert_eq!(AuditIndex::open(&told.index()).unwrap().durable(), head);
    }
}

#[test]
fn the_index_of_another_log_is_thrown_away() {
    let (told, longer, shorter) = (Told::new(20, 1), Told::new(30, 2), Told::new(10, 3));
    for (other, records) in [(&longer, 30), (&shorter, 10)] {
        // Its last record is passed by the fold of a start, or only by the follower's, or lies behind the end.
        for folded_from in [0, 15] {
            let _ = fs::remove_dir_all(told.index());
            let _ = fs::remove_dir_all(other.index());
            other.leave_index(records);
            fs::rename(other.index(), told.index()).unwrap();
            let behind = told.resumed(folded_from);
            assert_eq!(behind.reached.head, Head::default());
            assert_eq!(follow(behind, &told), Ok(19), "{records} records, folded from {folded_from}");
        }
    }
}

fn last(index: &Path) -> PathBuf {
    fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path()).max().unwrap()
}

/// Follows to the end, and asks meanwhile.
fn follow(behind: Behind, told: &Told) -> Result<usize, String> {
    let (published, newer) = Published::followed(told.newest());
    let (follower, history) = Follower::new(behind, newer);
    let following = thread::spawn(move || follower.run());
    let found = starts(&history, told.log.head().seq);
    // It ends with the last one that could publish.
    drop((published, history));
    following.join().unwrap();
    found
}

#[test]
fn what_is_found_to_be_damaged_is_made_anew_at_once() {
    let told = Told::new(1_200, 1);
    told.leave_index(1_200);
    let run = last(&told.index());
    let mut bytes = fs::read(&run).unwrap();
    // In its first block: nobody sees it when the run is opened.
    bytes[100] ^= 1;
    fs::write(&run, bytes).unwrap();
    let behind = told.resumed(0);
    assert_eq!(behind.reached.head, told.log.head());
    let (_published, newer) = Published::followed(told.newest());
    let (follower, history) = Follower::new(behind, newer);
    let following = thread::spawn(move || follower.run());
    let failed = starts(&history, 1_200).unwrap_err();
    assert!(failed.contains("a checksum is wrong"), "{failed}");
    assert_eq!(starts(&history, 1_200), Ok(1_199));
    drop((_published, history));
    following.join().unwrap();
}

#[test]
fn a_failure_is_told_and_not_waited_for() {
    for failure in ["short", "absent", "in the way"] {
        let told = Told::new(3, 1);
        if failure == "in the way" {
            fs::write(told.index(), b"").unwrap();
        }
        let (mut behind, mut newest) = (told.resumed(0), told.newest());
        match failure {
            "short" => newest.head = Head { seq: 4, hash: RecordHash::ZERO, ..newest.head },
            "absent" => fs::remove_dir_all(told.index()).unwrap(),
            _ => assert!(behind.index.is_err()),
        }
        if failure == "absent" {
            // The first flush fails, and so does the first one after it was made anew.
            behind.index = AuditIndex::open_with(&told.index(), Limits { postings: 1, ..Limits::default() });
            fs::remove_dir_all(told.index()).unwrap();
        }
        let seq = newest.head.seq;
        let (_published, newer) = Published::followed(newest);
        let (follower, history) = Follower::new(behind, newer);
        let following = thread::spawn(move || follower.run());
        // A log that lacks a record is damaged, which no restart mends; the index is made anew by one.
        let damage = (failure == "short").then(|| Arc::new(LogDamage::Short { found: 3, expected: 4 }));
        let why = damage.clone().map_or(HistoryError::Failed, HistoryError::Damaged);
        assert_eq!(block_on(history.archive(seq)).map(drop), Err(why.clone()), "{failure}");
        assert_eq!(block_on(history.archive(1)).map(drop), Err(why), "{failure}");
        assert_eq!(following.join().unwrap(), damage, "{failure}");
    }
}
