//! Measures the index of the audit at full size: `index build DIRECTORY EVENTS` makes a log of a busy registry and its index,
//! `index ask DIRECTORY QUESTIONS` asks them what happened.

use std::path::Path;
use std::time::{Duration, Instant};

use tagstone_core_benches::Busy;
use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::audit::{Archive, Filter, Order, Place, Query, Unfolded};
use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::{EncodedRecord, Event, Record, RepositoryName, Tag};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["build", directory, events] => build(directory.as_ref(), number(events)),
        ["ask", directory, questions] => ask(directory.as_ref(), number(questions)),
        _ => eprintln!("index build DIRECTORY EVENTS\nindex ask DIRECTORY QUESTIONS"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

/// Adds records as the follower does; they are made and written to the log a portion at a time, and that is not measured.
fn build(directory: &Path, events: u64) {
    let layout = Layout::new(directory);
    let mut log = EmbeddedLog::open(&layout, Options::default(), &mut |_| Ok(())).expect("a log").log;
    let index = AuditIndex::open(&layout.index()).expect("an index");
    let (mut busy, first) = Busy::begin(1_000);
    let mut state = State::default();
    let mut portion: Vec<(Record, EncodedRecord)> = vec![(Record::decode(first.bytes()).expect("a record"), first)];
    let (mut added, mut folding, mut adding, mut waited) = (0, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    while added < events {
        let heads: Vec<_> = portion.iter().map(|(_, encoded)| encoded.head()).collect();
        let (records, encoded): (Vec<_>, Vec<_>) = portion.into_iter().unzip();
        log.append(&log.head(), &encoded).expect("it is appended");
        let began = worked();
        let unfolded = records.into_iter().map(|record| Unfolded::apply(&mut state, record).expect("a legal record"));
        let unfolded: Vec<_> = unfolded.collect();
        folding += worked() - began;
        let (began, begun) = (worked(), Instant::now());
        for (unfolded, head) in unfolded.iter().zip(heads) {
            index.add(unfolded, head).expect("it is added");
            added += unfolded.events().count() as u64;
        }
        adding += worked() - began;
        waited += begun.elapsed();
        portion = (0..10_000).map(|_| busy.record()).collect();
    }
    let begun = Instant::now();
    index.close().expect("it is closed");
    waited += begun.elapsed();
    let runs: Vec<_> = std::fs::read_dir(layout.index()).expect("a directory").map(|run| run.expect("a run")).collect();
    let bytes: u64 = runs.iter().map(|run| run.metadata().expect("a file").len()).sum();
    let (records, rate) = (index.reached().seq, |time: Duration| added as f64 / time.as_secs_f64());
    println!("{added} events in {records} records; unfolding them took {folding:.2?}");
    println!("adding took {adding:.2?} of its thread ({:.0} events/s), {waited:.2?} in all", rate(adding));
    println!("{} runs, {} MiB, {:.1} bytes an event", runs.len(), bytes >> 20, bytes as f64 / added as f64);
}

fn ask(directory: &Path, questions: u64) {
    let layout = Layout::new(directory);
    let log = EmbeddedLog::open(&layout, Options::default(), &mut |_| Ok(())).expect("a log").log;
    let begun = Instant::now();
    let index = AuditIndex::open(&layout.index()).expect("an index");
    println!("opened in {:.2?}", begun.elapsed());
    let archive = Archive::new(&index, log.reader());
    let last = archive.reached().seq;
    let mut times: [Vec<Duration>; 4] = Default::default();
    let mut found = [0; 4];
    let mut chance = 1u64;
    for _ in 0..questions {
        let Some((repository, tag)) = moved(&archive, &mut chance, last) else { continue };
        let of_tag = Filter { repository: Some(repository.clone()), tag: Some(tag.clone()), ..Filter::default() };
        let combined = Filter {
            repository: Some(repository.clone()),
            kind: "tag_deleted".parse().ok(),
            cause: "prune".parse().ok(),
            ..Filter::default()
        };
        let query = |filter, limit| Query { filter, order: Order::Descending, after: None, limit };
        let asked: [&dyn Fn() -> usize; 4] = [
            &|| archive.stays(&repository, &tag, Place::last_of(last)).inspect(|stay| assert!(stay.is_ok())).count(),
            &|| archive.events(&query(of_tag.clone(), 1_000)).expect("events").events.len(),
            &|| archive.events(&query(combined.clone(), 50)).expect("events").events.len(),
            &|| archive.events(&query(Filter::default(), 50)).expect("events").events.len(),
        ];
        for (at, ask) in asked.iter().enumerate() {
            let begun = Instant::now();
            found[at] += ask();
            times[at].push(begun.elapsed());
        }
    }
    for (at, what) in
        ["stays of a tag", "events of a tag", "50 pruned in a repository", "the last 50"].iter().enumerate()
    {
        times[at].sort();
        let part = |percent: usize| times[at][(times[at].len() * percent / 100).min(times[at].len() - 1)];
        println!("{what}: median {:.2?}, p99 {:.2?}, most {:.2?}; {} found", part(50), part(99), part(100), found[at]);
    }
}

/// A tag that was moved at some time.
fn moved(archive: &Archive, chance: &mut u64, last: u64) -> Option<(RepositoryName, Tag)> {
    *chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let record = archive.record(1 + (*chance >> 16) % last).expect("a record")?;
    record.record.events.iter().find_map(|event| match event {
        Event::TagMoved { repository, tag, .. } => Some((repository.clone(), tag.clone())),
        _ => None,
    })
}

/// How long this thread has had a processor: others may want it too.
fn worked() -> Duration {
    let fields = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(fields.split_whitespace().next().expect("a field").parse().expect("a number"))
}
