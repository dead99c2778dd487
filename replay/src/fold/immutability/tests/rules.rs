//! The rules one by one: given what happened, what may and what may not follow.

use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Tag, Timestamp};

use crate::fold::{Illegality, Moment, State};

fn a() -> RepositoryName {
    "acme/app".parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn digest(n: u8) -> Digest {
    Digest::sha256([n; 32])
}

fn pushed(n: u8) -> Event {
    Event::ManifestPushed {
        repository: a(),
        digest: digest(n),
        size: 7,
        media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
        artifact_type: None,
        subject: None,
        references: [].into_iter().collect(),
    }
}

fn moved(name: &str, from: Option<u8>, to: u8) -> Event {
    Event::TagMoved { repository: a(), tag: tag(name), from: from.map(digest), to: digest(to) }
}

fn ended(tags: &[(&str, u8)]) -> Event {
    let tags = tags.iter().map(|(name, was)| EndedTag { tag: tag(name), was: digest(*was) }).collect();
    Event::TagsDeleted { repository: a(), tags, cause: DeletionCause::Request }
}

fn erased(name: &str, was: u8) -> Event {
    Event::TagErased { repository: a(), tag: tag(name), was: digest(was), reason: "a leak".to_owned() }
}

fn locked(name: &str) -> Event {
    Event::TagLocked { repository: a(), tag: tag(name) }
}

fn unlocked(name: &str) -> Event {
    Event::TagUnlocked { repository: a(), tag: tag(name) }
}

fn expires(name: &str, at: Option<i64>) -> Event {
    Event::TagExpirySet { repository: a(), tag: tag(name), at: at.map(Timestamp) }
}

fn rule(regex: &str) -> Rule {
    Rule::Immutability { pattern: Pattern { regex: regex.to_owned(), matches: true }, include_referrer_tags: false }
}

fn drafted(regex: &str) -> Event {
    Event::PolicyDrafted { policy: Id([1; 16]), scope: Scope::Registry, rule: rule(regex) }
}

fn activated(regex: &str) -> Event {
    Event::PolicyActivated { policy: Id([1; 16]), scope: Scope::Registry, rule: rule(regex) }
}

fn changed(regex: &str) -> Event {
    Event::PolicyChanged { policy: Id([1; 16]), rule: rule(regex) }
}

fn retired() -> Event {
    Event::PolicyRetired { policy: Id([1; 16]) }
}

fn activated_again(regex: &str) -> Event {
    Event::PolicyActivated { policy: Id([2; 16]), scope: Scope::Registry, rule: rule(regex) }
}

fn manifest_deleted(n: u8) -> Event {
    Event::ManifestDeleted { repository: a(), digest: digest(n) }
}

fn repository_deleted() -> Event {
    Event::RepositoryDeleted { repository: a() }
}

/// The manifests 1 and 2, the tags v1 and latest on 1, then these events, each a record.
fn given(events: &[Event]) -> State {
    let mut state = State::default();
    let first = [Event::LogStarted { log: Id([1; 16]) }, pushed(1), pushed(2)];
    let base = [moved("v1", None, 1), moved("latest", None, 1)];
    for (seq, event) in (1..).zip(first.iter().chain(&base).chain(events)) {
        let at = Moment { seq, time: Timestamp(seq.cast_signed()) };
        state.evolve(at, event).unwrap_or_else(|why| panic!("{event:?}: {why}"));
    }
    state
}

fn protected(name: &str, n: u8) -> Illegality {
    Illegality::TagProtected { repository: a(), tag: tag(name), digest: digest(n) }
}

fn spent(name: &str, only: u8) -> Illegality {
    Illegality::NameSpent { repository: a(), tag: tag(name), only: digest(only) }
}

#[test]
fn what_may_follow_and_what_may_not() {
    let v = || activated("v.*");
    let gone = || vec![v(), retired(), ended(&[("v1", 1)])];
    type Case = (&'static str, Vec<Event>, Event, Result<(), Illegality>);
    let cases: Vec<Case> = vec![
        ("a draft enforces nothing", vec![drafted("v.*")], moved("v1", Some(1), 2), Ok(())),
        ("a policy holds for tags that are there", vec![v()], moved("v1", Some(1), 2), Err(protected("v1", 1))),
        ("a draft that was activated holds", vec![drafted("v.*"), v()], ended(&[("v1", 1)]), Err(protected("v1", 1))),
        ("what it does not select stays free", vec![v()], moved("latest", Some(1), 2), Ok(())),
        ("a full match is asked for", vec![activated("v")], moved("v1", Some(1), 2), Ok(())),
        ("one protected tag saves all", vec![v()], ended(&[("latest", 1), ("v1", 1)]), Err(protected("v1", 1))),
        ("a manifest under it stays", vec![v()], manifest_deleted(1), Err(protected("v1", 1))),
        ("another manifest goes", vec![v()], manifest_deleted(2), Ok(())),
        ("its repository stays", vec![v()], repository_deleted(), Err(protected("v1", 1))),
        ("it cannot expire", vec![v()], expires("v1", Some(9)), Err(protected("v1", 1))),
        ("its expiry can be taken away", vec![expires("v1", Some(9)), v()], expires("v1", None), Ok(())),
        ("the glass can be broken", vec![v()], erased("v1", 1), Ok(())),
        ("a new name can be made", vec![v()], moved("v2", None, 2), Ok(())),
        (
            "and is protected from then on",
            vec![v(), moved("v2", None, 2)],
            moved("v2", Some(2), 1),
            Err(protected("v2", 2)),
        ),
        ("a lock holds", vec![locked("latest")], moved("latest", Some(1), 2), Err(protected("latest", 1))),
        (
            "a lock that was lifted does not",
            vec![locked("latest"), unlocked("latest")],
            moved("latest", Some(1), 2),
            Ok(()),
        ),
        ("a retired policy does not", vec![v(), retired()], moved("v1", Some(1), 2), Ok(())),
        (
            "a changed policy frees what it no longer selects",
            vec![v(), changed("w.*")],
            moved("v1", Some(1), 2),
            Ok(()),
        ),
        (
            "and holds what it selects now",
            vec![v(), changed("latest")],
            ended(&[("latest", 1)]),
            Err(protected("latest", 1)),
        ),
        ("a spent name returns as it was", gone(), moved("v1", None, 1), Ok(())),
        ("and as nothing else", gone(), moved("v1", None, 2), Err(spent("v1", 1))),
        ("erased is spent", vec![v(), erased("v1", 1)], moved("v1", None, 2), Err(spent("v1", 1))),
        (
            "erased is spent also without a policy",
            vec![erased("latest", 1)],
            moved("latest", None, 2),
            Err(spent("latest", 1)),
        ),
        ("never protected is not spent", vec![v(), ended(&[("latest", 1)])], moved("latest", None, 2), Ok(())),
        (
            "locked once is spent",
            vec![locked("v1"), unlocked("v1"), ended(&[("v1", 1)])],
            moved("v1", None, 2),
            Err(spent("v1", 1)),
        ),
        (
            "protected before it moved away: as the last that was protected",
            vec![v(), retired(), moved("v1", Some(1), 2), ended(&[("v1", 2)])],
            moved("v1", None, 2),
            Err(spent("v1", 1)),
        ),
        (
            "erased where it moved to when it was free: as the last that was protected",
            vec![v(), retired(), moved("v1", Some(1), 2), erased("v1", 2)],
            moved("v1", None, 2),
            Err(spent("v1", 1)),
        ),
        (
            "protected at several: as the last",
            vec![v(), retired(), moved("v1", Some(1), 2), activated_again("v.*"), erased("v1", 2)],
            moved("v1", None, 1),
            Err(spent("v1", 2)),
        ),
        (
            "its manifest deleted",
            vec![v(), retired(), manifest_deleted(1), pushed(1)],
            moved("v1", None, 2),
            Err(spent("v1", 1)),
        ),
        (
            "its repository deleted, and made again",
            vec![v(), retired(), repository_deleted(), pushed(2)],
            moved("v1", None, 2),
            Err(spent("v1", 1)),
        ),
        (
            "returned, it is still bound",
            [gone(), vec![moved("v1", None, 1)]].concat(),
            moved("v1", Some(1), 2),
            Err(spent("v1", 1)),
        ),
        (
            "returned and removed again, it stays spent",
            [gone(), vec![moved("v1", None, 1), ended(&[("v1", 1)])]].concat(),
            moved("v1", None, 2),
            Err(spent("v1", 1)),
        ),
        (
            "a seal broken: a live tag moves, and is protected where it is",
            vec![v(), retired(), moved("v1", Some(1), 2), activated_again("v.*")],
            moved("v1", Some(2), 1),
            Err(protected("v1", 2)),
        ),
        (
            "a policy that came and went before the tag",
            vec![v(), retired(), moved("v2", None, 1), ended(&[("v2", 1)])],
            moved("v2", None, 2),
            Ok(()),
        ),
        (
            "a policy that came and went while it stood",
            vec![moved("v2", None, 1), v(), retired(), ended(&[("v2", 1)])],
            moved("v2", None, 2),
            Err(spent("v2", 1)),
        ),
    ];
    for (name, before, event, expected) in cases {
        let mut state = given(&before);
        let fingerprint = state.fingerprint();
        let at = Moment { seq: 100, time: Timestamp(100) };
        assert_eq!(state.evolve(at, &event), expected, "{name}");
        if expected.is_err() {
            assert_eq!(state.fingerprint(), fingerprint, "{name}: a refused event changed something");
        }
    }
}

#[test]
fn an_unusable_pattern_is_illegal() {
    let mut state = given(&[]);
    for regex in ["", "(", "((a|b|c){1,99}x?){1,99}"] {
        let at = Moment { seq: 100, time: Timestamp(100) };
        let refused = state.evolve(at, &activated(regex));
        assert!(matches!(refused, Err(Illegality::PatternInvalid { .. })), "{regex}: {refused:?}");
        assert_eq!(state.policies().count(), 0);
    }
}

#[test]
fn an_expiry_is_outlived_under_protection() {
    let (v1, now) = (tag("v1"), Timestamp(50));
    let expired = |state: &State| {
        let repository = a();
        let protection = state.protection(&repository);
        let standing = state.repository("acme/app").and_then(|found| found.tag("v1")).unwrap();
        (protection.has_expired(&v1, standing, Timestamp(8)), protection.has_expired(&v1, standing, now))
    };
    assert_eq!(expired(&given(&[expires("v1", Some(9))])), (false, true));
    let protected = given(&[expires("v1", Some(9)), activated("v.*")]);
    assert_eq!(expired(&protected), (false, false));
    assert_eq!(expired(&given(&[expires("v1", Some(9)), activated("v.*"), retired()])), (false, true));
    let repository = a();
    let due = |state: &State, after, until| state.expiring(Timestamp(after), Timestamp(until)).count();
    assert_eq!((due(&protected, 0, 8), due(&protected, 0, 9), due(&protected, 9, 99)), (0, 1, 0));
    assert!(protected.live(&repository, now).unwrap().tag("v1").is_some());
    for event in [expires("v1", None), erased("v1", 1)] {
        let state = given(&[expires("v1", Some(9)), activated("v.*"), event]);
        assert_eq!(due(&state, i64::MIN, i64::MAX), 0);
    }
    let state = given(&[expires("v1", Some(9)), repository_deleted()]);
    assert_eq!(due(&state, i64::MIN, i64::MAX), 0);
}
