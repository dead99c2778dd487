//! Measures what takes too long for a benchmark: `measure replay pushes|busy EVENTS` replays so many events on one
//! thread, `measure memory TAGS MANIFESTS` tells what a live tag costs, `measure snapshot TAGS MANIFESTS`
//! how long a state takes to be written and read.

use std::time::{Duration, Instant};

use tagstone_core_benches::{Busy, History};
use tagstone_replay::fold::{State, snapshot};
use tagstone_replay::log::StoredRecord;
use tagstone_replay::log::chain::Chain;
use tagstone_schema::{EncodedRecord, Head};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["replay", "pushes", events] => {
            let (mut history, first) = History::begin(1_000);
            replay(number(events), first, || history.push().1);
        }
        ["replay", "busy", events] => {
            let (mut busy, first) = Busy::begin(1_000);
            replay(number(events), first, || busy.act().1);
        }
        ["memory", tags, manifests] => drop(memory(number(tags), number(manifests))),
        ["snapshot", tags, manifests] => snapshot(&memory(number(tags), number(manifests))),
        _ => eprintln!("measure replay pushes|busy EVENTS\nmeasure memory|snapshot TAGS MANIFESTS"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// Verifies, decodes and folds records one by one; they are made a portion at a time, and that is not measured.
fn replay(events: u64, first: EncodedRecord, mut next: impl FnMut() -> EncodedRecord) {
    let stored = |record: EncodedRecord| StoredRecord { seq: record.seq(), bytes: record.bytes().to_vec() };
    let (mut chain, mut state) = (Chain::default(), State::default());
    let (mut folded, mut taken) = (0, Duration::ZERO);
    let mut portion = vec![stored(first)];
    let before = resident();
    while folded < events {
        let began = worked();
        for record in &portion {
            let record = chain.next(record).expect("a sound record");
            folded += record.events.len() as u64;
            state.apply(&record).expect("a legal record");
        }
        taken += worked() - began;
        portion = (0..10_000).map(|_| stored(next())).collect();
    }
    drop(portion);
    let manifests: usize = state.repositories().map(|(_, repository)| repository.manifest_count()).sum();
    let tags: usize = state.repositories().map(|(_, repository)| repository.tag_count()).sum();
    println!("{folded} events in {taken:.2?}: {:.0} events/s", folded as f64 / taken.as_secs_f64());
    println!("{manifests} manifests, {tags} tags, about {} MiB", (resident() - before) >> 20);
}

/// Memory is told by the system, so what the allocator wastes counts.
fn memory(tags: u64, manifests: u64) -> State {
    let (history, first) = History::begin(1_000);
    let mut state = State::default();
    let mut apply = |record: tagstone_schema::Record| state.apply(&record).expect("a legal record");
    apply(tagstone_schema::Record::decode(first.bytes()).expect("a record"));
    let empty = resident();
    let mut history = history;
    (0..manifests).for_each(|_| apply(history.push().0));
    let pushed = resident();
    (manifests..tags).for_each(|number| apply(history.tag(number, manifests)));
    let tagged = resident();
    println!("a manifest with one tag: {} bytes", (pushed - empty) / manifests);
    if tags > manifests {
        println!("a tag more: {} bytes", (tagged - pushed) / (tags - manifests));
    }
    state
}

fn snapshot(state: &State) {
    let directory = tempfile::tempdir_in(".").expect("a directory");
    let path = directory.path().join("snapshot");
    let began = (worked(), Instant::now());
    snapshot::write(&path, state, Head::default()).expect("a snapshot");
    let written = (worked() - began.0, began.1.elapsed());
    let bytes = std::fs::metadata(&path).expect("a file").len();
    let (before, began) = (resident(), (worked(), Instant::now()));
    let (again, _) = snapshot::read(&path).expect("a snapshot");
    let read = (worked() - began.0, began.1.elapsed());
    assert_eq!(again.fingerprint(), state.fingerprint());
    println!("{bytes} bytes, written in {:.2?} ({:.2?} of a processor)", written.1, written.0);
    println!("read in {:.2?} ({:.2?}), about {} MiB", read.1, read.0, resident().saturating_sub(before) >> 20);
}

/// How long this thread has had a processor: others may want it too.
fn worked() -> Duration {
    let fields = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(fields.split_whitespace().next().expect("a field").parse().expect("a number"))
}

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let fields = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    fields.split_whitespace().nth(1).expect("a field").parse::<u64>().expect("a number") * 4096
}
