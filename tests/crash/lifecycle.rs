//! How a server starts and ends: one at a time on a data directory, never on a broken log, and not before its work is done.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::support::client::{Client, digest_of, manifest};
use crate::support::images::incompressible;
use crate::support::registry::Registry;

const REPOSITORY: &str = "acme/app";

/// Pushes an image of one layer under `tag`, and returns its manifest.
fn push_image(client: &Client, tag: &str) -> Vec<u8> {
    let config = client.push_blob(REPOSITORY, b"{}");
    let layer = client.push_blob(REPOSITORY, tag.as_bytes());
    let manifest = manifest((&config, 2), &[(&layer, tag.len())], tag);
    client.put_manifest(REPOSITORY, tag, &manifest).expect("an answer").expecting(201);
    manifest
}

#[test]
fn a_second_process_on_the_data_directory_is_refused() {
    let registry = Registry::start();
    let client = Client::new(registry.url());
    let manifest = push_image(&client, "v1");

    let refusal = registry.intrude().expect_err("a second server serves the same data directory");
    assert_eq!(refusal.status.code(), Some(1), "{refusal:?}");
    assert!(
        refusal.stderr.contains(&registry.pid().to_string()),
        "pid {} is not named: {}",
        registry.pid(),
        refusal.stderr
    );
    // The first has not noticed anything.
    let served = client.get_manifest(REPOSITORY, "v1").expect("an answer").expecting(200);
    assert!(served.body == manifest, "{served}");
    push_image(&client, "v2");
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let blob = incompressible(2_000_000, "in flight");
    let digest = digest_of(&blob);
    let mut registry = Registry::start();
    let location = Client::new(registry.url()).open_upload(REPOSITORY).expect("an answer").expecting(202).location();
    let target = location.trim_start_matches(registry.url());
    let separator = if target.contains('?') { '&' } else { '?' };
    let mut connection = TcpStream::connect(registry.host()).expect("connect to the registry");
    write!(
        connection,
        "PUT {target}{separator}digest={digest} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Expect: 100-continue\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        registry.host(),
        blob.len()
    )
    .expect("send a request's head");
    // A request is in flight once the server has read its head, and this is how it says so.
    let mut go_on = [0; 25];
    connection.read_exact(&mut go_on).expect("read the interim answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "{}", String::from_utf8_lossy(&go_on));
    let (first, rest) = blob.split_at(blob.len() / 2);
    connection.write_all(first).expect("send the first half");

    registry.terminate();
    for piece in rest.chunks(100_000) {
        // Long enough for a server that does not wait to be gone, and never a measure of anything.
        thread::sleep(Duration::from_millis(50));
        connection.write_all(piece).expect("send more of the second half after SIGTERM");
    }
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("read the answer");
    assert!(answer.starts_with("HTTP/1.1 201 "), "an upload that was in flight was answered {answer:?}");
    let status = registry.wait();
    assert_eq!(status.code(), Some(0), "SIGTERM ended the server with {status}; stderr:\n{}", registry.stderr());

    registry.restart();
    let served = Client::new(registry.url()).get_blob(REPOSITORY, &digest).expect("an answer").expecting(200);
    assert!(served.body == blob, "the blob differs from what was sent");
}

#[test]
fn a_damaged_log_is_refused_or_served_in_full() {
    let mut registry = Registry::start();
    let client = Client::new(registry.url());
    let manifests: Vec<_> = (0..20).map(|n| (format!("v{n}"), push_image(&client, &format!("v{n}")))).collect();
    registry.stop();
    let log = log_file(&registry.data());
    let whole = fs::read(&log).expect("read the log");
    let end = whole.iter().rposition(|byte| *byte != 0).expect("a log is not all zeros") + 1;

    // One bit here and there in the newest bytes, and whole pieces of them.
    for (from, to, mask) in
        [(1, 1, 0x01), (40, 40, 0x80), (200, 200, 0x10), (700, 700, 0x04), (64, 1, 0xff), (900, 300, 0x55)]
    {
        let mut damaged = whole.clone();
        for byte in &mut damaged[end.saturating_sub(from)..=end.saturating_sub(to)] {
            *byte ^= mask;
        }
        fs::write(&log, &damaged).expect("damage the log");
        match registry.try_restart() {
            Err(refusal) => {
                assert_eq!(refusal.status.code(), Some(1), "refused with {}: {}", refusal.status, refusal.stderr);
                assert!(!refusal.stderr.contains("panicked"), "the server panicked: {}", refusal.stderr);
                // Either the record that is missing, or, where the store cannot read even that far, what finds it.
                let told = ["record ", "tagstone-replay verify"].iter().any(|words| refusal.stderr.contains(words));
                assert!(told, "the refusal says neither which record nor what finds it: {}", refusal.stderr);
            }
            // What was damaged was not needed; then nothing may be missing.
            Ok(()) => {
                let client = Client::new(registry.url());
                for (tag, bytes) in &manifests {
                    let served = client.get_manifest(REPOSITORY, tag).expect("an answer").expecting(200);
                    assert!(served.body == *bytes, "{tag} after a start on a damaged log: {served}");
                }
                registry.kill9();
            }
        }
        // A start may have written: each damage is done to the log as it was.
        fs::write(&log, &whole).expect("repair the log");
    }
}

/// The file of the log below a data directory.
fn log_file(data: &Path) -> PathBuf {
    let mut below = vec![data.to_owned()];
    while let Some(dir) = below.pop() {
        for entry in fs::read_dir(&dir).expect("read a directory").map(|entry| entry.expect("read a directory").path())
        {
            if entry.is_dir() {
                below.push(entry);
            } else if entry.file_name().is_some_and(|name| name == "db") {
                return entry;
            }
        }
    }
    panic!("no log below {}", data.display());
}
