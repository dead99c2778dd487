//! Tags whose time has come, whatever the clock does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tagstone::registry::{Command, Condition, Rejection};
use tagstone_replay::log::Log;
use tagstone_replay::log::memory::{Fault, MemoryLog};
use tagstone_schema::event::DeletionCause;
use tagstone_schema::{Actor, Algorithm, Digest, Event, Id, Record, Timestamp, limits};

use crate::commands::{
    create, delete_tag, digest_of, expires, immutable, link, lock, name, push, retire, submission, tag, unlock,
};
use crate::fake_disk::{AtStep, Step};
use crate::registry::{Answer, Registry, START, folded, records, told_by, write};
const POLICY: Id = Id([7; 16]);

/// A registry with the tags `x` and `y` on one image, at the beginning of time.
fn with_tags() -> (Registry, MemoryLog) {
    let (mut registry, log) = Registry::in_memory(100);
    registry.clock.set(START);
    assert_eq!(registry.commit(vec![push("a", "image", &[], &["x", "y"])]), [Answer::Committed(2)]);
    (registry, log)
}

/// The live tags, after the writer has had something to do at this time.
fn live_at(registry: &Registry, clock: i64) -> Vec<String> {
    registry.clock.set(clock);
    // Nothing is changed by it, but the writer ends what has expired before it looks at a command.
    let answer = registry.submit(submission(Command::DeleteRepository { repository: name("nothing") }));
    assert!(matches!(answer, Answer::Rejected(Rejection::RepositoryUnknown { .. })), "{answer:?}");
    let snapshot = registry.published.snapshot();
    snapshot.state.repository("a").unwrap().tags_after(None).map(|(tag, _)| tag.to_string()).collect()
}

/// How often each tag was ended by its expiry, in which records.
fn endings(records: &[Record]) -> BTreeMap<String, usize> {
    let mut endings = BTreeMap::new();
    for record in records {
        for event in &record.events {
            if let Event::TagsDeleted { tags, cause: DeletionCause::Expiry, .. } = event {
                assert_eq!(record.actor, Actor::system("expiry"));
                assert_eq!(record.events.len(), 1);
                tags.iter().for_each(|ended| *endings.entry(ended.tag.to_string()).or_default() += 1);
            }
        }
    }
    endings
}

#[test]
fn a_tag_ends_when_the_clock_first_shows_its_time() {
    let (registry, log) = with_tags();
    registry.submit(expires("a", "x", START + 100));
    registry.submit(expires("a", "y", START + 500));
    // The clock jumps back and forth; what is gone stays gone.
    assert_eq!(live_at(&registry, START + 99), ["x", "y"]);
    assert_eq!(live_at(&registry, START - 1_000_000), ["x", "y"]);
    assert_eq!(live_at(&registry, i64::MIN), ["x", "y"]);
    assert_eq!(live_at(&registry, START + 100), ["y"]);
    assert_eq!(live_at(&registry, START - 5), ["y"]);
    assert_eq!(live_at(&registry, START + 1_000_000_000), Vec::<String>::new());
    assert_eq!(live_at(&registry, START), Vec::<String>::new());
    assert_eq!(endings(&records(&log)), BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 1)]));
    assert_eq!(registry.seen(), told_by(&log));
}

/// The writer remembers how far it has looked. A clock that was ahead must not let it forget what is set afterwards.
#[test]
fn a_time_set_after_the_clock_went_back_is_kept() {
    let (registry, log) = with_tags();
    assert_eq!(live_at(&registry, START + 1_000), ["x", "y"]);
    registry.clock.set(START + 10);
    registry.submit(expires("a", "x", START + 500));
    assert_eq!(live_at(&registry, START + 499), ["x", "y"]);
    assert_eq!(live_at(&registry, START + 500), ["y"]);
    // A time that is over already ends the tag before the next command.
    registry.submit(expires("a", "y", START + 5));
    assert_eq!(live_at(&registry, START + 500), Vec::<String>::new());
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn whoever_asks_without_a_command_ends_them_too() {
    let (registry, log) = with_tags();
    registry.submit(expires("a", "x", START + 100));
    registry.clock.set(START + 100);
    registry.handle.wake();
    registry.stop();
    assert_eq!(endings(&records(&log)), BTreeMap::from([("x".to_owned(), 1)]));
}

#[test]
fn a_protected_tag_outlives_its_expiry_and_ends_with_its_protection() {
    let (registry, log) = with_tags();
    registry.submit(expires("a", "x", START + 100));
    registry.submit(expires("a", "y", START + 100));
    registry.submit(create(POLICY, immutable("x")));
    registry.submit(lock("a", "y"));
    assert_eq!(live_at(&registry, START + 1_000), ["x", "y"]);
    // Nothing new happens, and nothing is looked at again.
    assert_eq!(live_at(&registry, START + 2_000), ["x", "y"]);

    // Lifted while the clock is behind: they end when it comes back.
    registry.clock.set(START + 50);
    registry.submit(retire(POLICY));
    registry.submit(unlock("a", "y"));
    assert_eq!(live_at(&registry, START + 99), ["x", "y"]);
    assert_eq!(live_at(&registry, START + 100), Vec::<String>::new());
    assert_eq!(endings(&records(&log)), BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 1)]));

    // They were immutable, so their names are spent.
    let answer = registry.submit(push("a", "other", &[], &["x"]));
    assert!(matches!(answer, Answer::Rejected(Rejection::Spent { .. })), "{answer:?}");
    assert!(matches!(registry.submit(push("a", "image", &[], &["x"])), Answer::Committed(_)));
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn a_policy_that_changes_lets_go_of_what_it_no_longer_selects() {
    let (registry, log) = with_tags();
    registry.submit(expires("a", "x", START + 100));
    registry.submit(expires("a", "y", START + 100));
    registry.submit(create(POLICY, immutable("x|y")));
    assert_eq!(live_at(&registry, START + 100), ["x", "y"]);
    registry.submit(submission(Command::ChangePolicy { policy: POLICY, rule: immutable("y") }));
    assert_eq!(live_at(&registry, START + 100), ["y"]);
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn a_start_finds_what_came_due_meanwhile() {
    let (registry, log) = with_tags();
    registry.submit(expires("a", "x", START + 100));
    registry.stop();
    let log = log.reopened();
    let mut registry = Registry::over(log.clone(), folded(&log), 100);
    registry.start();
    assert_eq!(live_at(&registry, START + 100), ["y"]);
    assert_eq!(endings(&records(&log)).len(), 1);
}

/// So many that they take several records, and more than are written at once.
const MANY: usize = 20_000;

/// The most tags of one record.
const TAGS_PER_RECORD: usize = 256;

/// A log with tags that all expire at one time; one tag in a hundred is of a second repository.
fn with_many(count: usize, digest: &Digest, tag_name: impl Fn(usize) -> String) -> MemoryLog {
    let (_, mut log) = Registry::in_memory(100);
    let repositories = ["a", "b"].map(name);
    for repository in &repositories {
        let pushed = Event::ManifestPushed {
            repository: repository.clone(),
            digest: digest.clone(),
            size: 1,
            media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
            artifact_type: None,
            subject: None,
            references: [].into_iter().collect(),
        };
        write(&mut log, vec![pushed]);
    }
    let numbers: Vec<_> = (0..count).collect();
    for numbers in numbers.chunks(100) {
        let events = numbers.iter().flat_map(|number| {
            let repository = repositories[usize::from(number % 100 == 99)].clone();
            let (tag, to) = (tag(&tag_name(*number)), digest.clone());
            let moved = Event::TagMoved { repository: repository.clone(), tag: tag.clone(), from: None, to };
            [moved, Event::TagExpirySet { repository, tag, at: Some(Timestamp(START + 1_000_000)) }]
        });
        write(&mut log, events.collect());
    }
    log
}

#[test]
fn thousands_that_are_due_at_once_end_before_the_next_command() {
    let mut log = with_many(MANY, &digest_of("image"), |number| format!("t{number}"));
    let before = log.head().seq;
    let mut registry = Registry::over(log.reopened(), folded(&log), 100);
    registry.clock.set(START + 1_000_000);
    let answers = registry.commit(vec![
        link("a", "blob"),
        delete_tag("a", "t0", Condition::Always),
        push("a", "image", &[], &["t1"]),
    ]);
    log = log.reopened();
    let records = records(&log);
    let ended = &records[usize::try_from(before).unwrap()..records.len() - 2];
    // Of the one repository 19,800 tags, of the other 200: no record has more than its share, nor less than it could.
    assert_eq!(ended.len(), 19_800_usize.div_ceil(TAGS_PER_RECORD) + 1);
    let head = before + ended.len() as u64;
    let unknown = Rejection::TagUnknown { repository: name("a"), tag: tag("t0") };
    assert_eq!(answers, [Answer::Committed(head + 1), Answer::Rejected(unknown), Answer::Committed(head + 2)]);
    let endings = endings(&records);
    assert_eq!((endings.len(), endings.values().max()), (MANY, Some(&1)));
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn the_longest_names_and_digests_fit_into_the_records() {
    let digest = tagstone_replay::content::hash_of(Algorithm::Sha512, b"image");
    let log = with_many(2_000, &digest, |number| format!("{number:0>128}"));
    let before = usize::try_from(log.head().seq).unwrap();
    let mut registry = Registry::over(log.reopened(), folded(&log), 100);
    registry.clock.set(START + 1_000_000);
    assert_eq!(registry.commit(vec![link("c", "blob")]).len(), 1);
    let records = records(&log);
    assert_eq!(endings(&records).len(), 2_000);
    for record in &records[before..] {
        assert!(record.encode().unwrap().bytes().len() <= limits::RECORD_BYTES);
    }
    assert_eq!(registry.seen(), told_by(&log));
}

/// The log fails at the first or at the second write of expired tags, and keeps nothing, a part, or all of it.
#[test]
fn after_a_failure_in_between_no_tag_ends_twice() {
    for at_append in [1, 2] {
        for fault in [Fault::LoseAll, Fault::KeepFirst, Fault::KeepAll] {
            let log = with_many(MANY, &digest_of("image"), |number| format!("t{number}"));
            let appends = Arc::new(Mutex::new(0));
            let at: AtStep = {
                let log = log.clone();
                Arc::new(Mutex::new(move |step| {
                    if step == Step::Appending {
                        *appends.lock().unwrap() += 1;
                        if *appends.lock().unwrap() == at_append {
                            log.fail_next(fault);
                        }
                    }
                }))
            };
            let mut registry = Registry::watched(log.reopened(), folded(&log), 100, at);
            registry.clock.set(START + 1_000_000);
            assert_eq!(registry.commit(vec![link("a", "blob")]), [Answer::Poisoned]);
            registry.stop();

            let after = endings(&records(&log)).len();
            let mut registry = Registry::over(log.reopened(), folded(&log), 100);
            registry.clock.set(START + 1_000_000);
            assert!(matches!(registry.commit(vec![link("a", "blob")])[..], [Answer::Committed(_)]));
            let endings = endings(&records(&log));
            assert_eq!((endings.len(), endings.values().max()), (MANY, Some(&1)), "{at_append}, {fault:?}");
            assert!(after < MANY || (at_append, fault) == (2, Fault::KeepAll), "{at_append}, {fault:?}: {after}");
            assert_eq!(registry.seen(), told_by(&log));
        }
    }
}
