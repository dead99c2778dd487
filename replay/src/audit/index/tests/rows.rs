//! How a tag's turns are read: at once what lies in a row, and nothing where the tag is not.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tagstone_schema::{RecordHash, Timestamp};

use super::*;
use crate::audit::index::merge::merged;
use crate::audit::index::run::{About, Run};
use crate::audit::index::run_writer::RunWriter;
use crate::audit::index::tag_filter::TagFilter;
use crate::audit::index::turn_cursor::TurnsOf;
use crate::audit::index::turn_rows::AT_ONCE;
use crate::audit::index::turns::TagKey;

const BUSY: TagKey = TagKey(3 << 120 | 77);

/// Keys as hashes are.
fn key(number: u64) -> TagKey {
    let hash = blake3::hash(&number.to_le_bytes());
    TagKey(u128::from_be_bytes(*hash.as_bytes().first_chunk().unwrap()))
}

fn turn(seq: u64) -> TagEntry {
    let (place, time, change) = (Place { seq, index: 1 }, Timestamp(seq.cast_signed() * 1_000), TagChange::Created);
    let (digest, media_type) = (Digest::sha256(*blake3::hash(&seq.to_le_bytes()).as_bytes()), "a/b".parse().unwrap());
    TagEntry { place, time, change, digest, size: seq, media_type }
}

/// A run of 10,000 records with so many turns of the busy tag, and one of each of 500 others.
fn run(directory: &Path, from: u64, busy: u64) -> Run {
    let (to, hash) = (from + 9_999, RecordHash::ZERO);
    let about = About { seed: 0, from, before: hash, to, hash, time: turn(to).time };
    let mut turns: Vec<_> = (0..busy).map(|turned| (BUSY, turn(from + turned * 2))).collect();
    turns.extend((from..from + 500).map(|seq| (key(seq), turn(seq))));
    turns.sort_by_key(|(key, turn)| (*key, turn.place));
    let mut writer = RunWriter::new(directory, about, 501).unwrap();
    turns.iter().for_each(|(key, turn)| writer.push_turn(*key, turn).unwrap());
    writer.finish().unwrap()
}

/// Runs with so many turns of the busy tag each, and all of these.
fn runs(directory: &Path, busy: &[u64]) -> (View, Vec<TagEntry>) {
    let from = |at: usize| 1 + 10_000 * at as u64;
    let runs: Vec<_> = busy.iter().enumerate().map(|(at, busy)| Arc::new(run(directory, from(at), *busy))).collect();
    let turns = busy.iter().enumerate().flat_map(|(at, busy)| (0..*busy).map(move |turned| from(at) + turned * 2));
    let reached = runs.last().unwrap().about().head();
    (View { runs: runs.into(), memory: Arc::default(), reached, seed: 0 }, turns.map(turn).collect())
}

fn told(view: &View, key: TagKey, stretch: Stretch, order: Order) -> Result<Vec<TagEntry>, IndexError> {
    TurnsOf::new(view, key, stretch, order).collect()
}

/// Overwrites all blocks of a run.
fn damage(run: &Run) {
    let last = run.footer.turns.last().unwrap().1;
    let file = OpenOptions::new().write(true).open(&run.file.path).unwrap();
    file.write_all_at(&vec![0xa5; usize::try_from(last.offset).unwrap()], 8).unwrap();
}

#[test]
fn a_tag_with_many_rows_in_some_runs_and_few_turns_in_others_is_told_from_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let (view, turns) = runs(directory.path(), &[3_000, 0, 4, 900, 0]);
    let blocks = |run: &Run| run.turn_blocks(|first| first.key <= BUSY) - run.turn_blocks(|first| first.key < BUSY);
    assert!(blocks(&view.runs[0]) > AT_ONCE + 5 && (5..AT_ONCE).contains(&blocks(&view.runs[3])));
    let whole = Stretch::up_to(Place::last_of(u64::MAX));
    for at in (0..turns.len()).step_by(131) {
        let (place, time) = (turns[at].place, turns[at].time);
        for (stretch, expected) in [
            (Stretch { first: place, ..whole }, &turns[at..]),
            (Stretch { since: Some(time), ..whole }, &turns[at + 1..]),
            (Stretch { last: place, ..whole }, &turns[..=at]),
            (Stretch { before: Some(time), ..whole }, &turns[..at]),
        ] {
            let mut expected = expected.to_vec();
            assert_eq!(told(&view, BUSY, stretch, Order::Ascending).unwrap(), expected);
            expected.reverse();
            assert_eq!(told(&view, BUSY, stretch, Order::Descending).unwrap(), expected);
        }
    }
    for seq in [1, 30_499] {
        assert_eq!(told(&view, key(seq), whole, Order::Descending).unwrap(), [turn(seq)]);
    }
}

#[test]
fn what_lies_in_a_row_is_read_at_once() {
    for order in [Order::Ascending, Order::Descending] {
        let directory = tempfile::tempdir().unwrap();
        let (view, turns) = runs(directory.path(), &[3_000]);
        let mut told = TurnsOf::new(&view, BUSY, Stretch::up_to(Place::last_of(u64::MAX)), order);
        assert!(told.next().unwrap().is_ok());
        damage(&view.runs[0]);
        // A turn takes some 40 bytes, and a page has a thousand.
        let of_the_row = told.by_ref().take_while(Result::is_ok).count();
        assert!((1_000..2_000).contains(&of_the_row), "{of_the_row} of {}", turns.len());
        assert!(told.next().is_none() && view.runs[0].is_damaged());
    }
}

#[test]
fn a_run_without_the_tag_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let (view, turns) = runs(directory.path(), &[3, 0, 2]);
    let whole = Stretch::up_to(Place::last_of(u64::MAX));
    damage(&view.runs[1]);
    for order in [Order::Ascending, Order::Descending] {
        assert_eq!(told(&view, BUSY, whole, order).unwrap().len(), turns.len());
        // A filter is wrong about some, and then the damage is found.
        let answered = (0..500).filter(|seq| told(&view, key(20_001 + seq), whole, order).is_ok()).count();
        assert!((480..500).contains(&answered), "{answered}");
        assert!((0..500).all(|seq| told(&view, key(10_001 + seq), whole, order).is_err()));
    }
}

#[test]
fn a_filter_knows_what_was_added_and_little_else() {
    for count in [1, 2, 6, 7, 1_000, 20_000] {
        let mut filter = TagFilter::for_tags(count);
        (0..count).for_each(|number| filter.add(key(number)));
        assert_eq!(filter.tags(), count);
        assert!((0..count).all(|number| filter.may_have(key(number))));
        let wrong = (0..20_000).filter(|number| filter.may_have(key(number + 1_000_000))).count();
        assert!(wrong < 400, "{wrong} of 20,000 beside {count}");
    }
    assert!(!TagFilter::for_tags(0).may_have(BUSY));
    // A hash may be anything.
    for extreme in [TagKey(0), TagKey(u128::MAX), TagKey(1 << 64), TagKey((1 << 64) - 1)] {
        let mut filter = TagFilter::for_tags(3);
        filter.add(extreme);
        assert!(filter.may_have(extreme));
    }
}

#[test]
fn a_merged_run_knows_the_tags_of_all_and_counts_them_once() {
    let directory = tempfile::tempdir().unwrap();
    let (view, _) = runs(directory.path(), &[3, 0, 2]);
    let merged = merged(directory.path(), &view.runs, &AtomicBool::new(false)).unwrap();
    assert_eq!(merged.footer.tags.tags(), 1_501);
    let all = [0, 10_000, 20_000].into_iter().flat_map(|before| (1..=500).map(move |seq| key(before + seq)));
    assert!(all.chain([BUSY]).all(|key| merged.footer.tags.may_have(key)));
}
