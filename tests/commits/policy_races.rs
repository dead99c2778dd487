//! Policies that come and go while tags are pushed: the log is one order, and both obey it.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tagstone::registry::{Condition, Published, Rejection, Submission, WriterHandle};
use tagstone_replay::log::Log;
use tagstone_schema::policy::{Rule, Scope};
use tagstone_schema::{Event, Id, Seq};

use crate::commands::{activate, create, delete_tag, draft, immutable, name, push, retire};
use crate::model::is_full_match;
use crate::registry::{Answer, Registry, block_on, records, told_by};

const CLIENTS: usize = 6;
/// The policies are about those with a `v`. The others are deleted now and then too.
const TAGS: [&str; 4] = ["v1", "v2", "w1", "w2"];

fn id(number: usize) -> Id {
    Id([u8::try_from(number).unwrap() + 1; 16])
}

fn submit(handle: &WriterHandle, submission: Submission) -> Answer {
    block_on(handle.submit(submission)).into()
}

fn seq(answer: &Answer) -> Seq {
    match answer {
        Answer::Committed(seq) => *seq,
        other => panic!("{other:?}"),
    }
}

/// A change of a tag that was asked for, and the heads that its client saw before and afterwards.
struct Asked {
    tag: &'static str,
    before: Seq,
    after: Seq,
    answer: Answer,
}

/// Whether clients are to go on, and how often they have asked.
#[derive(Default)]
struct Traffic {
    over: AtomicBool,
    asked: AtomicUsize,
}

impl Traffic {
    /// Waits until so much was asked that some client has been through all of the tags twice.
    fn wait(&self) {
        let from = self.asked.load(Ordering::SeqCst);
        while self.asked.load(Ordering::SeqCst) < from + 2 * TAGS.len() * CLIENTS {
            thread::yield_now();
        }
    }

    fn flows(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        !self.over.load(Ordering::SeqCst)
    }
}

fn client(handle: &WriterHandle, published: &Published, number: usize, traffic: &Traffic) -> Vec<Asked> {
    let ask = |turn: usize| {
        let tag = TAGS[(turn + number) % TAGS.len()];
        let before = published.load().head.seq;
        let answer = if tag.starts_with('w') && turn % 5 == 4 {
            submit(handle, delete_tag("a", tag, Condition::Always))
        } else {
            submit(handle, push("a", &format!("{number} {turn}"), &[], &[tag]))
        };
        Asked { tag, before, after: published.load().head.seq, answer }
    };
    (0..).take_while(|_| traffic.flows()).map(ask).collect()
}

/// What a log tells of the tags, and of what protected them.
#[derive(Default)]
struct Told {
    /// For each tag, whether a policy that selects it was in force after each record.
    protected: BTreeMap<&'static str, Vec<bool>>,
    /// The tags that were changed, by record.
    changed: BTreeMap<Seq, String>,
}

impl Told {
    /// Panics where a tag was moved or deleted while a policy that selects it was in force.
    fn by(log: &impl Log) -> Self {
        let (mut told, mut in_force) = (Self::default(), BTreeMap::new());
        // Before the first record there is nothing.
        TAGS.iter().for_each(|tag| told.protected.entry(*tag).or_default().push(false));
        for record in records(log) {
            let selects =
                |in_force: &BTreeMap<Id, String>, tag: &str| in_force.values().any(|regex| is_full_match(regex, tag));
            for event in record.events {
                match event {
                    Event::TagMoved { tag, from, .. } => {
                        let free = from.is_none() || !selects(&in_force, tag.as_str());
                        assert!(free, "record {} moves {tag} although it is protected", record.seq);
                        told.changed.insert(record.seq, tag.to_string());
                    }
                    Event::TagsDeleted { tags, .. } => {
                        let tag = tags[0].tag.to_string();
                        assert!(!selects(&in_force, &tag), "record {} deletes {tag}", record.seq);
                        told.changed.insert(record.seq, tag);
                    }
                    Event::PolicyActivated { policy, rule: Rule::Immutability { pattern, .. }, .. } => {
                        in_force.insert(policy, pattern.regex);
                    }
                    Event::PolicyRetired { policy } => drop(in_force.remove(&policy)),
                    _ => {}
                }
            }
            for tag in TAGS {
                told.protected.entry(tag).or_default().push(selects(&in_force, tag));
            }
        }
        told
    }
}

#[test]
fn no_tag_changes_between_the_activation_and_the_retirement_of_its_policy() {
    let (mut registry, log) = Registry::in_memory(16);
    registry.start();
    let traffic = Traffic::default();
    let asked: Vec<_> = thread::scope(|scope| {
        let (handle, published, traffic) = (&registry.handle, &registry.published, &traffic);
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || client(handle, published, number, traffic))).collect();
        let mut answers = Vec::new();
        for round in 0..30 {
            traffic.wait();
            let rule = immutable(["v.*", "v1", ".*2|v1"][round % 3]);
            answers.push(submit(handle, draft(id(round), rule)));
            answers.push(submit(handle, activate(id(round))));
            traffic.wait();
            answers.push(submit(handle, retire(id(round))));
        }
        traffic.over.store(true, Ordering::SeqCst);
        assert!(answers.iter().all(|answer| matches!(answer, Answer::Committed(_))), "{answers:?}");
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let told = Told::by(&log);
    let mut refused = 0;
    for Asked { tag, before, after, answer } in &asked {
        let meanwhile = |protected: bool| {
            let range = usize::try_from(*before).unwrap()..=usize::try_from(*after).unwrap();
            told.protected[tag][range].contains(&protected)
        };
        match answer {
            Answer::Committed(seq) => {
                assert!(before < seq && seq <= after, "{tag}: {before} {seq} {after}");
                assert_eq!(told.changed.get(seq).map(String::as_str), Some(*tag));
            }
            Answer::Rejected(Rejection::Immutable(_)) => {
                assert!(meanwhile(true), "{tag} was refused between {before} and {after}, while nothing protected it");
                refused += 1;
            }
            // Names that were protected and then deleted come back as nothing else; and some are not there to be deleted.
            Answer::Rejected(Rejection::Spent { .. } | Rejection::TagUnknown { .. }) => assert!(tag.starts_with('w')),
            other => panic!("{tag}: {other:?}"),
        }
    }
    let acknowledged = asked.iter().filter(|asked| matches!(asked.answer, Answer::Committed(_))).count();
    assert_eq!(acknowledged, told.changed.len(), "the log says what the clients were told");
    let moved = told.changed.values().filter(|tag| tag.starts_with('v')).count();
    assert!(refused >= 30 && moved >= 30, "{refused} refused, {moved} moved: the policies met nobody");
    assert_eq!(registry.seen(), told_by(&log));
}

/// What as many threads are answered when each asks at the same moment.
fn at_once(registry: &Registry, ask: impl Fn(usize) -> Submission + Sync) -> Vec<Answer> {
    let barrier = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (handle, barrier, ask) = (&registry.handle, &barrier, &ask);
                scope.spawn(move || {
                    let submission = ask(number);
                    barrier.wait();
                    submit(handle, submission)
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn of_several_activations_of_one_draft_one_wins() {
    let (mut registry, log) = Registry::in_memory(4);
    registry.start();
    for round in 0..25 {
        seq(&submit(&registry.handle, draft(id(round), immutable(&format!("v{round}")))));
        let answers = at_once(&registry, |_| activate(id(round)));
        let not_draft = Rejection::PolicyNotDraft { policy: id(round), found: "active already" };
        let lost = answers.iter().filter(|answer| **answer == Answer::Rejected(not_draft.clone())).count();
        let won = answers.iter().filter(|answer| matches!(answer, Answer::Committed(_))).count();
        assert_eq!((won, lost), (1, CLIENTS - 1), "{answers:?}");
    }
    assert_eq!(log.head().seq, 1 + 2 * 25);
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn of_several_creations_of_the_same_policy_one_wins() {
    let (mut registry, log) = Registry::in_memory(4);
    registry.start();
    for round in 0..25 {
        let make = if round % 2 == 0 { create } else { draft };
        let answers = at_once(&registry, |client| make(id(round * CLIENTS + client), immutable(&format!("v{round}"))));
        let winner = answers.iter().position(|answer| matches!(answer, Answer::Committed(_))).unwrap();
        for (client, answer) in answers.iter().enumerate().filter(|(client, _)| *client != winner) {
            let exists = Rejection::PolicyExists { policy: id(round * CLIENTS + winner) };
            assert_eq!(answer, &Answer::Rejected(exists), "{client} of {answers:?}");
        }
    }
    assert_eq!(log.head().seq, 1 + 25);
    assert_eq!(registry.seen(), told_by(&log));
}

#[test]
fn an_activation_over_thousands_of_tags_under_traffic_is_one_record() {
    const MANY: usize = 5_000;
    let names: Vec<_> = (0..MANY).map(|number| format!("v{number}")).collect();
    let pushes = names.chunks(500).map(|names| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        push("a", "first", &[], &names)
    });
    let (mut registry, log) = Registry::in_memory(16);
    registry.commit(pushes.collect());
    seq(&registry.submit(draft(id(0), immutable("v.*"))));

    let traffic = Traffic::default();
    let (activation, answers) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (handle, traffic, names) = (&registry.handle, &traffic, &names);
                let ask = move |turn: usize| {
                    let name = &names[(turn * CLIENTS + client) * 37 % MANY];
                    submit(handle, push("a", &format!("{client} {turn}"), &[], &[name]))
                };
                scope.spawn(move || (0..).take_while(|_| traffic.flows()).map(ask).collect::<Vec<_>>())
            })
            .collect();
        traffic.wait();
        let activation = registry.submit(activate(id(0)));
        // Whoever was told looks at once: all of them are protected.
        let seen = registry.published.snapshot();
        traffic.wait();
        traffic.over.store(true, Ordering::SeqCst);
        let repository = name("a");
        let protection = seen.state.protection(&repository);
        let tags = seen.state.repository("a").unwrap().tags_after(None);
        assert_eq!(tags.filter(|(tag, state)| protection.protects(tag, *state)).count(), MANY);
        (seq(&activation), clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>())
    });
    let moved = answers.iter().filter(|answer| matches!(answer, Answer::Committed(_))).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Answer::Rejected(Rejection::Immutable(_)))).count();
    assert_eq!(moved + refused, answers.len());
    assert!(moved > 0 && refused > 0, "{moved} moved, {refused} refused");
    let records = records(&log);
    let at = usize::try_from(activation).unwrap();
    let activated = Event::PolicyActivated { policy: id(0), scope: Scope::Registry, rule: immutable("v.*") };
    assert_eq!(records[at - 1].events, [activated]);
    assert_eq!(records.len(), at, "nothing changes any more");
    assert_eq!(registry.seen(), told_by(&log));
}
