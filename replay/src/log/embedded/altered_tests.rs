//! Logs in which a whole record was altered: the one that is named, what is cut off, and what an operator can accept.

use tagstone_schema::{Actor, Position, Record, RecordHash};

use super::super::pages::first_key;
use super::tests::{append, open, record, try_open};
use super::*;
use crate::log::chain::BrokenWhy;
use crate::log::recover;

/// Ten records in a log that is closed, and their heads; the first one of these is that of the empty log.
fn sound() -> (tempfile::TempDir, Layout, Vec<Head>) {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let mut heads = vec![log.head()];
    heads.extend((0..10).map(|_| append(&mut log, |head| record(head, 1)).head()));
    drop(log);
    let layout = Layout::new(directory.path());
    (directory, layout, heads)
}

/// The same, of which one was written anew as another one in the same place.
fn altered(seq: Seq) -> (tempfile::TempDir, Layout, Vec<Head>) {
    let (directory, layout, heads) = sound();
    let log = open(directory.path());
    let bytes = log.read(seq).next().unwrap().unwrap().bytes;
    let altered = Record { actor: Actor::system("somebody else"), ..Record::decode(&bytes).unwrap() };
    log.tree.tree_for_tests().insert(first_key(seq), altered.encode().unwrap().bytes()).unwrap();
    (directory, layout, heads)
}

/// Behind the last record two that name each other, and not the last one.
fn followed_by_strangers() -> (tempfile::TempDir, Head) {
    let (directory, _, heads) = sound();
    let log = open(directory.path());
    let mut before = Head { hash: RecordHash([7; 32]), ..heads[10] };
    for _ in 0..2 {
        let stranger = record(&before, 1);
        before = stranger.head();
        log.tree.tree_for_tests().insert(first_key(before.seq), stranger.bytes()).unwrap();
    }
    (directory, heads[10])
}

#[test]
fn an_altered_record_at_or_below_the_anchor_is_named_by_the_start() {
    for seq in [1, 5, 8, 9] {
        let (directory, _, _) = altered(seq);
        match try_open(directory.path()) {
            Err(OpenError::Broken(broken)) => {
                assert_eq!(broken.seq, seq);
                assert!(matches!(broken.why, BrokenWhy::Altered { by, .. } if by == seq + 1), "{broken}");
            }
            other => panic!("{seq}: {:?}", other.map(|opened| opened.cut_off)),
        }
    }
    let (directory, ..) = altered(10);
    assert!(matches!(try_open(directory.path()), Err(OpenError::AnchorDiffers { .. })));
}

#[test]
fn behind_the_anchor_what_was_altered_is_cut_off_and_the_anchor_itself_never_is() {
    // The anchor, the altered record, and how many are cut off.
    for (anchor, seq, cut) in [(3, 5, 6), (3, 4, 7), (3, 8, 3)] {
        let (directory, layout, heads) = altered(seq);
        Anchor::create(&layout.anchor(), heads[anchor]).unwrap();
        let opened = try_open(directory.path()).unwrap();
        assert_eq!((opened.log.head(), opened.cut_off), (heads[10 - cut], cut as u64), "{anchor} {seq}");
    }
    // Of the last two, nothing tells which it was, and neither was acknowledged.
    let (directory, layout, heads) = altered(9);
    Anchor::create(&layout.anchor(), heads[3]).unwrap();
    assert_eq!(try_open(directory.path()).unwrap().cut_off, 1);
    let (directory, head) = followed_by_strangers();
    let opened = try_open(directory.path()).unwrap();
    assert_eq!((opened.log.head(), opened.cut_off), (head, 2));
}

#[test]
fn an_operator_accepts_the_log_up_to_the_record_before_the_altered_one() {
    let (directory, layout, heads) = altered(6);
    std::fs::remove_file(layout.anchor()).unwrap();
    let found = recover(&layout, None).unwrap();
    assert_eq!((found.head, found.holds_anchor), (heads[5], false));
    let Head { seq, hash, .. } = found.head;
    recover(&layout, Some(Position { seq, hash })).unwrap();
    let opened = try_open(directory.path()).unwrap();
    assert_eq!((opened.log.head(), opened.cut_off), (heads[5], 5));
}
