//! Starts from a snapshot of the state: they come to what the whole log comes to, and find out if the log before it is damaged.

use std::fs;
use std::thread;
use std::time::Duration;

use tagstone_replay::content::Layout;
use tagstone_replay::fold::{State, snapshot};
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Id, Origin, Record, RecordHash, Timestamp};
use tempfile::TempDir;
use ureq::http::Method;

use crate::support::client::{Client, digest_of, manifest};
use crate::support::registry::Registry;
use crate::support::replay::replay;

pub(crate) const REPOSITORY: &str = "acme/app";

/// Pushes two images in turn under one tag, so often.
pub(crate) fn move_tag(registry: &Registry, times: usize) {
    let client = Client::new(registry.url());
    let config = client.push_blob(REPOSITORY, b"{}");
    let images = ["one", "other"].map(|note| manifest((&config, 2), &[], note));
    for image in images.iter().cycle().take(times) {
        client.put_manifest(REPOSITORY, "moving", image).expect("an answer").expecting(201);
    }
}

/// The fingerprint of the state, as the running server tells it.
fn served(registry: &Registry) -> String {
    let head = Client::new(registry.url()).get("/api/v1/log/head").expect("an answer").expecting(200).json();
    head["fingerprint"].as_str().expect("a fingerprint").to_owned()
}

/// The fingerprint of the fold of all records, from the first one on.
fn replayed(registry: &Registry) -> String {
    let report = replay("verify", &registry.data(), &["--format", "json"]).succeeded().json();
    report["fingerprint"].as_str().expect("a fingerprint").to_owned()
}

/// Waits until the server has said this.
pub(crate) fn wait_for(registry: &Registry, words: &str) {
    for _ in 0..1_000 {
        if registry.stderr().contains(words) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the server never says {words:?}:\n{}", registry.stderr());
}

#[test]
fn a_start_from_a_snapshot_serves_what_the_whole_log_comes_to() {
    let mut registry = Registry::start();
    move_tag(&registry, 3);
    registry.stop();
    let snapshot = Layout::new(registry.data()).snapshot();
    assert!(!snapshot.exists(), "a snapshot of so little is not worth its while");
    registry.restart();
    move_tag(&registry, 1_000);
    let before = served(&registry);
    registry.stop();
    assert!(snapshot.exists(), "a clean stop has left no snapshot; stderr:\n{}", registry.stderr());
    assert_eq!(replayed(&registry), before);

    // Behind the snapshot come some records, and then the process dies.
    registry.restart();
    wait_for(&registry, "the records before the snapshot are sound");
    assert_eq!(served(&registry), before);
    move_tag(&registry, 8);
    let before = served(&registry);
    registry.kill9();
    assert_eq!(replayed(&registry), before);
    registry.restart();
    assert_eq!(served(&registry), before);
    registry.kill9();

    // And without one, and with one that is cut short, it is the same.
    let whole = fs::read(&snapshot).expect("read the snapshot");
    for found in [None, Some(&whole[..whole.len() / 2])] {
        match found {
            None => fs::remove_file(&snapshot).expect("remove the snapshot"),
            Some(part) => fs::write(&snapshot, part).expect("write a part of the snapshot"),
        }
        registry.restart();
        assert_eq!(served(&registry), before);
        registry.kill9();
    }
}

/// A data directory whose record 3 is not the one that record 4 names, with a snapshot behind record 6.
fn damaged_before_its_snapshot() -> TempDir {
    let directory = TempDir::new().expect("create a temporary directory");
    let layout = Layout::new(directory.path());
    let opened = EmbeddedLog::open(&layout, Options::default(), &mut |_| Ok(())).expect("a new log");
    let (mut log, mut state) = (opened.log, State::default());
    for seq in 1..=6_i64 {
        let prev = if seq == 4 { RecordHash([4; 32]) } else { log.head().hash };
        let event = match seq {
            1 => Event::LogStarted { log: Id([1; 16]) },
            _ => Event::ServerStarted { version: "0.1.0".to_owned() },
        };
        let record = Record {
            format: FORMAT_VERSION,
            seq: seq.cast_unsigned(),
            time: Timestamp(1_700_000_000_000_000 + seq),
            prev,
            actor: Actor::system("start"),
            origin: Origin::default(),
            events: vec![event],
        };
        state.apply(&record).expect("a legal record");
        log.append(&log.head(), &[record.encode().expect("a record")]).expect("append it");
    }
    snapshot::write(&layout.snapshot(), &state, log.head()).expect("write a snapshot");
    directory
}

#[test]
fn damage_before_the_snapshot_ends_all_writing_and_takes_nothing_away() {
    let damaged = damaged_before_its_snapshot();
    let mut registry = Registry::over(damaged.path());
    wait_for(&registry, "record 3 is not sound: it was altered");
    let client = Client::new(registry.url());
    // The writer has heard of it a moment later at most.
    let ready = (0..1_000).map(|_| {
        thread::sleep(Duration::from_millis(10));
        client.get("/readyz").expect("an answer")
    });
    let told = ready.into_iter().find(|answer| answer.status == 503).expect("a registry that is not ready");
    assert!(told.body.starts_with(b"read-only"), "{told}");
    let upload = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", digest_of(b"x"));
    client.send(Method::POST, &upload, &[], b"x").expect("an answer").expecting(503);
    client.get("/v2/_catalog").expect("an answer").expecting(200);
    let metrics = client.get("/metrics").expect("an answer").expecting(200);
    assert!(String::from_utf8_lossy(&metrics.body).contains("tagstone_writer_poisoned 1"), "{metrics}");
    registry.stop();
    let verified = replay("verify", &registry.data(), &["--format", "json"]).failed().json();
    assert_eq!(verified["problems"][0]["seq"], 3, "{verified}");
}
