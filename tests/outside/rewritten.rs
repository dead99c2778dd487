//! Seeds in formats of ours, made anew for a new version of one: `REWRITE_SEEDS=1`.

use std::fs;

use tagstone_replay::audit::Folded;
use tagstone_replay::audit::index::AuditIndex;
use tagstone_replay::content::Layout;
use tagstone_replay::export::Reader;
use tagstone_replay::fold::{State, snapshot};
use tagstone_replay::log::chain::Chain;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::media_type::{OCI_IMAGE, OCI_INDEX};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, Event, Head, Origin, Record, RepositoryName};

use crate::fuzz;

/// A record with an event, behind a head.
fn next(Head { seq, hash: prev, time }: Head, event: Event) -> Record {
    let (actor, origin) = (Actor::system("test"), Origin::default());
    Record { format: FORMAT_VERSION, seq: seq + 1, time: time.next(), prev, actor, origin, events: vec![event] }
}

/// Makes the seeds of a run of the index from those of an export, for a new version of its format.
pub(crate) fn runs() {
    let export = fs::read(fuzz().join("corpus/export/64-records")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let index = AuditIndex::open(directory.path()).unwrap();
    let (mut chain, mut state) = (Chain::default(), State::default());
    for stored in Reader::new(&*export).unwrap() {
        let record = chain.next(&stored.unwrap()).unwrap();
        index.add(&Folded::apply(&mut state, record).unwrap(), chain.head()).unwrap();
    }
    index.flush().unwrap();
    let run = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(run).unwrap();
    let (magic, tail) = (8, 24);
    let write = |name: &str, bytes: &[u8]| fs::write(fuzz().join("corpus/index_run").join(name), bytes).unwrap();
    write("64-records", &bytes);
    write("without-its-tail", &bytes[..bytes.len() - tail]);
    write("frame-only", &[&bytes[..magic], &bytes[bytes.len() - tail..]].concat());
}

/// Makes the seeds of a log's file, which are what sled writes.
pub(crate) fn log_files() {
    for (name, count) in [("empty", 0), ("3-records", 3), ("40-records", 40)] {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let mut log = EmbeddedLog::open(&layout, Options::default(), &mut |_| Ok(())).unwrap().log;
        for _ in 0..count {
            let record = next(log.head(), Event::ServerStarted { version: "1".repeat(30) });
            log.append(&log.head(), &[record.encode().unwrap()]).unwrap();
        }
        drop(log);
        let mut bytes = fs::read(layout.log().join("db")).unwrap();
        // What is not there reads as zeros.
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        fs::write(fuzz().join("corpus/log_file").join(name), bytes).unwrap();
    }
}

/// Makes the seeds of a snapshot: the state behind the records of an export and some more, in which there is something of everything.
pub(crate) fn snapshots() {
    let export = fs::read(fuzz().join("corpus/export/64-records")).unwrap();
    let (mut chain, mut state) = (Chain::default(), State::default());
    for stored in Reader::new(&*export).unwrap() {
        state.apply(&chain.next(&stored.unwrap()).unwrap()).unwrap();
    }
    let mut head = chain.head();
    let first = moved("seeds/app", "latest", None, 0);
    let moves = [(0, 1), (1, 2), (2, 0)].into_iter().cycle();
    let moves = moves.map(|(from, to)| moved("seeds/app", "latest", Some(from), to));
    for event in images().into_iter().chain([first]).chain(moves).take(1024 - 64) {
        let record = next(head, event);
        state.apply(&record).unwrap();
        head = record.encode().unwrap().head();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    snapshot::write(&path, &state, head).unwrap();
    let bytes = fs::read(path).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(fuzz().join("corpus/snapshot").join(name), bytes).unwrap();
    write("1024-records", &bytes);
    write("cut-off", &bytes[..200]);
    write("head-only", &bytes[..12]);
}

/// Images of two repositories on shared layers, an index, a referrer; and some of them are gone.
fn images() -> Vec<Event> {
    let (app, other) = (repository("seeds/app"), repository("seeds/other"));
    let linked = |repository: &RepositoryName, number, mounted_from: Option<&RepositoryName>| Event::BlobLinked {
        repository: repository.clone(),
        digest: digest(number),
        size: u64::from(number),
        mounted_from: mounted_from.cloned(),
    };
    let pushed = |number: u8, media_type: &str, subject: Option<u8>, references: &[u8]| Event::ManifestPushed {
        repository: app.clone(),
        digest: digest(number),
        size: 400,
        media_type: media_type.parse().unwrap(),
        artifact_type: subject.map(|_| "text/plain".parse().unwrap()),
        subject: subject.map(digest),
        references: references.iter().copied().map(digest).collect(),
    };
    let mut events: Vec<_> = (100..140).map(|number| linked(&app, number, None)).collect();
    events.extend((100..104).map(|number| linked(&other, number, Some(&app))));
    events.extend((0..20).map(|number| pushed(number, OCI_IMAGE, None, &[100, 101, 110 + number])));
    events.extend((0..5).map(|number| pushed(20 + number, OCI_INDEX, None, &[number, number + 5, number + 10, 99])));
    events.extend((0..3).map(|number| pushed(30 + number, OCI_IMAGE, Some(number), &[])));
    events.extend((0..15).map(|number| moved("seeds/app", &format!("v{number}"), None, number)));
    let deleted = |number| Event::ManifestDeleted { repository: app.clone(), digest: digest(number) };
    events.extend([16, 17, 24].map(deleted));
    events.push(Event::BlobUnlinked { repository: app.clone(), digest: digest(126) });
    events.push(Event::TagLocked { repository: app.clone(), tag: "v3".parse().unwrap() });
    events
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn digest(number: u8) -> Digest {
    if number.is_multiple_of(7) { Digest::sha512([number; 64]) } else { Digest::sha256([number; 32]) }
}

fn moved(repository: &str, tag: &str, from: Option<u8>, to: u8) -> Event {
    let (repository, tag) = (self::repository(repository), tag.parse().unwrap());
    Event::TagMoved { repository, tag, from: from.map(digest), to: digest(to) }
}
