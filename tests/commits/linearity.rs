//! Linearity: the log is the one order of all that clients were told, and it does not contradict the order in which
//! they were told it, nor anything that a reader saw.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tagstone::registry::{Condition, Published, Rejection, Submission, WriterHandle};
use tagstone_replay::fold::State;
use tagstone_replay::log::Log;
use tagstone_schema::{Digest, Event, Record, Seq};

use crate::commands::{delete_tag, digest_of, lock, push, unlock};
use crate::registry::{Answer, Registry, block_on, records, told_by};

const CLIENTS: u64 = 8;
const TURNS: u64 = 300;

/// What a client does with one tag.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Put(&'static str),
    Delete,
    Lock,
    Unlock,
}

/// An act from its beginning to its end.
#[derive(Debug)]
struct Done {
    act: Act,
    tag: String,
    /// On a clock that all clients share.
    began: u64,
    ended: u64,
    /// The heads that were published.
    before: Seq,
    after: Seq,
    answer: Answer,
    /// What its client read when it had its answer.
    read: Tag,
}

/// A tag as a reader finds it: where it points and whether it is locked, if it is there.
type Tag = Option<(Digest, bool)>;

fn read(state: &State, tag: &str) -> Tag {
    let found = state.repository("a")?.tag(tag)?;
    Some((found.digest().clone(), found.locked().is_some()))
}

/// A reproducible disorder.
fn act_of(client: u64, turn: u64) -> Act {
    let disorder = (client * 1_000_003 + turn).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    match disorder % 10 {
        0..=4 => Act::Put(["one", "two", "three"][usize::try_from(disorder / 10 % 3).unwrap()]),
        5 | 6 => Act::Delete,
        7 => Act::Lock,
        _ => Act::Unlock,
    }
}

fn submission(act: Act, tag: &str) -> Submission {
    match act {
        Act::Put(manifest) => push("a", manifest, &[], &[tag]),
        Act::Delete => delete_tag("a", tag, Condition::Always),
        Act::Lock => lock("a", tag),
        Act::Unlock => unlock("a", tag),
    }
}

fn client(handle: &WriterHandle, published: &Published, clock: &AtomicU64, number: u64) -> Vec<Done> {
    let mut all = Vec::new();
    for turn in 0..TURNS {
        // Names that were locked are spent sooner or later, so there are new ones all the time.
        let (act, tag) = (act_of(number, turn), format!("t{}-{}", turn / 10, number % 2));
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let before = published.load().head.seq;
        let answer = block_on(handle.submit(submission(act, &tag))).into();
        let seen = published.snapshot();
        let (after, read) = (seen.head.seq, read(&seen.state, &tag));
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        all.push(Done { act, tag, began, ended, before, after, answer, read });
    }
    all
}

/// The states after each record; the first is that of an empty log.
fn states(records: &[Record]) -> Vec<State> {
    let mut states = vec![State::default()];
    for record in records {
        let mut state = states.last().unwrap().clone();
        state.apply(record).unwrap();
        states.push(state);
    }
    states
}

fn is_told(act: Act, tag: &str, events: &[Event]) -> bool {
    events.iter().any(|event| match (act, event) {
        (Act::Put(manifest), Event::TagMoved { tag: of, to, .. }) => of.as_str() == tag && *to == digest_of(manifest),
        (Act::Delete, Event::TagsDeleted { tags, .. }) => tags.len() == 1 && tags[0].tag.as_str() == tag,
        (Act::Lock, Event::TagLocked { tag: of, .. }) | (Act::Unlock, Event::TagUnlocked { tag: of, .. }) => {
            of.as_str() == tag
        }
        _ => false,
    })
}

/// Whether an answer without a record is right in this state.
fn is_right(done: &Done, state: &State) -> bool {
    let standing = read(state, &done.tag);
    let locked = standing.as_ref().is_some_and(|(_, locked)| *locked);
    let points_at = |digest: &Digest| standing.as_ref().is_some_and(|(at, _)| at == digest);
    match (&done.answer, done.act) {
        (Answer::Unchanged, Act::Put(manifest)) => points_at(&digest_of(manifest)),
        (Answer::Unchanged, Act::Lock) => locked,
        (Answer::Unchanged, Act::Unlock) => standing.is_some() && !locked,
        (Answer::Rejected(Rejection::Immutable(_)), Act::Put(manifest)) => locked && !points_at(&digest_of(manifest)),
        (Answer::Rejected(Rejection::Immutable(_)), Act::Delete) => locked,
        (Answer::Rejected(Rejection::Spent { .. }), Act::Put(manifest)) => {
            state.spent("a", &done.tag).is_some_and(|spent| spent.only != digest_of(manifest))
        }
        (Answer::Rejected(Rejection::TagUnknown { .. }), Act::Delete | Act::Lock | Act::Unlock) => standing.is_none(),
        (Answer::Rejected(Rejection::RepositoryUnknown { .. }), Act::Delete | Act::Lock | Act::Unlock) => {
            state.repository("a").is_none()
        }
        (other, act) => panic!("{act:?}: {other:?}"),
    }
}

#[test]
fn what_clients_do_with_tags_is_one_order() {
    let (mut registry, log) = Registry::in_memory(16);
    registry.start();
    let clock = AtomicU64::new(0);
    let by_client: Vec<_> = thread::scope(|scope| {
        let (handle, published, clock) = (&registry.handle, &registry.published, &clock);
        let clients: Vec<_> =
            (0..CLIENTS).map(|number| scope.spawn(move || client(handle, published, clock, number))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let records = records(&log);
    let states = states(&records);
    let state_at = |seq: Seq| &states[usize::try_from(seq).unwrap()];

    for of_client in &by_client {
        assert!(of_client.is_sorted_by(|one, next| one.after <= next.before), "a reader went back");
    }
    let all: Vec<_> = by_client.iter().flatten().collect();
    let mut committed = Vec::new();
    for done in &all {
        assert_eq!(done.read, read(state_at(done.after), &done.tag), "{done:?}: a reader saw what never was");
        if let Answer::Committed(seq) = done.answer {
            assert!(done.before < seq, "{done:?}: its record is older than it");
            assert!(seq <= done.after, "{done:?}: it does not see its own change");
            let record = &records[usize::try_from(seq).unwrap() - 1];
            assert!(is_told(done.act, &done.tag, &record.events), "{done:?}: {:?}", record.events);
            committed.push((seq, *done));
        } else {
            let any = (done.before..=done.after).any(|seq| is_right(done, state_at(seq)));
            assert!(any, "{done:?}: it is right at no moment while it was asked for");
        }
    }
    committed.sort_by_key(|(seq, _)| *seq);
    assert!(committed.is_sorted_by(|one, next| one.0 < next.0), "no record has two authors");
    assert_eq!(committed.len() as u64 + 1, log.head().seq, "every record has an author");
    // Whatever had ended before something else began stands before it in the log.
    let mut latest_begin = 0;
    for (seq, done) in &committed {
        assert!(done.ended > latest_begin, "{seq}: {done:?} ended before something began that the log has earlier");
        latest_begin = latest_begin.max(done.began);
    }
    for act in ["Put", "Delete", "Lock", "Unlock"] {
        let happened = committed.iter().any(|(_, done)| format!("{:?}", done.act).starts_with(act));
        assert!(happened, "{act} never happened");
    }
    assert_eq!(registry.seen(), told_by(&log));
}
