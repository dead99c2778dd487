//! Every event and every illegality: given what happened before, when this event comes, then this follows.

use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Digest, Event, Id, RepositoryName, Seq, Tag, Timestamp};

use super::{Illegality, Standing};
use crate::fold::{Moment, PolicyStatus, State};

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn digest(n: u8) -> Digest {
    Digest::sha256([n; 32])
}

fn id(n: u8) -> Id {
    Id([n; 16])
}

fn started() -> Event {
    Event::LogStarted { log: id(1) }
}

fn linked(name: &str, n: u8, size: u64, from: Option<&str>) -> Event {
    Event::BlobLinked { repository: repository(name), digest: digest(n), size, mounted_from: from.map(repository) }
}

fn unlinked(name: &str, n: u8) -> Event {
    Event::BlobUnlinked { repository: repository(name), digest: digest(n) }
}

fn pushed(name: &str, n: u8, references: &[u8], subject: Option<u8>) -> Event {
    Event::ManifestPushed {
        repository: repository(name),
        digest: digest(n),
        size: 7,
        media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
        artifact_type: None,
        subject: subject.map(digest),
        references: references.iter().map(|n| digest(*n)).collect(),
    }
}

fn deleted(name: &str, n: u8) -> Event {
    Event::ManifestDeleted { repository: repository(name), digest: digest(n) }
}

fn moved(name: &str, t: &str, from: Option<u8>, to: u8) -> Event {
    Event::TagMoved { repository: repository(name), tag: tag(t), from: from.map(digest), to: digest(to) }
}

fn ended(name: &str, tags: &[(&str, u8)]) -> Event {
    let tags = tags.iter().map(|(t, was)| EndedTag { tag: tag(t), was: digest(*was) }).collect();
    Event::TagsDeleted { repository: repository(name), tags, cause: DeletionCause::Request }
}

fn erased(name: &str, t: &str, was: u8) -> Event {
    Event::TagErased { repository: repository(name), tag: tag(t), was: digest(was), reason: "CVE".to_owned() }
}

fn locked(name: &str, t: &str) -> Event {
    Event::TagLocked { repository: repository(name), tag: tag(t) }
}

fn unlocked(name: &str, t: &str) -> Event {
    Event::TagUnlocked { repository: repository(name), tag: tag(t) }
}

fn expiry(name: &str, t: &str, at: Option<i64>) -> Event {
    Event::TagExpirySet { repository: repository(name), tag: tag(t), at: at.map(Timestamp) }
}

fn gone(name: &str) -> Event {
    Event::RepositoryDeleted { repository: repository(name) }
}

fn rule(regex: &str) -> Rule {
    Rule::Immutability { pattern: Pattern { regex: regex.to_owned(), matches: true }, include_referrer_tags: false }
}

fn drafted(n: u8, regex: &str) -> Event {
    Event::PolicyDrafted { policy: id(n), scope: Scope::Registry, rule: rule(regex) }
}

fn activated(n: u8, regex: &str) -> Event {
    Event::PolicyActivated { policy: id(n), scope: Scope::Registry, rule: rule(regex) }
}

fn changed(n: u8, regex: &str) -> Event {
    Event::PolicyChanged { policy: id(n), rule: rule(regex) }
}

fn retired(n: u8) -> Event {
    Event::PolicyRetired { policy: id(n) }
}

fn removed(n: u8) -> Event {
    Event::DraftRemoved { policy: id(n) }
}

fn issued(n: u8) -> Event {
    Event::TokenIssued {
        token: id(n),
        subject: "ci".into(),
        scopes: Vec::new(),
        secret_hash: [n; 32],
        expires: None,
        label: "a label".into(),
    }
}

fn revoked(n: u8) -> Event {
    Event::TokenRevoked { token: id(n) }
}

fn moment(seq: usize) -> Moment {
    Moment { seq: seq as Seq, time: Timestamp(seq as i64 * 10) }
}

/// The state after these events, each a record of its own; the log is started before them.
fn given(events: &[Event]) -> State {
    let mut state = State::default();
    state.evolve(moment(1), &started()).unwrap();
    for (at, event) in (2..).zip(events) {
        state.evolve(moment(at), event).unwrap_or_else(|why| panic!("{event:?}: {why}"));
    }
    state
}

#[test]
fn what_cannot_have_happened_is_refused() {
    use Illegality as I;
    let a = || repository("a");
    // `a` holds a blob 1 and an image 2 of it under the tag `t`; an image 3 without a tag; policies and tokens.
    let base =
        [linked("a", 1, 5, None), pushed("a", 2, &[1], None), moved("a", "t", None, 2), pushed("a", 3, &[], None)];
    let lock = [&base[..], &[locked("a", "t")]].concat();
    let draft = [drafted(1, "x")];
    let active = [activated(1, "x")];
    let over = [activated(1, "x"), retired(1)];
    let token = [issued(1)];
    let spent = [issued(1), revoked(1)];
    let elsewhere = |stood: Option<u8>, claimed: Option<u8>| I::TagPointedElsewhere {
        repository: a(),
        tag: tag("t"),
        stood: Standing(stood.map(digest)),
        claimed: Standing(claimed.map(digest)),
    };
    let no_tag = |t: &str| I::TagUnknown { repository: a(), tag: tag(t) };
    let status = |found| I::PolicyStatus { policy: id(1), found };
    let cases: Vec<(&[Event], Event, Illegality)> = vec![
        (&[], started(), I::LogStartedTwice),
        (&[], linked("as-of/seq-1/a", 1, 5, None), I::RepositoryReserved { repository: repository("as-of/seq-1/a") }),
        (&[], pushed("as-of", 1, &[], None), I::RepositoryReserved { repository: repository("as-of") }),
        (&base, linked("a", 1, 5, None), I::BlobLinkedTwice { repository: a(), digest: digest(1) }),
        (&base, linked("b", 9, 5, Some("a")), I::BlobUnknown { repository: a(), digest: digest(9) }),
        (&base, linked("b", 1, 5, Some("c")), I::BlobUnknown { repository: repository("c"), digest: digest(1) }),
        (&base, linked("b", 1, 6, Some("a")), I::MountDiffers { repository: a(), digest: digest(1) }),
        (&base, unlinked("b", 1), I::RepositoryUnknown { repository: repository("b") }),
        (&base, unlinked("a", 9), I::BlobUnknown { repository: a(), digest: digest(9) }),
        (&base, unlinked("a", 1), I::StillReferenced { repository: a(), digest: digest(1), by: digest(2) }),
        (&base, pushed("a", 2, &[], None), I::ManifestPushedTwice { repository: a(), digest: digest(2) }),
        (&base, deleted("a", 9), I::ManifestUnknown { repository: a(), digest: digest(9) }),
        (&base, deleted("b", 2), I::RepositoryUnknown { repository: repository("b") }),
        (&base, moved("b", "t", None, 2), I::RepositoryUnknown { repository: repository("b") }),
        (&base, moved("a", "u", None, 9), I::ManifestUnknown { repository: a(), digest: digest(9) }),
        (&base, moved("a", "t", None, 3), elsewhere(Some(2), None)),
        (&base, moved("a", "t", Some(3), 2), elsewhere(Some(2), Some(3))),
        (&base, moved("a", "t", Some(2), 2), I::TagUnmoved { repository: a(), tag: tag("t"), digest: digest(2) }),
        (&base, ended("a", &[("t", 3)]), elsewhere(Some(2), Some(3))),
        (&base, ended("a", &[("u", 2)]), no_tag("u")),
        (&base, ended("a", &[("t", 2), ("t", 2)]), no_tag("t")),
        (&base, erased("a", "u", 2), no_tag("u")),
        (&base, erased("a", "t", 3), elsewhere(Some(2), Some(3))),
        (&base, locked("a", "u"), no_tag("u")),
        (&base, unlocked("a", "u"), no_tag("u")),
        (&base, expiry("a", "u", Some(1)), no_tag("u")),
        (&lock, locked("a", "t"), I::TagLockedTwice { repository: a(), tag: tag("t") }),
        (&base, unlocked("a", "t"), I::TagNotLocked { repository: a(), tag: tag("t") }),
        (&base, gone("b"), I::RepositoryUnknown { repository: repository("b") }),
        (&draft, drafted(1, "y"), I::PolicyExists { policy: id(1) }),
        (&over, drafted(1, "x"), I::PolicyExists { policy: id(1) }),
        (&draft, activated(1, "y"), I::PolicyDiffers { policy: id(1) }),
        (&active, activated(1, "x"), status("active")),
        (&over, activated(1, "x"), status("retired")),
        (&over, changed(1, "y"), status("retired")),
        (&draft, retired(1), status("a draft")),
        (&over, retired(1), status("retired")),
        (&active, removed(1), status("active")),
        (&[], changed(1, "x"), I::PolicyUnknown { policy: id(1) }),
        (&[], retired(1), I::PolicyUnknown { policy: id(1) }),
        (&[], removed(1), I::PolicyUnknown { policy: id(1) }),
        (&token, issued(1), I::TokenExists { token: id(1) }),
        (&[], revoked(1), I::TokenNotValid { token: id(1) }),
        (&spent, revoked(1), I::TokenNotValid { token: id(1) }),
    ];
    for (before, event, expected) in cases {
        let mut state = given(before);
        assert_eq!(state.evolve(moment(99), &event), Err(expected), "{event:?} after {before:?}");
    }
    let early = State::default().evolve(moment(1), &linked("a", 1, 5, None));
    assert_eq!(early, Err(I::LogNotStarted));
}

/// What an event brings about: the events before it and itself last, and what must then be so.
type Fact = (&'static str, Vec<Event>, fn(&State) -> bool);

#[test]
fn every_event_does_what_it_says() {
    let image = |n| pushed("a", n, &[], None);
    let two = || vec![image(2), image(3), moved("a", "t", None, 2), moved("a", "u", None, 2)];
    let with = |mut events: Vec<Event>, event: Event| {
        events.push(event);
        events
    };
    let facts: Vec<Fact> = vec![
        ("log", vec![], |s| s.log() == Some(id(1)) && s.repository_count() == 0),
        ("linked", vec![linked("a", 1, 5, None)], |s| s.repository("a").unwrap().blob(&digest(1)) == Some(5)),
        ("mounted", vec![linked("a", 1, 5, None), linked("b", 1, 5, Some("a"))], |s| {
            s.blob_holders(&digest(1)).map(|name| name.as_str()).eq(["a", "b"])
        }),
        ("unlinked", vec![linked("a", 1, 5, None), unlinked("a", 1)], |s| {
            s.repository("a").unwrap().blobs().count() == 0 && s.blob_holders(&digest(1)).count() == 0
        }),
        ("pushed", vec![pushed("a", 2, &[1, 4], Some(9))], |s| {
            let a = s.repository("a").unwrap();
            a.manifest(&digest(2)).unwrap().pushed == moment(2)
                && a.referenced_by(&digest(4)).eq([&digest(2)])
                && a.referrers(&digest(9), None).map(|m| &m.digest).eq([&digest(2)])
        }),
        ("deleted ends its tags", with(two(), deleted("a", 2)), |s| {
            let a = s.repository("a").unwrap();
            a.tag_count() == 0 && a.manifest_count() == 1
        }),
        (
            "deleted frees what it named",
            vec![linked("a", 1, 5, None), pushed("a", 2, &[1], Some(3)), deleted("a", 2), unlinked("a", 1)],
            |s| s.repository("a").unwrap().referrers(&digest(3), None).count() == 0,
        ),
        ("moved", with(two(), moved("a", "t", Some(2), 3)), |s| {
            let a = s.repository("a").unwrap();
            let t = a.tag("t").unwrap();
            t.digest() == &digest(3)
                && t.since() == moment(6)
                && a.tags_on(&digest(2)).unwrap().iter().eq([&tag("u")])
                && a.tags_on(&digest(3)).unwrap().iter().eq([&tag("t")])
        }),
        ("a lock beside an expiry", [two(), vec![expiry("a", "t", Some(8)), locked("a", "t")]].concat(), |s| {
            let t = s.repository("a").unwrap().tag("t").unwrap();
            t.locked() == Some(moment(7)) && t.expires() == Some(Timestamp(8))
        }),
        ("ended", with(two(), ended("a", &[("u", 2), ("t", 2)])), |s| {
            let a = s.repository("a").unwrap();
            a.tag_count() == 0 && a.tags_on(&digest(2)).unwrap().is_empty() && a.manifest_count() == 2
        }),
        ("erased", with(two(), erased("a", "t", 2)), |s| {
            let a = s.repository("a").unwrap();
            a.tag("t").is_none() && a.tags_on(&digest(2)).unwrap().len() == 1
        }),
        (
            "an expiry stays when a tag moves",
            [two(), vec![expiry("a", "t", Some(8)), moved("a", "t", Some(2), 3)]].concat(),
            |s| s.repository("a").unwrap().tag("t").unwrap().expires() == Some(Timestamp(8)),
        ),
        ("unlocked", [two(), vec![locked("a", "t"), unlocked("a", "t")]].concat(), |s| {
            s.repository("a").unwrap().tag("t").unwrap().locked().is_none()
        }),
        ("expiry removed", [two(), vec![expiry("a", "t", Some(8)), expiry("a", "t", None)]].concat(), |s| {
            s.repository("a").unwrap().tag("t").unwrap().expires().is_none()
        }),
        ("repository gone", vec![linked("a", 1, 5, None), linked("b", 1, 5, None), gone("a")], |s| {
            s.repository("a").is_none() && s.blob_holders(&digest(1)).map(|name| name.as_str()).eq(["b"])
        }),
        ("drafted", vec![drafted(1, "x")], |s| s.policy(&id(1)).unwrap().status == PolicyStatus::Draft),
        ("activated", vec![drafted(1, "x"), activated(1, "x")], |s| {
            let policy = s.policy(&id(1)).unwrap();
            policy.status == PolicyStatus::Active && (policy.created, policy.activated) == (moment(2), Some(moment(3)))
        }),
        ("changed, then activated", vec![drafted(1, "x"), changed(1, "y"), activated(1, "y")], |s| {
            s.policy(&id(1)).unwrap().rule == rule("y")
        }),
        ("retired", vec![activated(1, "x"), retired(1)], |s| {
            let policy = s.policy(&id(1)).unwrap();
            policy.status == PolicyStatus::Retired && policy.retired == Some(moment(3))
        }),
        ("draft removed", vec![drafted(1, "x"), removed(1), drafted(1, "y")], |s| s.policies().count() == 1),
        ("issued", vec![issued(1)], |s| s.tokens().all(|(_, token)| token.revoked.is_none() && token.subject == "ci")),
        ("revoked", vec![issued(1), revoked(1)], |s| s.tokens().all(|(_, token)| token.revoked == Some(moment(3)))),
    ];
    for (name, events, holds) in facts {
        assert!(holds(&given(&events)), "{name}");
    }
}

#[path = "effects_tests.rs"]
mod effects;
#[path = "foreseen_tests.rs"]
mod foreseen;
#[path = "removal_tests.rs"]
mod removal;
