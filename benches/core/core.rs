//! How long records, the fold and the log take.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tagstone_core_benches::{Busy, History};
use tagstone_replay::content::Layout;
use tagstone_replay::fold::{State, snapshot};
use tagstone_replay::log::chain::Chain;
use tagstone_replay::log::{EmbeddedLog, Log, Options, StoredRecord};
use tagstone_schema::{EncodedRecord, Head, Record};

/// Events of the history that is folded.
const EVENTS: u64 = 100_000;

/// Repositories that its pushes go to.
const REPOSITORIES: u64 = 10;

fn record(criterion: &mut Criterion) {
    let (record, encoded) = History::begin(REPOSITORIES).0.push();
    let mut group = criterion.benchmark_group("record of one push");
    group.throughput(Throughput::Bytes(encoded.bytes().len() as u64));
    group.bench_function("encode and hash", |bencher| bencher.iter(|| black_box(&record).encode().unwrap()));
    group.bench_function("decode", |bencher| bencher.iter(|| Record::decode(black_box(encoded.bytes())).unwrap()));
    group.finish();
    let (mut busy, first) = Busy::begin(1_000);
    let busy = stored(first, || busy.record());
    let mut group = criterion.benchmark_group("records of a busy registry");
    group.throughput(Throughput::Elements(busy.len() as u64)).sample_size(10);
    // Each is dropped before the next, so that memory is at hand as in a replay.
    group.bench_function("decode and drop", |bencher| {
        bencher.iter(|| busy.iter().map(|stored| Record::decode(&stored.bytes).unwrap().events.len()).sum::<usize>());
    });
    group.finish();
}

fn fold(criterion: &mut Criterion) {
    let (mut history, first) = History::begin(REPOSITORIES);
    let stored = stored(first, || history.push());
    let records = verified(&stored);
    let mut group = criterion.benchmark_group("100,000 events");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("verify and decode", |bencher| bencher.iter(|| verified(&stored)));
    group.bench_function("fold", |bencher| bencher.iter(|| folded(&records)));
    let state = folded(&records);
    group.bench_function("fingerprint", |bencher| bencher.iter(|| state.fingerprint()));
    group.finish();
}

fn verified(stored: &[StoredRecord]) -> Vec<Record> {
    let mut chain = Chain::default();
    stored.iter().map(|stored| chain.next(stored).unwrap()).collect()
}

fn folded(records: &[Record]) -> State {
    let mut state = State::alone();
    records.iter().for_each(|record| state.apply(record).unwrap());
    state
}

/// What a replay does with each record: verify, decode, fold; on one thread.
fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay of 100,000 events in 1,000 repositories");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    let (mut pushes, first) = History::begin(1_000);
    let pushes = stored(first, || pushes.push());
    group.bench_function("pushes", |bencher| bencher.iter(|| replayed(&pushes)));
    let (mut busy, first) = Busy::begin(1_000);
    let busy = stored(first, || busy.record());
    group.bench_function("a busy registry", |bencher| bencher.iter(|| replayed(&busy)));
    group.finish();
}

/// Records of [`EVENTS`] events, as a log stores them.
fn stored(first: EncodedRecord, mut next: impl FnMut() -> (Record, EncodedRecord)) -> Vec<StoredRecord> {
    let (mut stored, mut events) = (vec![first], 0);
    while events < EVENTS {
        let (record, encoded) = next();
        events += record.events.len() as u64;
        stored.push(encoded);
    }
    stored.into_iter().map(|record| StoredRecord { seq: record.seq(), bytes: record.bytes().to_vec() }).collect()
}

fn replayed(stored: &[StoredRecord]) -> State {
    let (mut chain, mut state) = (Chain::default(), State::alone());
    stored.iter().for_each(|stored| state.apply(&chain.next(stored).unwrap()).unwrap());
    state
}

/// A start with a snapshot: a state of 200,000 tags on 50,000 manifests, from a file that the system has in memory.
fn snapshot(criterion: &mut Criterion) {
    const TAGS: u64 = 200_000;
    const MANIFESTS: u64 = TAGS / 4;
    let (mut history, first) = History::begin(1_000);
    let mut state = State::alone();
    state.apply(&Record::decode(first.bytes()).unwrap()).unwrap();
    (0..MANIFESTS).for_each(|_| state.apply(&history.push().0).unwrap());
    (MANIFESTS..TAGS).for_each(|number| state.apply(&history.tag(number, MANIFESTS)).unwrap());
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("snapshot");
    let mut group = criterion.benchmark_group("snapshot of 200,000 tags");
    group.throughput(Throughput::Elements(TAGS)).sample_size(10);
    group.bench_function("write", |bencher| {
        bencher.iter(|| snapshot::write(&path, &state, Head { seq: 1, ..Head::default() }).unwrap());
    });
    group.bench_function("read", |bencher| bencher.iter(|| snapshot::read(&path).unwrap()));
    group.finish();
}

fn append(criterion: &mut Criterion) {
    // The system's own directory for temporary files may be in memory, where a sync costs nothing.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut log = EmbeddedLog::open(&Layout::new(directory.path()), Options::default(), &mut |_| Ok(())).unwrap().log;
    let (mut history, first) = History::begin(REPOSITORIES);
    log.append(&log.head(), &[first]).unwrap();
    let mut group = criterion.benchmark_group("durable append");
    for records in [1, 64] {
        group.throughput(Throughput::Elements(records));
        group.bench_function(format!("{records} records"), |bencher| {
            bencher.iter_batched(
                || (0..records).map(|_| history.push().1).collect::<Vec<EncodedRecord>>(),
                |batch| log.append(&log.head(), &batch).unwrap(),
                // One at a time: each batch follows the one before.
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(core, record, fold, replay, snapshot, append);
criterion_main!(core);
