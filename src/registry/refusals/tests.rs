//! How refused attempts are gathered, bounded and recorded.

use tagstone_replay::fold::Reason;
use tagstone_schema::{Digest, Origin, Record, RecordHash, RepositoryName, Tag, limits};

use super::*;
use crate::registry::command::{Command, Condition};
use crate::registry::rejection::{Act, Immutable, Protected};

fn delete(tag: &str, address: &str) -> Submission {
    let (repository, condition) = (repository("acme/app"), Condition::Always);
    let command = Command::DeleteTag { repository, tag: tag.parse().unwrap(), condition };
    Submission::new(Actor::anonymous(), Origin::new(String::new(), address.to_owned(), ""), command)
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn immutable(repository: &RepositoryName, tags: &[&str], act: Act, more: usize) -> Rejection {
    let tags = tags.iter().map(|tag| Protected {
        tag: tag.parse().unwrap(),
        digest: Digest::sha256([1; 32]),
        reasons: Vec::<Reason>::new(),
    });
    Rejection::Immutable(Box::new(Immutable { repository: repository.clone(), act, tags: tags.collect(), more }))
}

fn try_to_delete(refusals: &Refusals, tag: &str, at: i64) {
    let rejection = immutable(&repository("acme/app"), &[tag], Act::DeleteTags, 0);
    refusals.gather(&delete(tag, "192.0.2.1"), &rejection, Timestamp(at));
}

fn tags(list: &RefusedList) -> Vec<(String, u64)> {
    let tag = |entry: &RefusedEntry| entry.attempt.tag.as_ref().map(Tag::to_string).unwrap_or_default();
    list.entries.iter().map(|entry| (tag(entry), entry.tally.count)).collect()
}

fn taken(refusals: &Refusals) -> Option<(Vec<(String, u64)>, u64)> {
    let Event::AttemptsRefused { entries, others, .. } = refusals.take_pending()? else { panic!("another event") };
    let tag = |tag: Option<Tag>| tag.map(|tag| tag.to_string()).unwrap_or_default();
    Some((entries.into_iter().map(|entry| (tag(entry.tag), entry.count)).collect(), others))
}

#[test]
fn what_is_equal_is_one_entry() {
    let refusals = Refusals::default();
    for (tag, at) in [("a", 1), ("b", 2), ("a", 3), ("a", 4)] {
        try_to_delete(&refusals, tag, at);
    }
    let list = refusals.list(None, 10);
    assert_eq!(tags(&list), [("a".to_owned(), 3), ("b".to_owned(), 1)]);
    assert_eq!(list.entries[0].tally, Tally { first: Timestamp(1), last: Timestamp(4), count: 3 });
    let elsewhere = immutable(&repository("acme/app"), &["a"], Act::DeleteTags, 0);
    refusals.gather(&delete("a", "192.0.2.2"), &elsewhere, Timestamp(5));
    assert_eq!(refusals.list(None, 10).entries.len(), 3, "from another address it is another attempt");
    assert_eq!(tags(&refusals.list(Some(list.entries[0].place), 10)), [("b".to_owned(), 1)]);
}

#[test]
fn a_flood_is_bounded_and_counted() {
    let refusals = Refusals::default();
    for number in 0..20_000 {
        try_to_delete(&refusals, &format!("t{number}"), number);
    }
    let list = refusals.list(None, usize::MAX);
    assert_eq!((list.entries.len(), list.others), (8_000, 12_000));
    assert_eq!(tags(&list)[0], ("t19999".to_owned(), 1), "the newest are kept");
    let (entries, others) = taken(&refusals).unwrap();
    assert_eq!((entries.len(), others), (limits::REFUSAL_ENTRIES, 19_900));
    assert_eq!(taken(&refusals), None);
    assert_eq!(refusals.list(None, usize::MAX).entries.len(), 8_000, "what is recorded stays in the list");
}

#[test]
fn attempts_are_gathered_for_a_minute() {
    let refusals = Refusals::default();
    assert!(!refusals.is_due(Timestamp(i64::MAX)));
    try_to_delete(&refusals, "a", 1_000_000);
    try_to_delete(&refusals, "a", 60_000_000);
    for (now, is_due) in [(0, false), (60_999_999, false), (61_000_000, true)] {
        assert_eq!(refusals.is_due(Timestamp(now)), is_due, "{now}");
    }
    assert_eq!(taken(&refusals), Some((vec![("a".to_owned(), 2)], 0)));
    assert!(!refusals.is_due(Timestamp(i64::MAX)));
    try_to_delete(&refusals, "a", 70_000_000);
    assert_eq!(taken(&refusals), Some((vec![("a".to_owned(), 1)], 0)), "a record tells of its own minute");
    assert_eq!(tags(&refusals.list(None, 10)), [("a".to_owned(), 3)]);
}

#[test]
fn the_longest_names_fit_into_a_record() {
    let refusals = Refusals::default();
    let repository = repository(&"r".repeat(limits::REPOSITORY_NAME_BYTES));
    for number in 0..limits::REFUSAL_ENTRIES {
        let tag = format!("{number:0>128}");
        let to: Digest = format!("sha512:{}", "ab".repeat(64)).parse().unwrap();
        let rejection = immutable(&repository, &[&tag], Act::Move { to, contains_standing: false }, 0);
        let mut submission = delete(&tag, &"f".repeat(45));
        submission.actor.name = "n".repeat(limits::ACTOR_NAME_BYTES).into();
        refusals.gather(&submission, &rejection, Timestamp(1));
    }
    let event = refusals.take_pending().unwrap();
    let Event::AttemptsRefused { entries, others, .. } = &event else { panic!("{event:?}") };
    assert!(*others > 0 && entries.len() as u64 + others == limits::REFUSAL_ENTRIES as u64, "{others}");
    let record = Record {
        format: 1,
        seq: 1,
        time: Timestamp(1),
        prev: RecordHash::ZERO,
        actor: recorder(),
        origin: Origin::default(),
        events: vec![event],
    };
    record.encode().unwrap();
}

#[test]
fn an_attempt_on_very_many_tags_is_bounded_too() {
    let refusals = Refusals::default();
    let names: Vec<_> = (0..150).map(|number| format!("t{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let rejection = immutable(&repository("acme/app"), &names, Act::DeleteTags, 30);
    refusals.gather(&delete("t", ""), &rejection, Timestamp(1));
    let list = refusals.list(None, usize::MAX);
    assert_eq!((list.entries.len(), list.others), (100, 80));
}
