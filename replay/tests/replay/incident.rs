//! A small scripted log with known answers: a week in which promises were kept, lifted and broken.

use std::fs;

use tagstone_replay::content::Layout;
use tagstone_schema::event::{ContentKind, DeletionCause, EndedTag, RefusedAttempt, RemovedContent};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, ActorKind, EncodedRecord, Event, Head, Id, Origin, Record, Timestamp};

use crate::directory::{BEGIN, SECOND, append, blob, digest, manifest, moved, started};

pub(crate) const APP: &str = "acme/app";
pub(crate) const LIB: &str = "lib";

/// The time of a record of the incident.
pub(crate) fn at(seq: u64) -> String {
    format!("2026-01-01T00:00:{:02}.000000Z", seq - 1)
}

fn time(seq: i64) -> Timestamp {
    Timestamp(BEGIN + (seq - 1) * SECOND)
}

/// Policies and tokens: `id(7)` prints as 07070707-….
pub(crate) fn id(n: u8) -> String {
    Id([n; 16]).to_string()
}

fn user(name: &str) -> Actor {
    Actor { kind: ActorKind::User, name: name.into() }
}

fn rule(regex: &str) -> Rule {
    let pattern = Pattern { regex: regex.to_owned(), matches: true };
    Rule::Immutability { pattern, include_referrer_tags: false }
}

fn lock(repository: &str, tag: &str) -> Event {
    Event::TagLocked { repository: repository.parse().unwrap(), tag: tag.parse().unwrap() }
}

fn unlock(repository: &str, tag: &str) -> Event {
    Event::TagUnlocked { repository: repository.parse().unwrap(), tag: tag.parse().unwrap() }
}

fn deleted(repository: &str, tags: &[(&str, &str)], cause: DeletionCause) -> Event {
    let ended = tags.iter().map(|(tag, was)| EndedTag { tag: tag.parse().unwrap(), was: digest(was) });
    Event::TagsDeleted { repository: repository.parse().unwrap(), tags: ended.collect(), cause }
}

fn erased(repository: &str, tag: &str, was: &str, reason: &str) -> Event {
    let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
    Event::TagErased { repository, tag, was: digest(was), reason: reason.to_owned() }
}

fn refused() -> Event {
    let attempt = |who: &str, tag: &str, to: Option<&str>, count| RefusedAttempt {
        first: time(7),
        last: time(8),
        actor: user(who),
        address: "10.0.0.66".to_owned(),
        repository: APP.parse().unwrap(),
        tag: Some(tag.parse().unwrap()),
        digest: to.map(digest),
        reason: "TAG_IMMUTABLE".to_owned(),
        count,
    };
    let entries = vec![
        attempt("mallory", "v1", Some("two"), 3),
        attempt("mallory", "v1", Some("two"), 2),
        attempt("bob", "v2", None, 1),
    ];
    Event::AttemptsRefused { since: time(7), until: time(8), entries, others: 4 }
}

/// The records, by who wrote them: what stands beside each is its seq.
fn script() -> Vec<(&'static str, Vec<Event>)> {
    let scope = || Scope::Namespace("acme".parse().unwrap());
    let (versions, releases) = (Id([7; 16]), Id([8; 16]));
    vec![
        /* 1 */ ("", vec![started(1), Event::ServerStarted { version: "0.1.0".to_owned() }]),
        /* 2 */ ("alice", vec![blob(APP, "config")]),
        /* 3 */ ("alice", vec![manifest(APP, "one", &["config"]), moved(APP, "v1", None, "one")]),
        /* 4 */ ("alice", vec![manifest(APP, "two", &["config"]), moved(APP, "latest", None, "one")]),
        /* 5 */ ("root", vec![Event::PolicyActivated { policy: versions, scope: scope(), rule: rule("v.*") }]),
        /* 6 */ ("alice", vec![moved(APP, "v2", None, "two"), moved(APP, "latest", Some("one"), "two")]),
        /* 7 */ ("bob", vec![manifest(LIB, "three", &[]), moved(LIB, "stable", None, "three")]),
        /* 8 */ ("root", vec![lock(LIB, "stable")]),
        /* 9 */ ("", vec![refused()]),
        // A seal that an erasure ends is not broken.
        /* 10 */
        ("root", vec![erased(APP, "v2", "two", "a leaked key\u{1b}[2J")]),
        /* 11 */ ("mallory", vec![Event::PolicyRetired { policy: versions }]),
        /* 12 */ ("mallory", vec![moved(APP, "v1", Some("one"), "two")]),
        // Back again, and away: the second stay was never protected.
        /* 13 */
        ("alice", vec![moved(APP, "v1", Some("two"), "one")]),
        /* 14 */ ("alice", vec![deleted(APP, &[("v1", "one"), ("latest", "two")], DeletionCause::Request)]),
        /* 15 */ ("mallory", vec![unlock(LIB, "stable")]),
        /* 16 */
        ("bob", vec![Event::ManifestDeleted { repository: LIB.parse().unwrap(), digest: digest("three") }]),
        /* 17 */ ("alice", vec![moved(APP, "v1", None, "one")]),
        /* 18 */
        ("root", vec![Event::PolicyDrafted { policy: releases, scope: Scope::Registry, rule: rule("release") }]),
        /* 19 */
        (
            "root",
            vec![
                Event::TokenIssued {
                    token: Id([9; 16]),
                    subject: "robot".into(),
                    scopes: Vec::new(),
                    secret_hash: [0xab; 32],
                    expires: None,
                    label: "ci".into(),
                },
                Event::ContentPurged {
                    repository: LIB.parse().unwrap(),
                    contents: vec![RemovedContent { digest: digest("three"), size: 5, content: ContentKind::Manifest }],
                    reason: "a leak".to_owned(),
                },
            ],
        ),
    ]
}

/// The records of the incident.
pub(crate) fn records() -> Vec<EncodedRecord> {
    let mut head = Head::default();
    let mut records = Vec::new();
    for (who, events) in script() {
        let (actor, origin) = match who {
            "" => (Actor::system("server"), Origin::default()),
            name => {
                let address = if name == "mallory" { "10.0.0.66" } else { "10.0.0.1" };
                (user(name), Origin::new(format!("r{}", head.seq + 1), address.to_owned(), "crane"))
            }
        };
        let (format, seq, prev) = (FORMAT_VERSION, head.seq + 1, head.hash);
        let time = time(i64::try_from(seq).unwrap());
        let encoded = Record { format, seq, time, prev, actor, origin, events }.encode().unwrap();
        head = encoded.head();
        records.push(encoded);
    }
    records
}

/// A data directory that holds the incident.
pub(crate) fn incident() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    append(directory.path(), &records());
    fs::write(Layout::new(directory.path()).lock(), "process 1").unwrap();
    directory
}
