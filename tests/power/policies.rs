//! A policy whose creation dies at any step of its commit: afterwards it holds for every tag that it selects, or it is
//! not there and holds for none.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tagstone_replay::content::Layout;

use crate::client::send;
use crate::names::can_trace;
use crate::pushes::{IMAGE, digest_of, manifest, push_blob};
use crate::server::Server;

const REPOSITORY: &str = "acme/sealed";
const POLICIES: &str = "/api/v1/registry/immutabilitypolicy/";
const GROUPS: usize = 12;
const TAGS: usize = 5;

/// Each group of tags has a policy of its own, which are made one after another until the registry dies. Each system
/// call of the commit, and of the answer behind it, is in its turn the last.
#[test]
fn a_policy_holds_for_all_its_tags_or_is_not_there() {
    if !can_trace() {
        return;
    }
    let (mut unanswered_there, mut unanswered_absent) = (0, 0);
    // The thread of the start makes two syncs and some writes; behind these counts it is the writer's turn. The log is
    // written by threads of sled, each of which has its turn now and then.
    let syncs = (3..=6).map(|count| (None, "fdatasync", count));
    let log_writes = (1..=6).map(|count| (Some("db"), "pwrite64", count));
    let anchor_writes = (10..=12).map(|count| (None, "pwrite64", count));
    let answers = (2..=3).map(|count| (None, "sendto", count));
    for (file, call, count) in syncs.chain(log_writes).chain(anchor_writes).chain(answers) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let data = root.join("data");
        fill(&data);
        let file = file.map(|name| Layout::new(&data).log().join(name));
        let dying = Server::start_dying(&data, &root.join("trace"), file.as_deref(), call, count);
        let Some(server) = dying else { continue };
        let acknowledged = (0..GROUPS).take_while(|group| make_policy(server.address(), *group)).count();
        server.kill();
        let held = examine(&data, &format!("{call} {count}"));
        assert!(held >= acknowledged, "{call} {count}: {acknowledged} were acknowledged, {held} hold");
        assert!(held <= acknowledged + 1, "{call} {count}: {acknowledged} were acknowledged, {held} hold");
        if acknowledged < GROUPS {
            *(if held > acknowledged { &mut unanswered_there } else { &mut unanswered_absent }) += 1;
        }
        eprintln!("{call} {count} was the last call: {acknowledged} policies were acknowledged, {held} hold");
    }
    assert!(unanswered_there > 0 && unanswered_absent > 0, "{unanswered_there} there, {unanswered_absent} absent");
}

/// Groups of tags that all point at one manifest.
fn fill(data: &Path) {
    let server = Server::start(data);
    let address = server.address();
    let (config, first, second) = (b"{}".as_slice(), b"first".as_slice(), b"second".as_slice());
    for blob in [config, first, second] {
        assert!(push_blob(address, REPOSITORY, blob).unwrap());
    }
    let standing = manifest(config, first);
    for group in 0..GROUPS {
        let tags: Vec<_> = (0..TAGS).map(|tag| format!("tag=g{group}-{tag}")).collect();
        let path = format!("/v2/{REPOSITORY}/manifests/{}?{}", digest_of(&standing), tags.join("&"));
        assert_eq!(send(address, "PUT", &path, Some(IMAGE), &standing).unwrap().status, 201);
    }
    let path = format!("/v2/{REPOSITORY}/manifests/other");
    assert_eq!(send(address, "PUT", &path, Some(IMAGE), &manifest(config, second)).unwrap().status, 201);
    server.kill();
}

/// Whether the policy of a group was acknowledged; the registry may die of it.
fn make_policy(address: SocketAddr, group: usize) -> bool {
    let body = format!("{{\"tagPattern\": \"g{group}-.*\"}}");
    send(address, "POST", POLICIES, Some("application/json"), body.as_bytes()).is_ok_and(|reply| reply.status == 201)
}

/// How many of the policies hold after a restart. Each that is listed holds for all its tags, the others for none.
fn examine(data: &Path, what: &str) -> usize {
    let server = Server::start(data);
    let address = server.address();
    let listed: Value = serde_json::from_slice(&send(address, "GET", POLICIES, None, b"").unwrap().body).unwrap();
    let listed: BTreeSet<_> = listed["policies"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|policy| assert_eq!(policy["active"], true, "{what}: {policy}"))
        .filter_map(|policy| policy["tagPattern"].as_str()?.strip_prefix('g')?.strip_suffix("-.*").map(str::to_owned))
        .collect();
    let other = manifest(b"{}", b"second");
    for group in 0..GROUPS {
        let expected = if listed.contains(&group.to_string()) { 409 } else { 201 };
        for tag in 0..TAGS {
            let path = format!("/v2/{REPOSITORY}/manifests/g{group}-{tag}");
            let status = send(address, "PUT", &path, Some(IMAGE), &other).unwrap().status;
            assert_eq!(status, expected, "{what}: {path}");
        }
    }
    server.kill();
    listed.len()
}
