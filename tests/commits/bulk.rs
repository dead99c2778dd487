//! One command that changes thousands of tags: one record, so that after any failure all of it has happened or nothing.

use tagstone::registry::{Command, FoundTags, Prunable, PruneTags, Rejection, Submission};
use tagstone_replay::fold::State;
use tagstone_replay::log::Log;
use tagstone_replay::log::memory::Fault;
use tagstone_schema::Id;
use tagstone_schema::policy::{PruneMethod, Rule};

use crate::commands::{
    activate, create, delete_manifest, digest_of, draft, immutable, lock, name, push, retire, submission, tag,
};
use crate::crashes::copies_of;
use crate::fake_disk::Step;
use crate::registry::{Answer, Registry, folded, open, records};

const POLICY: Id = Id([7; 16]);

/// What a look at a state finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    tags: usize,
    protected: usize,
    spent: usize,
}

fn look(state: &State) -> Found {
    let repository = name("a");
    let protection = state.protection(&repository);
    let tags = || state.repository("a").into_iter().flat_map(|found| found.tags_after(None));
    Found {
        tags: tags().count(),
        protected: tags().filter(|(tag, state)| protection.protects(tag, *state)).count(),
        spent: state.spent_names().count(),
    }
}

/// A command, what was committed before it, and what is to be found before and after.
struct Bulk {
    what: &'static str,
    prepared: fn() -> Vec<Submission>,
    command: fn() -> Submission,
    before: Found,
    after: Found,
}

fn tag_name(number: usize) -> String {
    format!("v{number:04}")
}

/// Pushes of one image under so many tags; no record has room for more than some hundreds.
fn tagged(count: usize) -> Vec<Submission> {
    let tags: Vec<_> = (0..count).map(tag_name).collect();
    let pushes = tags.chunks(500).map(|tags| {
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        push("a", "image", &[], &tags)
    });
    pushes.collect()
}

/// The same, and the tags were immutable for a while.
fn once_immutable(count: usize) -> Vec<Submission> {
    let mut all = tagged(count);
    all.extend([create(POLICY, immutable("v.*")), retire(POLICY)]);
    all
}

fn bulks() -> [Bulk; 6] {
    let found = |tags, protected, spent| Found { tags, protected, spent };
    [
        Bulk {
            what: "a digest with 1,500 tags is deleted",
            prepared: || once_immutable(1_500),
            command: || delete_manifest("a", "image"),
            before: found(1_500, 0, 0),
            after: found(0, 0, 1_500),
        },
        Bulk {
            what: "a policy over 5,000 tags is activated",
            prepared: || [tagged(5_000), vec![draft(POLICY, immutable("v.*"))]].into_iter().flatten().collect(),
            command: || activate(POLICY),
            before: found(5_000, 0, 0),
            after: found(5_000, 5_000, 0),
        },
        Bulk {
            what: "700 of 1,000 tags are deleted",
            prepared: || once_immutable(1_000),
            command: || {
                let tags = (0..700).map(|number| tag(&tag_name(number))).collect();
                submission(Command::DeleteTags { repository: name("a"), tags })
            },
            before: found(1_000, 0, 0),
            after: found(300, 0, 700),
        },
        Bulk {
            what: "700 of 1,000 tags are pruned",
            prepared: || {
                let rule = Rule::Prune { method: PruneMethod::NumberOfTags(300), pattern: None };
                let mut all = once_immutable(1_000);
                all.push(create(Id([8; 16]), rule));
                all
            },
            command: || {
                // The log's start is the first record; the pushes are the second and the third.
                let found = |number| Prunable {
                    tag: tag(&tag_name(number)),
                    digest: digest_of("image"),
                    since: if number < 500 { 2 } else { 3 },
                    subject: None,
                };
                submission(Command::PruneTags(Box::new(PruneTags {
                    policy: Id([8; 16]),
                    in_force: 6,
                    run: Id([9; 16]),
                    found: vec![FoundTags { repository: name("a"), tags: (0..700).map(found).collect() }],
                })))
            },
            before: found(1_000, 0, 0),
            after: found(300, 0, 700),
        },
        Bulk {
            what: "a repository with 1,500 tags is deleted",
            prepared: || once_immutable(1_500),
            command: || submission(Command::DeleteRepository { repository: name("a") }),
            before: found(1_500, 0, 0),
            after: found(0, 0, 1_500),
        },
        Bulk {
            what: "one of 100 immutable tags is erased",
            prepared: || {
                let mut all = tagged(100);
                all.push(create(POLICY, immutable("v.*")));
                all
            },
            command: || {
                let because = "a leak".parse().unwrap();
                submission(Command::EraseTag { repository: name("a"), tag: tag(&tag_name(0)), because })
            },
            before: found(100, 100, 0),
            after: found(99, 99, 1),
        },
    ]
}

#[test]
fn a_crash_at_any_step_leaves_all_of_a_bulk_or_nothing() {
    for Bulk { what, prepared, command, before, after } in bulks() {
        let directory = tempfile::tempdir().unwrap();
        let copies = copies_of(directory.path(), prepared(), command());
        for (step, layout) in copies.steps {
            let (fingerprint, expected) = match step {
                Step::Appended => (&copies.after, after),
                _ => (&copies.before, before),
            };
            let (log, snapshot) = open(&layout).unwrap();
            assert_eq!(look(&snapshot.state), expected, "{what}, {step:?}");
            assert_eq!(&(log.head(), snapshot.state.fingerprint().to_string()), fingerprint, "{what}, {step:?}");
        }
    }
}

#[test]
fn a_log_that_fails_has_all_of_a_bulk_or_nothing() {
    for Bulk { what, prepared, command, before, after } in bulks() {
        for (fault, expected) in [(Fault::LoseAll, before), (Fault::KeepFirst, after), (Fault::KeepAll, after)] {
            let (mut registry, log) = Registry::in_memory(100);
            registry.commit(prepared());
            log.fail_next(fault);
            assert_eq!(registry.submit(command()), Answer::Poisoned);
            assert_eq!(look(&registry.published.snapshot().state), before, "{what}, {fault:?}: readers");
            registry.stop();
            let log = log.reopened();
            let snapshot = folded(&log);
            assert_eq!(look(&snapshot.state), expected, "{what}, {fault:?}");
            // The client that was not told repeats its command.
            if expected == before {
                let head = snapshot.head.seq;
                let mut registry = Registry::over(log.clone(), snapshot, 100);
                assert_eq!(registry.commit(vec![command()]), [Answer::Committed(head + 1)], "{what}, {fault:?}");
                assert_eq!(look(&folded(&log).state), after, "{what}, {fault:?}");
            }
        }
    }
}

#[test]
fn a_bulk_is_one_event() {
    for Bulk { what, prepared, command, .. } in bulks() {
        let (mut registry, log) = Registry::in_memory(100);
        registry.commit(prepared());
        let Answer::Committed(seq) = registry.submit(command()) else { panic!("{what}") };
        let records = records(&log);
        assert_eq!(records.len() as u64, seq, "{what}: the last record");
        assert_eq!(records.last().unwrap().events.len(), 1, "{what}");
    }
}

#[test]
fn one_protected_tag_among_thousands_saves_them_all() {
    let (mut registry, log) = Registry::in_memory(100);
    registry.commit(once_immutable(1_500));
    registry.submit(lock("a", &tag_name(1_234)));
    let before = (records(&log), registry.seen());
    let all = || (0..1_000).chain([1_234]).map(|number| tag(&tag_name(number))).collect();
    for command in [
        delete_manifest("a", "image"),
        submission(Command::DeleteTags { repository: name("a"), tags: all() }),
        submission(Command::DeleteRepository { repository: name("a") }),
    ] {
        match registry.submit(command) {
            Answer::Rejected(Rejection::Immutable(immutable)) => {
                let named: Vec<_> = immutable.tags.iter().map(|protected| protected.tag.to_string()).collect();
                assert_eq!((named, immutable.more), (vec![tag_name(1_234)], 0));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((records(&log), registry.seen()), before);
}

/// More tags than one record has room for are refused, not split.
#[test]
fn a_bulk_that_is_too_large_for_a_record_changes_nothing() {
    let (mut registry, log) = Registry::in_memory(100);
    registry.commit(tagged(5_000));
    let (length, tags) = (log.head().seq, (0..5_000).map(|number| tag(&tag_name(number))).collect());
    let answer = registry.submit(submission(Command::DeleteTags { repository: name("a"), tags }));
    assert!(matches!(answer, Answer::Rejected(Rejection::TooLarge { .. })), "{answer:?}");
    assert_eq!(log.head().seq, length);
    assert_eq!(look(&folded(&log).state).tags, 5_000);
}
