//! Differences between the points of random histories.

use proptest::prelude::*;

use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, Timestamp};

use super::{Change, Difference};
use crate::fold::properties::{choices, decoded, history};
use crate::fold::{Moment, State};

/// The states behind `first` events and behind all of them.
fn folded(events: &[Event], first: usize) -> (State, State) {
    let (mut before, mut after) = (State::default(), State::default());
    for (at, event) in events.iter().enumerate() {
        let seq = at as u64 + 1;
        after.evolve(Moment { seq, time: Timestamp(seq.cast_signed()) }, event).unwrap();
        if seq == first as u64 {
            before = after.clone();
        }
    }
    (before, after)
}

#[test]
fn what_was_changed_and_changed_back_is_told() {
    let repository = || "acme/app".parse().unwrap();
    let digest = |n: u8| Digest::sha256([n; 32]);
    let manifest = |n: u8| Event::ManifestPushed {
        repository: repository(),
        digest: digest(n),
        size: 3,
        media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
        artifact_type: None,
        subject: None,
        references: [].into_iter().collect(),
    };
    let moved = |from: Option<u8>, to: u8| Event::TagMoved {
        repository: repository(),
        tag: "latest".parse().unwrap(),
        from: from.map(digest),
        to: digest(to),
    };
    let rule = |regex: &str| Rule::Immutability {
        pattern: Pattern { regex: regex.to_owned(), matches: true },
        include_referrer_tags: false,
    };
    let policy = Id([7; 16]);
    let events = [
        Event::LogStarted { log: Id([1; 16]) },
        manifest(1),
        manifest(2),
        moved(None, 1),
        Event::PolicyActivated { policy, scope: Scope::Registry, rule: rule("v.*") },
        moved(Some(1), 2),
        moved(Some(2), 1),
        Event::PolicyChanged { policy, rule: rule("w.*") },
        Event::PolicyChanged { policy, rule: rule("v.*") },
    ];
    let (before, after) = folded(&events, 5);
    let difference = Difference::between(&before, &after);
    assert_eq!(difference.count(), 2, "{difference:?}");
    assert_eq!((difference.tags[0].change, difference.policies[0].change), (Change::Returned, Change::Changed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn two_states_differ_if_and_only_if_their_fingerprints_do(choices in choices(), first in 0usize..100, length in 0usize..150) {
        let records = decoded(&history(&choices));
        let first = first * records.len() / 100;
        let last = (first + length).min(records.len() - 1);
        let (mut state, mut before) = (State::default(), None);
        for (at, record) in records.iter().enumerate().take(last + 1) {
            state.apply(record).unwrap();
            if at == first {
                before = Some(state.clone());
            }
        }
        let before = before.unwrap();
        let difference = Difference::between(&before, &state);
        let is_same = before.fingerprint() == state.fingerprint();
        prop_assert_eq!(difference.count() == 0, is_same, "{:?}", difference);
        prop_assert_eq!(Difference::between(&state, &state).count(), 0);
    }

    #[test]
    fn what_came_between_two_points_went_between_them_backwards(choices in choices(), half in 0usize..100) {
        let records = decoded(&history(&choices));
        let (mut state, half) = (State::default(), half * records.len() / 100);
        let mut before = State::default();
        for (at, record) in records.iter().enumerate() {
            state.apply(record).unwrap();
            if at == half {
                before = state.clone();
            }
        }
        let (forth, back) = (Difference::between(&before, &state), Difference::between(&state, &before));
        prop_assert_eq!(forth.count(), back.count());
        for (there, here) in forth.tags.iter().zip(&back.tags) {
            prop_assert_eq!((there.tag, there.from, there.to), (here.tag, here.to, here.from));
        }
    }
}
