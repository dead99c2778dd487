//! A disk that fails once and then seems to work again: a second sync that succeeds proves nothing about the first.

use std::path::Path;
use std::sync::mpsc;

use tagstone_replay::content::Layout;

use crate::client::send;
use crate::evidence;
use crate::names::can_trace;
use crate::pushes::{Acknowledged, Content, digest_of, push_blob, push_until_the_end};
use crate::server::Server;

#[test]
fn after_one_failed_sync_nothing_is_acknowledged_until_a_restart() {
    if can_trace() {
        // The start itself makes the first two in its thread. Behind them the writer's thread has three a batch: of
        // the segment, of the log, of the anchor.
        (3..=8).for_each(|count| fail("fdatasync", count));
    }
}

#[test]
fn after_one_failed_write_nothing_is_acknowledged_until_a_restart() {
    if can_trace() {
        // The segment's and the anchor's; the first thread makes ten at most when it starts.
        (11..=14).for_each(|count| fail("pwrite64", count));
    }
}

/// That no file descriptor is free is no failed write: the writer waits for one, and goes on.
#[test]
fn a_lack_of_descriptors_does_not_end_writing() {
    if !can_trace() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let blob = vec![b'x'; 300 * 1024];
    let layout = Layout::new(root.join("data"));
    let blobs = layout.blob_directory(&digest_of(&blob));
    let server = Server::start_without_descriptors(layout.root(), &root.join("trace"), &blobs, 3);
    assert!(push_blob(server.address(), "acme/app", &blob).unwrap());
    assert!(push_blob(server.address(), "acme/app", b"and another").unwrap());
    let trace = std::fs::read_to_string(root.join("trace")).unwrap();
    assert_eq!(trace.matches("EMFILE").count(), 3, "{trace}");
}

fn fail(call: &str, count: u32) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let server = Server::start_failing(&data, &directory.path().join("trace"), call, count);
    let address = server.address();
    let (told, hear) = mpsc::channel();
    push_until_the_end(address, "r1-c0", Content::Small, &told).unwrap();
    drop(told);
    let acknowledged: Vec<_> = hear.into_iter().collect();
    eprintln!("{call} {count} failed behind {} acknowledgements", acknowledged.len());

    let status = |path: &str| send(address, "GET", path, None, b"").unwrap().status;
    for attempt in 0..5 {
        let blob = format!("attempt {attempt}");
        assert!(!push_blob(address, "acme/later", blob.as_bytes()).unwrap(), "{call} {count}: acknowledged afterwards");
    }
    assert_eq!((status("/readyz"), status("/healthz"), status("/v2/_catalog")), (503, 200, 200), "{call} {count}");
    evidence::ask(address, &acknowledged);
    server.kill();
    check_the_next_start(&data, directory.path(), &acknowledged);
}

fn check_the_next_start(data: &Path, beside: &Path, acknowledged: &[Acknowledged]) {
    evidence::examine(data, beside, acknowledged);
    let server = Server::start(data);
    evidence::ask(server.address(), acknowledged);
    assert!(push_blob(server.address(), "acme/later", b"now it works").unwrap());
}
