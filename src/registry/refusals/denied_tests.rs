//! That whoever is denied access displaces nothing but what was denied to himself.

use std::collections::BTreeMap;

use tagstone_schema::event::RefusedAttempt;
use tagstone_schema::{ActorKind, Digest, limits};

use super::*;
use crate::registry::command::{Command, Condition};
use crate::registry::rejection::{Act, Immutable, Protected};

/// How many entries there are, and of how many attempts, by actor and reason.
type Counts = BTreeMap<(String, &'static str), (usize, u64)>;

fn deny(refusals: &Refusals, kind: ActorKind, name: &str, repository: &str, at: i64) {
    let attempt = Attempt {
        actor: Actor { kind, name: name.into() },
        address: format!("192.0.2.{}", at % 250),
        repository: repository.parse().unwrap(),
        tag: None,
        digest: None,
        reason: RefusalReason::AccessDenied,
    };
    refusals.deny(attempt, Timestamp(at));
}

fn refuse_by_rule(refusals: &Refusals, tag: &str, at: i64) {
    let repository = || "acme/app".parse().unwrap();
    let command =
        Command::DeleteTag { repository: repository(), tag: tag.parse().unwrap(), condition: Condition::Always };
    let submission = Submission::new(Actor::anonymous(), tagstone_schema::Origin::default(), command);
    let tags = vec![Protected { tag: tag.parse().unwrap(), digest: Digest::sha256([1; 32]), reasons: Vec::new() }];
    let immutable = Immutable { repository: repository(), act: Act::DeleteTags, tags, more: 0 };
    refusals.gather(&submission, &Rejection::Immutable(Box::new(immutable)), Timestamp(at));
}

fn listed(refusals: &Refusals) -> (Counts, u64) {
    let list = refusals.list(None, usize::MAX);
    let entries = list.entries.iter().map(|entry| (&entry.attempt.actor, entry.attempt.reason, entry.tally.count));
    (counts(entries), list.others)
}

fn counts<'a>(entries: impl Iterator<Item = (&'a Actor, RefusalReason, u64)>) -> Counts {
    let mut counts = Counts::new();
    for (actor, reason, count) in entries {
        let (entries, attempts) = counts.entry((actor.name.to_string(), reason.code())).or_default();
        *entries += 1;
        *attempts += count;
    }
    counts
}

fn recorded(event: &Event) -> (Counts, u64) {
    let Event::AttemptsRefused { entries, others, .. } = event else { panic!("{event:?}") };
    let known: Vec<_> = entries.iter().filter_map(Attempt::recalled).collect();
    let entries = known.iter().map(|(attempt, tally)| (&attempt.actor, attempt.reason, tally.count));
    (counts(entries), *others)
}

fn expected(entries: &[(&str, RefusalReason, usize, u64)]) -> Counts {
    let entry = |(name, reason, entries, attempts): &(&str, RefusalReason, _, _)| {
        ((String::from(*name), reason.code()), (*entries, *attempts))
    };
    entries.iter().map(entry).collect()
}

#[test]
fn a_flood_of_denials_displaces_no_other_user_and_no_other_reason() {
    use RefusalReason::{AccessDenied, TagImmutable};
    let refusals = Refusals::default();
    // Before the flood, in it, and behind it; everybody comes from many addresses.
    refuse_by_rule(&refusals, "before", 1);
    deny(&refusals, ActorKind::User, "quiet", "acme/app", 2);
    for number in 0..20_000 {
        deny(&refusals, ActorKind::User, "stranger", &format!("f{number}"), 3 + number);
        if number == 10_000 {
            deny(&refusals, ActorKind::User, "quiet", "acme/app", 3 + number);
        }
    }
    deny(&refusals, ActorKind::User, "late", "acme/app", 30_000);
    refuse_by_rule(&refusals, "behind", 30_001);
    let told = expected(&[
        ("anonymous", TagImmutable, 2, 2),
        ("quiet", AccessDenied, 2, 2),
        ("stranger", AccessDenied, 10, 10),
        ("late", AccessDenied, 1, 1),
    ]);
    assert_eq!(listed(&refusals), (told.clone(), 19_990));
    let newest = refusals.list(None, 3).entries.pop().unwrap().attempt;
    assert_eq!(newest.repository.as_str(), "f19999", "the list has the newest of each");
    let event = refusals.take_pending().unwrap();
    assert_eq!(recorded(&event), (told.clone(), 19_990));

    // The same is there after a restart.
    let mut recalled = Recalled::default();
    recalled.add(&event);
    let restarted = Refusals::behind(1);
    restarted.recall(&recalled);
    assert_eq!(listed(&restarted), (told, 19_990));
}

#[test]
fn the_tokens_of_a_user_share_his_places() {
    let refusals = Refusals::default();
    for number in 0..50 {
        deny(&refusals, ActorKind::Token, &format!("stranger/t{number}"), "acme/app", number);
    }
    deny(&refusals, ActorKind::User, "stranger", "acme/app", 50);
    let (counts, others) = listed(&refusals);
    assert_eq!((counts.len(), others), (10, 41));
    assert!(counts.contains_key(&("stranger".to_owned(), "ACCESS_DENIED")), "{counts:?}");
    let (counts, others) = recorded(&refusals.take_pending().unwrap());
    assert_eq!((counts.len(), others), (10, 41));
}

#[test]
fn denials_of_very_many_users_are_bounded_and_make_room_among_themselves() {
    let refusals = Refusals::default();
    refuse_by_rule(&refusals, "before", 0);
    for number in 0..3_000 {
        deny(&refusals, ActorKind::User, &format!("u{number}"), "acme/app", 1 + number);
    }
    refuse_by_rule(&refusals, "behind", 4_000);
    let (counts, others) = listed(&refusals);
    assert_eq!((counts.len(), others), (2_001, 1_000));
    assert_eq!(counts[&("anonymous".to_owned(), "TAG_IMMUTABLE")], (2, 2));
    let (counts, others) = recorded(&refusals.take_pending().unwrap());
    assert_eq!((counts.len(), others), (limits::REFUSAL_ENTRIES / 2 + 1, 2_950));
    assert_eq!(counts[&("anonymous".to_owned(), "TAG_IMMUTABLE")], (2, 2));
}

#[test]
fn old_floods_of_denials_hide_no_older_refusal() {
    let entry = |name: &str, repository: &str, reason: RefusalReason| RefusedAttempt {
        first: Timestamp(1),
        last: Timestamp(1),
        actor: Actor { kind: ActorKind::User, name: name.into() },
        address: String::new(),
        repository: repository.parse().unwrap(),
        tag: None,
        digest: None,
        reason: reason.code().to_owned(),
        count: 1,
    };
    let event = |entries| Event::AttemptsRefused { since: Timestamp(1), until: Timestamp(1), entries, others: 0 };
    let mut recalled = Recalled::default();
    for minute in 0..300 {
        let flood = (0..50).map(|one| entry("stranger", &format!("f{minute}/{one}"), RefusalReason::AccessDenied));
        recalled.add(&event(flood.collect()));
    }
    recalled.add(&event(vec![entry("pusher", "acme/app", RefusalReason::TagImmutable)]));
    let refusals = Refusals::behind(1);
    refusals.recall(&recalled);
    let told = [("stranger", RefusalReason::AccessDenied, 10, 10), ("pusher", RefusalReason::TagImmutable, 1, 1)];
    assert_eq!(listed(&refusals), (expected(&told), 14_990));
}
