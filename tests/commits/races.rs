//! Clients that race for one tag: what they were told is one order of what happened, and the log's.

use std::collections::BTreeMap;

use tagstone::registry::{Condition, Published, PutManifest, Submission, WriterHandle};
use tagstone_replay::log::Log;
use tagstone_schema::{Digest, Event, Seq};

use crate::commands::{delete_tag, digest_of, image, put};
use crate::registry::{Answer, Registry, block_on, records, told_by};

/// A change of the tag: what it replaced (nothing: it was created), and what by (nothing: it was deleted).
type Change = (Option<Digest>, Option<Digest>);

/// The change that a client asks for, and how.
fn attempt(name: &str, turn: u32, standing: Option<Digest>) -> (Change, Submission) {
    match standing {
        Some(digest) if turn % 7 == 6 => {
            let condition = Condition::PointsAt(vec![digest.clone()]);
            ((Some(digest), None), delete_tag("a", "x", condition))
        }
        standing => {
            let manifest = format!("{name} {turn}");
            let condition = match &standing {
                Some(digest) => Condition::PointsAt(vec![digest.clone()]),
                None => Condition::Absent,
            };
            let change = (standing, Some(digest_of(&manifest)));
            (change, put(PutManifest { condition, ..image("a", &manifest, &[], &["x"]) }))
        }
    }
}

/// Compare-and-swap on the tag `a:x`, again and again. Returns what was acknowledged.
fn client(handle: &WriterHandle, published: &Published, name: &str, turns: u32) -> Vec<(Seq, Change)> {
    let mut won = Vec::new();
    let mut known = 0;
    for turn in 0..turns {
        let (standing, head) = {
            let seen = published.load();
            let tag = seen.state.repository("a").and_then(|repository| repository.tag("x"));
            (tag.map(|state| state.digest().clone()), seen.head.seq)
        };
        assert!(head >= known, "a reader went back from {known} to {head}");
        known = head;
        let (change, submission) = attempt(name, turn, standing);
        match block_on(handle.submit(submission)).into() {
            Answer::Committed(seq) => {
                assert!(published.load().head.seq >= seq, "an acknowledged change is not seen");
                won.push((seq, change));
            }
            Answer::Rejected(_) => {}
            other => panic!("{other:?}"),
        }
    }
    won
}

#[test]
fn every_swap_that_was_acknowledged_saw_the_winner_before_it() {
    let (mut registry, log) = Registry::in_memory(16);
    registry.start();
    let clients: Vec<_> = (0..8)
        .map(|client_number| {
            let (handle, published) = (registry.handle.clone(), registry.published.clone());
            std::thread::spawn(move || client(&handle, &published, &format!("client {client_number}"), 60))
        })
        .collect();
    let won: Vec<_> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let by_seq: BTreeMap<_, _> = won.iter().cloned().collect();
    assert_eq!(by_seq.len(), won.len(), "no record has two winners");

    let mut standing = None;
    for (before, after) in by_seq.values() {
        assert_eq!(before, &standing, "the winner saw what the one before it left");
        standing.clone_from(after);
    }
    assert_eq!(told(&log), by_seq, "the log says what the clients were told");
    assert_eq!(registry.seen(), told_by(&log));
    assert!(by_seq.len() >= 60, "only {} swaps succeeded", by_seq.len());
}

/// The changes of the tag, as the log has them.
fn told(log: &impl Log) -> BTreeMap<Seq, Change> {
    let mut changes = BTreeMap::new();
    for record in records(log) {
        for event in record.events {
            match event {
                Event::TagMoved { from, to, .. } => changes.insert(record.seq, (from, Some(to))),
                Event::TagsDeleted { tags, .. } => changes.insert(record.seq, (Some(tags[0].was.clone()), None)),
                _ => None,
            };
        }
    }
    changes
}
