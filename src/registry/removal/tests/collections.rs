//! What a collection may take.

use super::super::candidates::{Candidates, Limits, idle_manifests};
use super::*;

/// Everything is on the disk, with one byte.
fn there(_: &Digest) -> Option<u64> {
    Some(1)
}

fn going(candidates: &Candidates) -> Vec<u8> {
    let mut going: Vec<_> = candidates.going.iter().map(|content| content.digest.raw()[0]).collect();
    going.sort_unstable();
    going
}

/// The first event happens at 2.
#[test]
fn what_nothing_has_referred_to_for_long_enough() {
    let cases: Vec<(&str, Vec<Event>, i64, Vec<u8>, u64)> = vec![
        ("a blob within the grace period", vec![linked("a", 1)], 1, vec![], 1),
        ("a blob behind it", vec![linked("a", 1)], 2, vec![1], 0),
        ("one that an image names", vec![linked("a", 1), image("a", 20, &[1])], 9, vec![], 0),
        ("one whose image is gone lately", vec![linked("a", 1), image("a", 20, &[1]), deleted("a", 20)], 3, vec![], 2),
        ("and for long", vec![linked("a", 1), image("a", 20, &[1]), deleted("a", 20)], 4, vec![1, 20], 0),
        (
            "one that an image of another repository names, which has it",
            vec![linked("a", 1), linked("b", 1), image("b", 20, &[1])],
            9,
            vec![],
            0,
        ),
        ("one that two repositories have, one of them lately", vec![linked("a", 1), linked("b", 1)], 2, vec![], 1),
        ("one that two repositories have had for long", vec![linked("a", 1), linked("b", 1)], 3, vec![1], 0),
        ("one that was unlinked lately", vec![linked("a", 1), unlinked("a", 1)], 2, vec![], 1),
        ("and for long", vec![linked("a", 1), unlinked("a", 1)], 3, vec![1], 0),
        (
            "one that was unlinked, and is in another repository",
            vec![linked("a", 1), unlinked("a", 1), linked("b", 1), image("b", 20, &[1])],
            9,
            vec![],
            0,
        ),
        (
            "a repository that is gone",
            vec![linked("a", 1), image("a", 20, &[1]), Event::RepositoryDeleted { repository: name("a") }],
            4,
            vec![1, 20],
            0,
        ),
        (
            "a blob that is a manifest as well",
            vec![linked("a", 20), image("a", 20, &[]), tagged("a", "t", 20)],
            9,
            vec![],
            0,
        ),
        ("a manifest without a tag", vec![image("a", 20, &[])], 9, vec![], 0),
    ];
    for (case, events, grace_began, expected, kept) in cases {
        let limits = Limits { grace_began: Timestamp(grace_began), told_since: Timestamp(0) };
        let found = Candidates::of(&given(&events), limits, there);
        assert_eq!((going(&found), found.kept_in_grace), (expected, kept), "{case}");
    }
}

#[test]
fn what_clients_may_have_been_told_stays() {
    let state = given(&[linked("a", 1), linked("a", 2), unlinked("a", 2), image("a", 20, &[])]);
    // Noted since 50, and the grace period began at 49: somebody may have been told before that it is there.
    let found = |told_since| {
        let limits = Limits { grace_began: Timestamp(49), told_since: Timestamp(told_since) };
        let candidates = Candidates::of(&state, limits, there);
        let (idle, held) = idle_manifests(&state, Timestamp(49), limits);
        (going(&candidates), candidates.kept_in_grace, idle.len(), held)
    };
    // Nobody is told of what no repository has.
    assert_eq!(found(50), (vec![2], 1, 0, 1));
    assert_eq!(found(49), (vec![1, 2], 0, 1, 0));
}

#[test]
fn what_is_not_on_the_disk_cannot_go() {
    let state = given(&[linked("a", 1), unlinked("a", 1), linked("a", 2), unlinked("a", 2)]);
    let limits = Limits { grace_began: Timestamp(49), told_since: Timestamp(0) };
    let found = Candidates::of(&state, limits, |of| (*of == digest(2)).then_some(5));
    assert_eq!((going(&found), found.going[0].size), (vec![2], 5));
}

#[test]
fn manifests_that_nothing_holds() {
    // Each held by something else, from 2 on.
    let events = [
        image("a", 10, &[]),
        tagged("a", "t", 10),
        image("a", 11, &[]),
        index("a", 20, &[11]),
        referrer("a", 12, 10),
        referrer("a", 13, 99),
    ];
    let limits = Limits { grace_began: Timestamp(0), told_since: Timestamp(0) };
    let idle = |state: &State, before| {
        let (idle, kept) = idle_manifests(state, Timestamp(before), limits);
        let mut idle: Vec<_> = idle.into_iter().map(|(_, digest)| digest.raw()[0]).collect();
        idle.sort_unstable();
        (idle, kept)
    };
    // The index since 5, and the referrer of what is not here since 7.
    let state = given(&events);
    assert_eq!(
        [4, 5, 6, 7].map(|at| idle(&state, at)),
        [(vec![], 2), (vec![20], 1), (vec![20], 1), (vec![13, 20], 0),]
    );
    // What held them goes, at 8, 9: each is idle since then, whenever it was pushed.
    let state = given(&[&events[..], &[deleted("a", 10), deleted("a", 20)]].concat());
    assert_eq!(idle(&state, 7), (vec![13], 2));
    assert_eq!(idle(&state, 8), (vec![12, 13], 1));
    assert_eq!(idle(&state, 9), (vec![11, 12, 13], 0));
}
