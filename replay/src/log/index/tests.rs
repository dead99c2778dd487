//! The index says what a list says that is kept by hand, whatever happens to it on the way.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;
use tagstone_schema::event::DeletionCause;
use tagstone_schema::record::Position;
use tagstone_schema::{Digest, EncodedRecord, Event, Head, Record, RepositoryName, Tag, Timestamp};

use super::*;
use crate::content::Layout;
use crate::fold::properties::{choices, decoded, history};
use crate::fold::{EndCause, State};
use crate::log::{EmbeddedLog, Log, Options};

/// An interval as the list has it: tag, digest, start, time, whether it was there before, and its end.
type Row = (String, Digest, Place, Timestamp, bool, Option<End>);

/// All intervals of each repository, in the order in which they began.
#[derive(Default)]
struct Naive {
    rows: BTreeMap<RepositoryName, Vec<Row>>,
}

impl Naive {
    fn of(records: &[EncodedRecord]) -> Self {
        let mut naive = Self::default();
        for record in decoded(records) {
            for (index, event) in (0..).zip(&record.events) {
                naive.event(Place { seq: record.seq, index }, record.time, event);
            }
        }
        naive
    }

    fn event(&mut self, place: Place, time: Timestamp, event: &Event) {
        let ended = |cause| End { place, time, ending: Ending::Ended(cause) };
        match event {
            Event::TagMoved { repository, tag, to, .. } => {
                let moved = End { place, time, ending: Ending::Moved };
                self.end(repository, moved, |name, _| name == tag.as_str());
                let rows = self.rows.entry(repository.clone()).or_default();
                let before = rows.iter().any(|row| row.0 == tag.as_str() && row.1 == *to);
                rows.push((tag.to_string(), to.clone(), place, time, before, None));
            }
            Event::TagsDeleted { repository, tags, cause } => {
                assert_eq!(*cause, DeletionCause::Request);
                let named = |name: &str| tags.iter().any(|ended| ended.tag.as_str() == name);
                self.end(repository, ended(EndCause::Request), |name, _| named(name));
            }
            Event::TagErased { repository, tag, .. } => {
                self.end(repository, ended(EndCause::Erased), |name, _| name == tag.as_str());
            }
            Event::ManifestDeleted { repository, digest } => {
                self.end(repository, ended(EndCause::ManifestDeleted), |_, on| on == digest);
            }
            Event::RepositoryDeleted { repository } => {
                self.end(repository, ended(EndCause::RepositoryDeleted), |_, _| true);
            }
            _ => {}
        }
    }

    fn end(&mut self, repository: &RepositoryName, end: End, ends: impl Fn(&str, &Digest) -> bool) {
        for row in self.rows.entry(repository.clone()).or_default() {
            if row.5.is_none() && ends(&row.0, &row.1) {
                row.5 = Some(end);
            }
        }
    }
}

fn row(interval: Interval) -> Row {
    let Interval { tag, start, stay } = interval;
    assert_eq!((stay.size, stay.is_index), (3, true), "every manifest of these histories is an index of three bytes");
    (tag.to_string(), stay.digest, start, stay.since, stay.is_reversion, stay.end)
}

/// Compares every walk, in pages of two.
fn compare(index: &TagIndex, naive: &Naive) {
    for name in ["team/r0", "team/r1", "team/r2"] {
        let repository: RepositoryName = name.parse().unwrap();
        let rows = naive.rows.get(&repository).cloned().unwrap_or_default();
        assert_eq!(index.knows(&repository).unwrap(), !rows.is_empty());
        let newest_first = |keep: &dyn Fn(&Row) -> bool| rows.iter().rev().filter(|row| keep(row)).cloned().collect();
        let tags: Vec<Tag> = (0..4).map(|n| format!("t{n}").parse().unwrap()).collect();
        let mut walks: Vec<(Walk<'_>, Vec<Row>)> =
            vec![(Walk::Repository, newest_first(&|_| true)), (Walk::Live, newest_first(&|row| row.5.is_none()))];
        walks.extend(tags.iter().map(|tag| (Walk::Tag(tag), newest_first(&|row| row.0 == tag.as_str()))));
        for (walk, expected) in walks {
            let mut found = Vec::new();
            loop {
                let page = index.list(&repository, walk, |_, _| true, (found.len(), 2), 1_000).unwrap();
                assert!(!page.is_cut_off);
                found.extend(page.intervals.into_iter().map(row));
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(found, expected, "{name}: {walk:?}");
        }
    }
}

/// Waits until sled's threads have let go of a database that was dropped. A process that starts anew never meets that.
fn wait_until_free(path: &Path) {
    let Ok(file) = File::open(path.join("db")) else { return };
    while file.try_lock().is_err() {
        std::thread::yield_now();
    }
}

/// A data directory as a process leaves it, and as the next one finds it.
struct Data(tempfile::TempDir);

impl Data {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn layout(&self) -> Layout {
        Layout::new(self.0.path())
    }

    /// Starts, and appends records that the index does not take.
    fn start(&self, appended: &[EncodedRecord]) -> (EmbeddedLog, TagIndex, State, Head) {
        let layout = self.layout();
        wait_until_free(&layout.log());
        wait_until_free(&layout.index());
        let (mut state, mut index) =
            (State::default(), CatchUp::new(layout.index(), Options::default(), Default::default()));
        let opened =
            EmbeddedLog::open(&layout, Options::default(), &mut |record: &Record| index.apply(&mut state, record));
        let mut log = opened.unwrap().log;
        let head = log.head();
        let index = index.finish(&log, head).unwrap();
        assert_eq!(index.reached().unwrap(), Position { seq: head.seq, hash: head.hash });
        log.append(&head, appended).unwrap();
        (log, index, state, head)
    }
}

/// Beside the entries, so that one sees whether an index was thrown away.
const MARK: &[u8] = b"zmark";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_index_agrees_with_a_list_that_is_kept_by_hand(choices in choices(), first in 0usize..100, second in 0usize..100) {
        let records = history(&choices);
        let place = |percent: usize| records.len() * percent / 100;
        let (early, late) = (place(first.min(second)), place(first.max(second)));
        let data = Data::new();
        // A start in an empty directory, and one that catches up from nothing.
        drop(data.start(&records[..early]));
        let (log, index, mut state, head) = data.start(&records[early..late]);
        compare(&index, &Naive::of(&records[..early]));
        index.tree.insert(MARK, b"").unwrap();
        // Followed, and cut off when a part of what is to come was written without its position.
        let mut indexer = Indexer::new(index, Default::default());
        let middle = early + (late - early) / 2;
        indexer.follow(log.reader().read(head.seq + 1), head, middle as u64, &mut state, |_| ControlFlow::Continue(())).unwrap();
        for record in decoded(&records[middle..late]) {
            indexer.apply(&mut state, &record).unwrap();
        }
        indexer.write(None).unwrap();
        drop((log, indexer));
        let (_log, index, ..) = data.start(&records[late..]);
        prop_assert!(index.tree.contains_key(MARK).unwrap(), "a sound index was thrown away");
        compare(&index, &Naive::of(&records[..late]));
        drop((_log, index));
        let (_log, index, ..) = data.start(&[]);
        prop_assert!(index.tree.contains_key(MARK).unwrap(), "a sound index was thrown away");
        compare(&index, &Naive::of(&records));
    }
}

/// A history with enough in it for every test.
fn long_history(salt: u8) -> Vec<EncodedRecord> {
    let choices: Vec<[u8; 4]> = (1u32..400)
        .map(|n| (n.wrapping_mul(2_654_435_761) ^ n.wrapping_mul(0x9e3b_11f7) >> 7 ^ u32::from(salt)).to_be_bytes())
        .collect();
    history(&choices)
}

#[test]
fn an_index_that_is_in_doubt_is_made_anew() {
    let records = long_history(0);
    let others = long_history(1);
    assert!(records.len() > 20 && others.len() > 20, "{} and {}", records.len(), others.len());
    let naive = Naive::of(&records);
    assert!(naive.rows.values().map(Vec::len).sum::<usize>() > 10);
    type Harm = fn(&Layout, &[EncodedRecord]);
    let cases: [(&str, Harm, bool); 7] = [
        ("nothing", |_, _| {}, true),
        ("removed", |layout, _| fs::remove_dir_all(layout.index()).unwrap(), false),
        ("garbage", |layout, _| fs::write(layout.index().join("db"), [0xa5; 100_000]).unwrap(), false),
        ("emptied", |layout, _| fs::write(layout.index().join("db"), b"").unwrap(), false),
        (
            "another version",
            |layout, _| {
                let db = sled::open(layout.index()).unwrap();
                let tree = db.open_tree("tags").unwrap();
                let mut about = tree.get(keys::ABOUT).unwrap().unwrap().to_vec();
                about[0] += 1;
                tree.insert(keys::ABOUT, about).unwrap();
            },
            false,
        ),
        ("of another log", |layout, others| of_another_log(layout, &others[..10]), false),
        ("ahead of the log", |layout, others| of_another_log(layout, others), false),
    ];
    for (name, harm, is_kept) in cases {
        let data = Data::new();
        drop(data.start(&records[..15]));
        let (log, index, ..) = data.start(&[]);
        index.tree.insert(MARK, b"").unwrap();
        drop((log, index));
        wait_until_free(&data.layout().index());
        harm(&data.layout(), &others);
        let (log, index, ..) = data.start(&records[15..]);
        assert_eq!(index.tree.contains_key(MARK).unwrap(), is_kept, "{name}");
        compare(&index, &Naive::of(&records[..15]));
        drop((log, index));
        let (_log, index, ..) = data.start(&[]);
        compare(&index, &naive);
    }
}

/// Puts the index of another log into the place of this one's.
fn of_another_log(layout: &Layout, records: &[EncodedRecord]) {
    let other = Data::new();
    drop(other.start(records));
    drop(other.start(&[]));
    wait_until_free(&other.layout().index());
    fs::remove_dir_all(layout.index()).unwrap();
    fs::rename(other.layout().index(), layout.index()).unwrap();
}

#[test]
fn only_a_closed_index_outlives_the_boot_it_was_written_in() {
    for is_closed in [false, true] {
        let data = Data::new();
        drop(data.start(&long_history(0)));
        let (log, index, ..) = data.start(&[]);
        index.tree.insert(MARK, b"").unwrap();
        drop(log);
        if is_closed {
            index.clone().close().unwrap();
        }
        // As if it had been written in another boot: the text is the last field but one.
        let mut about = index.tree.get(keys::ABOUT).unwrap().unwrap().to_vec();
        about[12] ^= 1;
        index.tree.insert(keys::ABOUT, about).unwrap();
        drop(index);
        let (_log, index, ..) = data.start(&[]);
        assert_eq!(index.tree.contains_key(MARK).unwrap(), is_closed);
        compare(&index, &Naive::of(&long_history(0)));
    }
}

#[test]
fn an_index_that_cannot_be_made_does_not_end_the_fold() {
    let data = Data::new();
    let records = long_history(0);
    drop(data.start(&records));
    wait_until_free(&data.layout().index());
    wait_until_free(&data.layout().log());
    fs::remove_dir_all(data.layout().index()).unwrap();
    fs::write(data.layout().index(), b"a file").unwrap();
    let (mut state, mut index) =
        (State::default(), CatchUp::new(data.layout().index(), Options::default(), Default::default()));
    let opened =
        EmbeddedLog::open(&data.layout(), Options::default(), &mut |record: &Record| index.apply(&mut state, record));
    let log = opened.unwrap().log;
    assert_eq!(log.head(), records.last().unwrap().head());
    assert!(matches!(index.finish(&log, log.head()), Err(FollowError::Index(_))));
}

#[test]
fn a_walk_looks_at_no_more_than_it_may() {
    let data = Data::new();
    drop(data.start(&long_history(0)));
    let (_log, index, ..) = data.start(&[]);
    let naive = Naive::of(&long_history(0));
    let (repository, rows) = naive.rows.iter().max_by_key(|(_, rows)| rows.len()).unwrap();
    for most in [0, 1, rows.len() - 1, rows.len(), rows.len() + 1] {
        let none = index.list(repository, Walk::Repository, |_, _| false, (0, 10), most).unwrap();
        let cut = most < rows.len();
        assert_eq!(none, Listed { intervals: Vec::new(), has_more: cut, is_cut_off: cut }, "{most} of {}", rows.len());
    }
    let full = index.list(repository, Walk::Repository, |_, _| true, (0, 2), 3).unwrap();
    assert_eq!((full.intervals.len(), full.has_more, full.is_cut_off), (2, true, false));
}
