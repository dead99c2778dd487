//! What each event does to tags: given what happened before, when this event comes, then these effects are told.

use super::*;
use crate::fold::{Effect, EndCause, Stood};
use tagstone_schema::{Actor, Head, Origin, Record};

fn shown(effect: Effect<'_>) -> String {
    let stood = |stood: Stood<'_>| format!("{}@{}", stood.manifest.digest.raw()[0], stood.since.seq);
    match effect {
        Effect::TagMoved { repository, tag, from, to } => {
            format!("{repository}:{tag} {} -> {}", from.map_or("none".to_owned(), stood), to.digest.raw()[0])
        }
        Effect::TagEnded { repository, tag, was, cause } => {
            format!("{repository}:{tag} {} ends: {cause:?}", stood(was))
        }
        Effect::PolicyConcerned { policy, scope } => format!("{policy} of {scope:?}"),
        Effect::TokenConcerned { user, label } => format!("a token of {user}: {label}"),
    }
}

/// The effects of a record behind these events, each with the place of its event.
fn effects(before: &[Event], events: Vec<Event>) -> Vec<String> {
    let mut state = given(before);
    let Moment { seq, time } = moment(before.len() + 2);
    let (actor, origin, prev) = (Actor::anonymous(), Origin::default(), Head::default().hash);
    let record = Record { format: 1, seq, time, prev, actor, origin, events };
    let (mut unobserved, mut told) = (state.clone(), Vec::new());
    state.apply_observed(&record, |index, effect| told.push(format!("{index} {}", shown(effect)))).unwrap();
    unobserved.apply(&record).unwrap();
    assert_eq!(state.fingerprint(), unobserved.fingerprint(), "whoever observes changes nothing");
    told
}

#[test]
fn every_event_tells_what_it_does_to_tags() {
    let (policy, run) = (id(7), id(8));
    let because = |cause| Event::TagsDeleted {
        repository: repository("a"),
        tags: vec![EndedTag { tag: tag("t"), was: digest(2) }],
        cause,
    };
    // `a` holds images 2 and 3 with the tags `t` and `u` (since records 4 and 5) on 2, and `w` (6) on 3; `b` has a `t` too.
    let base = [
        pushed("a", 2, &[], None),
        pushed("a", 3, &[], None),
        moved("a", "t", None, 2),
        moved("a", "u", None, 2),
        moved("a", "w", None, 3),
        pushed("b", 2, &[], None),
        moved("b", "t", None, 2),
    ];
    let lock = [&base[..], &[locked("a", "t")]].concat();
    let token = [issued(1)];
    let cases: Vec<(&[Event], Event, &[&str])> = vec![
        (&base, moved("a", "x", None, 3), &["0 a:x none -> 3"]),
        (&base, moved("a", "t", Some(2), 3), &["0 a:t 2@4 -> 3"]),
        (&base, ended("a", &[("u", 2), ("w", 3)]), &["0 a:u 2@5 ends: Request", "0 a:w 3@6 ends: Request"]),
        (&base, because(DeletionCause::Expiry), &["0 a:t 2@4 ends: Expiry"]),
        (&base, because(DeletionCause::Purge), &["0 a:t 2@4 ends: Purge"]),
        (&lock, erased("a", "t", 2), &["0 a:t 2@4 ends: Erased"]),
        (&base, deleted("a", 2), &["0 a:t 2@4 ends: ManifestDeleted", "0 a:u 2@5 ends: ManifestDeleted"]),
        (
            &base,
            gone("a"),
            &[
                "0 a:t 2@4 ends: RepositoryDeleted",
                "0 a:u 2@5 ends: RepositoryDeleted",
                "0 a:w 3@6 ends: RepositoryDeleted",
            ],
        ),
        (&base, linked("a", 1, 5, None), &[]),
        (&base, pushed("a", 4, &[], None), &[]),
        (&base, locked("a", "t"), &[]),
        (&lock, unlocked("a", "t"), &[]),
        (&base, expiry("a", "t", Some(9)), &[]),
        (&base, activated(1, "x"), &[]),
        (&base, issued(1), &[]),
        (&token, revoked(1), &["0 a token of ci: a label"]),
    ];
    for (before, event, expected) in cases {
        assert_eq!(effects(before, vec![event.clone()]), expected, "{event:?}");
    }
    let pruned = effects(&base, vec![because(DeletionCause::Prune { policy, run })]);
    assert_eq!(pruned, [format!("0 a:t 2@4 ends: {:?}", EndCause::Prune { policy, run })]);
    let several = vec![moved("a", "t", Some(2), 3), gone("b"), moved("a", "t", Some(3), 2)];
    assert_eq!(effects(&base, several), ["0 a:t 2@4 -> 3", "1 b:t 2@8 ends: RepositoryDeleted", "2 a:t 3@9 -> 2"]);
}

#[test]
fn what_is_refused_tells_nothing_and_changes_nothing() {
    let base = [
        pushed("a", 2, &[], None),
        pushed("a", 3, &[], None),
        moved("a", "t", None, 2),
        moved("a", "w", None, 3),
        locked("a", "w"),
    ];
    for event in [
        moved("a", "x", None, 9),
        moved("a", "t", Some(2), 9),
        moved("a", "t", Some(3), 3),
        moved("a", "w", Some(3), 2),
        ended("a", &[("t", 2), ("w", 3)]),
        erased("a", "t", 3),
        deleted("a", 3),
        gone("a"),
        unlocked("a", "t"),
    ] {
        let (mut state, mut told) = (given(&base), Vec::new());
        let before = state.fingerprint();
        state.evolve_observed(moment(9), &event, &mut |effect| told.push(shown(effect))).unwrap_err();
        assert_eq!((told, state.fingerprint()), (vec![], before), "{event:?}");
    }
}
