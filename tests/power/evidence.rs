//! What a disk shows after the power went: read by the library, and asked of the next server.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tagstone_replay::content::{ContentReader, Layout};
use tagstone_replay::fold::{Fingerprint, State};
use tagstone_replay::log::{EmbeddedLog, Log, Options, anchor};
use tagstone_schema::{Digest, Event, Head, Seq};

use crate::client::send;
use crate::pushes::Acknowledged;

/// Examines a disk that nobody has touched since.
pub(crate) fn examine(data: &Path, beside: &Path, acknowledged: &[Acknowledged]) {
    let layout = Layout::new(data);
    // The anchor is made before the log.
    if acknowledged.is_empty() && !layout.log().exists() {
        return;
    }
    let anchor = anchor::read(&layout.anchor()).unwrap();
    let found = open_a_copy(&layout, beside);
    assert!(found.head.seq >= anchor.seq);

    let mut gone = HashSet::new();
    for one in acknowledged {
        match one {
            Acknowledged::Tag { repository, tag, digest, .. } => {
                let seq = found.moves.get(&(tag.clone(), digest.clone()));
                let seq = *seq.unwrap_or_else(|| panic!("{repository}:{tag} was acknowledged and is not in the log"));
                // Otherwise the registry would start without it, should the log lose its tail now.
                assert!(seq <= anchor.seq, "record {seq} was acknowledged, but the anchor is at {}", anchor.seq);
            }
            Acknowledged::Deleted { tag, .. } => {
                gone.insert(tag);
            }
            Acknowledged::Blob { .. } | Acknowledged::Deleting { .. } => {}
        }
    }
    for (name, repository) in found.state.repositories() {
        assert!(repository.tags_after(None).all(|(tag, _)| !gone.contains(&tag.as_str().to_owned())), "{name}");
    }
    check_content(&layout, &found.state);
}

/// Everything that the state names is there, and is what it is said to be.
fn check_content(layout: &Layout, state: &State) {
    let content = ContentReader::open(layout).unwrap();
    for (name, repository) in state.repositories() {
        let blobs = repository.blobs();
        let manifests = repository.manifests().map(|manifest| (&manifest.digest, manifest.size));
        for (digest, size) in blobs.chain(manifests) {
            if let Err(problem) = content.check(digest, size) {
                panic!("in {name}: {problem}");
            }
        }
    }
}

struct Found {
    head: Head,
    state: State,
    /// The record by which a tag came to a digest.
    moves: HashMap<(String, Digest), Seq>,
}

/// Opens a copy of the log, and then a copy of that: the second opening finds what the first has found.
fn open_a_copy(layout: &Layout, beside: &Path) -> Found {
    let directory = tempfile::tempdir_in(beside).unwrap();
    let [first, second] = ["first", "second"].map(|name| Layout::new(directory.path().join(name)));
    copy(layout, &first);
    let (found, fingerprint) = open(&first);
    copy(&first, &second);
    let (again, fingerprint_again) = open(&second);
    assert_eq!((found.head, fingerprint), (again.head, fingerprint_again));
    found
}

fn copy(from: &Layout, to: &Layout) {
    std::fs::create_dir(to.root()).unwrap();
    let copied = Command::new("cp").arg("-a").args([from.log(), from.anchor()]).arg(to.root()).status();
    assert!(copied.unwrap().success());
}

fn open(layout: &Layout) -> (Found, Fingerprint) {
    let mut found = Found { head: Head::default(), state: State::default(), moves: HashMap::new() };
    let opened = EmbeddedLog::open(layout, Options::default(), &mut |record| {
        for event in &record.events {
            if let Event::TagMoved { tag, to, .. } = event {
                found.moves.insert((tag.as_str().to_owned(), to.clone()), record.seq);
            }
        }
        found.state.apply(record)
    });
    found.head = opened.unwrap().log.head();
    let fingerprint = found.state.fingerprint();
    (found, fingerprint)
}

/// Asks a server for everything that was acknowledged.
pub(crate) fn ask(address: SocketAddr, acknowledged: &[Acknowledged]) {
    let get = |path: &str| send(address, "GET", path, None, b"").unwrap();
    let doubtful: HashSet<_> = acknowledged
        .iter()
        .filter_map(|one| if let Acknowledged::Deleting { tag } = one { Some(tag) } else { None })
        .collect();
    for one in acknowledged {
        match one {
            Acknowledged::Blob { repository, digest, bytes } => {
                let reply = get(&format!("/v2/{repository}/blobs/{digest}"));
                assert_eq!((reply.status, &reply.body == bytes), (200, true), "blob {digest}");
            }
            Acknowledged::Tag { repository, tag, digest, manifest } => {
                let reference = if doubtful.contains(tag) { digest.to_string() } else { tag.clone() };
                let reply = get(&format!("/v2/{repository}/manifests/{reference}"));
                assert_eq!((reply.status, &reply.body == manifest), (200, true), "{repository}:{tag}");
            }
            Acknowledged::Deleted { repository, tag } => {
                assert_eq!(get(&format!("/v2/{repository}/manifests/{tag}")).status, 404, "{repository}:{tag}");
            }
            Acknowledged::Deleting { .. } => {}
        }
    }
}
