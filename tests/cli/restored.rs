//! `tagstone-replay` beside a registry that runs, and a registry that runs on a restored log.

use std::path::Path;

use crate::support::client::{Client, manifest};
use crate::support::command::Outcome;
use crate::support::registry::Registry;
use crate::support::replay::replay;

const REPOSITORY: &str = "acme/app";

/// Pushes an image, and returns the digest of its only layer.
fn push(client: &Client, tag: &str) -> String {
    let (config, layer) = (b"{}".as_slice(), tag.as_bytes());
    let [config_digest, layer_digest] = [config, layer].map(|bytes| client.push_blob(REPOSITORY, bytes));
    let manifest = manifest((&config_digest, config.len()), &[(&layer_digest, layer.len())], tag);
    client.put_manifest(REPOSITORY, tag, &manifest).unwrap().expecting(201);
    layer_digest
}

fn on(source: &str, command: &str, arguments: &[&str]) -> Outcome {
    replay(command, Path::new(source), arguments)
}

#[test]
fn a_running_registry_is_verified_exported_and_restored() {
    let mut registry = Registry::start();
    let client = Client::new(registry.url());
    let layer = push(&client, "v1");
    for n in 0..30 {
        push(&client, &format!("t{n}"));
    }
    let head = client.get("/api/v1/log/head").unwrap().expecting(200).json();
    let url = format!("{}/", registry.url());
    let verified = on(&url, "verify", &["--format", "json"]).succeeded().json();
    assert_eq!(verified["fingerprint"], head["fingerprint"]);
    assert_eq!((&verified["head"]["seq"], &verified["head"]["hash"]), (&head["seq"], &head["hash"]));
    let state = on(&url, "state", &["--fingerprint", "--at", &head["seq"].to_string()]).succeeded();
    assert_eq!(state.text().trim(), head["fingerprint"].as_str().unwrap());
    assert!(on(&url, "verify", &["--blobs"]).failed().stderr().contains("--blobs needs a data directory"));

    let place = tempfile::tempdir().unwrap();
    let [file, data] = ["export", "data"].map(|name| place.path().join(name).to_str().unwrap().to_owned());
    let exported = on(&url, "export", &["--out", &file, "--format", "json"]).succeeded().json();
    assert_eq!(exported["head"], verified["head"]);
    // What comes later is not in it.
    push(&client, "later");
    assert_eq!(on(&file, "verify", &["--format", "json"]).succeeded().json(), verified);
    let restored = on(&file, "restore", &["--data", &data, "--format", "json"]).succeeded().json();
    assert_eq!(restored["fingerprint"], head["fingerprint"]);
    assert_eq!(on(&data, "verify", &["--format", "json"]).succeeded().json(), verified);

    // A registry on the restored log knows every tag, and none of the bytes.
    registry.stop();
    std::fs::remove_dir_all(registry.data()).unwrap();
    std::fs::rename(&data, registry.data()).unwrap();
    registry.restart();
    let client = Client::new(registry.url());
    assert_eq!(client.tags(REPOSITORY).unwrap().len(), 31);
    client.get_manifest(REPOSITORY, "v1").unwrap().expecting(404);
    client.get_blob(REPOSITORY, &layer).unwrap().expecting(404);
    assert!(registry.stderr().contains("content is missing"), "{}", registry.stderr());
    // What is pushed again is there again.
    push(&client, "v1");
    client.get_manifest(REPOSITORY, "v1").unwrap().expecting(200);
    client.get_blob(REPOSITORY, &layer).unwrap().expecting(200);
    registry.stop();
    on(registry.data().to_str().unwrap(), "verify", &[]).succeeded();
}

#[test]
fn a_registry_in_use_is_read_by_its_url_only() {
    let registry = Registry::start();
    push(&Client::new(registry.url()), "v1");
    let data = registry.data();
    let refused = on(data.to_str().unwrap(), "verify", &[]).failed();
    assert!(refused.stderr().contains(&format!("in use by process {}", registry.pid())), "{refused}");
    on(registry.url(), "verify", &[]).succeeded();
    // Credentials are taken wherever they stand, and a registry that asks for none does not mind them.
    let with_user = registry.url().replace("http://", "http://me:secret@");
    let outcome = on(&with_user, "verify", &["--format", "json"]).succeeded();
    assert!(!outcome.text().contains("secret") && !outcome.stderr().contains("secret"), "{outcome}");
}
