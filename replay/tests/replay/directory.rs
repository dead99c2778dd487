//! Data directories that a registry might have left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use tagstone_replay::content::Layout;
use tagstone_replay::fold::State;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Digest, EncodedRecord, Event, Head, Id, Origin, Record, References, Timestamp};

/// The time of the first record: 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 1_767_225_600_000_000;
pub(crate) const SECOND: i64 = 1_000_000;

pub(crate) fn digest(name: &str) -> Digest {
    use sha2::{Digest as _, Sha256};
    Digest::sha256(Sha256::digest(name).into())
}

/// A record behind `head`, one second later.
pub(crate) fn record(head: &Head, events: Vec<Event>) -> Record {
    let time = if head.seq == 0 { Timestamp(BEGIN) } else { Timestamp(head.time.0 + SECOND) };
    let (actor, origin) = (Actor::anonymous(), Origin::default());
    Record { format: FORMAT_VERSION, seq: head.seq + 1, time, prev: head.hash, actor, origin, events }
}

/// The records of these events, one each, behind `head`.
pub(crate) fn records(mut head: Head, events: impl IntoIterator<Item = Vec<Event>>) -> Vec<EncodedRecord> {
    let mut all = Vec::new();
    for events in events {
        let encoded = record(&head, events).encode().unwrap();
        head = encoded.head();
        all.push(encoded);
    }
    all
}

pub(crate) fn started(log: u8) -> Event {
    Event::LogStarted { log: Id([log; 16]) }
}

pub(crate) fn blob(repository: &str, name: &str) -> Event {
    let size = name.len() as u64;
    Event::BlobLinked { repository: repository.parse().unwrap(), digest: digest(name), size, mounted_from: None }
}

pub(crate) fn manifest(repository: &str, name: &str, references: &[&str]) -> Event {
    Event::ManifestPushed {
        repository: repository.parse().unwrap(),
        digest: digest(name),
        size: name.len() as u64,
        media_type: tagstone_schema::media_type::OCI_IMAGE.parse().unwrap(),
        artifact_type: None,
        subject: None,
        references: references.iter().map(|name| digest(name)).collect::<References>(),
    }
}

pub(crate) fn moved(repository: &str, tag: &str, from: Option<&str>, to: &str) -> Event {
    let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
    Event::TagMoved { repository, tag, from: from.map(digest), to: digest(to) }
}

pub(crate) fn expiry(repository: &str, tag: &str, micros: i64) -> Event {
    let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
    Event::TagExpirySet { repository, tag, at: Some(Timestamp(micros)) }
}

/// Nine records with something of most kinds.
pub(crate) fn history() -> Vec<Vec<Event>> {
    let (app, lib) = ("acme/app", "lib");
    let rule = Rule::Immutability {
        pattern: Pattern { regex: "v.*".to_owned(), matches: true },
        include_referrer_tags: false,
    };
    let scope = Scope::Repository(lib.parse().unwrap());
    let token = Event::TokenIssued {
        token: Id([9; 16]),
        subject: "robot".into(),
        scopes: Vec::new(),
        secret_hash: [0xab; 32],
        expires: Some(Timestamp(BEGIN + 3600 * SECOND)),
        label: "ci".into(),
    };
    vec![
        vec![started(1), Event::ServerStarted { version: "0.1.0".to_owned() }],
        vec![blob(app, "config")],
        vec![blob(app, "layer")],
        vec![manifest(app, "one", &["config", "layer"]), moved(app, "latest", None, "one")],
        vec![blob(lib, "layer"), manifest(lib, "other", &["layer"]), moved(lib, "v1", None, "other")],
        vec![manifest(app, "two", &["config"]), moved(app, "latest", Some("one"), "two")],
        vec![Event::PolicyActivated { policy: Id([7; 16]), scope, rule }],
        vec![
            token,
            Event::TagLocked { repository: lib.parse().unwrap(), tag: "v1".parse().unwrap() },
            expiry(app, "latest", BEGIN + 60 * SECOND),
        ],
        vec![
            Event::TagErased {
                repository: lib.parse().unwrap(),
                tag: "v1".parse().unwrap(),
                was: digest("other"),
                reason: "a leak".to_owned(),
            },
            Event::RepositoryDeleted { repository: lib.parse().unwrap() },
        ],
    ]
}

/// The state after these records.
pub(crate) fn folded(records: &[EncodedRecord]) -> State {
    let mut state = State::default();
    for encoded in records {
        state.apply(&Record::decode(encoded.bytes()).unwrap()).unwrap();
    }
    state
}

/// Opens the log as a server does, without folding it.
pub(crate) fn opened(root: &Path) -> EmbeddedLog {
    unlocked(|| EmbeddedLog::open(&Layout::new(root), Options::default(), &mut |_| Ok(()))).log
}

/// The tree that the records lie in, past everything that guards it.
pub(crate) fn tree(root: &Path) -> (sled::Db, sled::Tree) {
    let db = unlocked(|| sled::open(Layout::new(root).log()));
    let tree = db.open_tree("log").unwrap();
    (db, tree)
}

/// Opens a log again until sled's lock on its file is free. A child that another test is just starting holds a copy
/// of every descriptor, and with it the lock, until it has become another program.
fn unlocked<T, E: std::fmt::Display>(open: impl Fn() -> Result<T, E>) -> T {
    for _ in 0..200 {
        match open() {
            Ok(opened) => return opened,
            Err(error) if error.to_string().contains("could not acquire lock") => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lock on the log was never given back")
}

/// Appends records as a registry does.
pub(crate) fn append(root: &Path, records: &[EncodedRecord]) {
    let mut log = opened(root);
    for record in records {
        let head = log.head();
        log.append(&head, std::slice::from_ref(record)).unwrap();
    }
}

/// A data directory with [`history`], left by a registry that stopped.
pub(crate) fn sound() -> (tempfile::TempDir, Vec<EncodedRecord>) {
    let directory = tempfile::tempdir().unwrap();
    let records = records(Head::default(), history());
    append(directory.path(), &records);
    fs::write(Layout::new(directory.path()).lock(), "process 1").unwrap();
    (directory, records)
}

/// Everything about every file below a directory that a careless reader could change.
pub(crate) fn evidence(root: &Path) -> BTreeMap<std::path::PathBuf, (SystemTime, Option<blake3::Hash>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let hash = if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            None
        } else {
            Some(blake3::hash(&fs::read(&path).unwrap()))
        };
        found.insert(path, (metadata.modified().unwrap(), hash));
    }
    found
}

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
