//! A log in which a record cannot be read, behind a start from a snapshot: what is told of it, and what is answered all the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use tagstone_replay::content::Layout;

use crate::snapshots::{REPOSITORY, move_tag, wait_for};
use crate::support::client::{Client, digest_of, manifest};
use crate::support::registry::Registry;

const NEEDLE: &str = "a-tag-that-stands-in-one-record";

/// Flips a bit wherever the data file holds these bytes.
fn flip_all(data: &Path, needle: &str) {
    let file = Layout::new(data).log().join("db");
    let mut bytes = fs::read(&file).expect("read the data file");
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(needle.as_bytes())).collect();
    assert!(!places.is_empty(), "the data file does not hold {needle}");
    places.into_iter().for_each(|at| bytes[at] ^= 0x01);
    fs::write(&file, bytes).expect("write the data file");
}

/// A registry whose log has a record that cannot be read, and that record's number.
fn damaged() -> (Registry, u64) {
    let mut registry = Registry::start();
    move_tag(&registry, 500);
    let client = Client::new(registry.url());
    let image = manifest((&client.push_blob(REPOSITORY, b"{}"), 2), &[], "needle");
    client.put_manifest(REPOSITORY, NEEDLE, &image).expect("an answer").expecting(201);
    move_tag(&registry, 600);
    registry.stop();
    // With this start sled notes the place of everything, and does not look at what it has noted when it starts again.
    registry.restart();
    registry.stop();
    flip_all(&registry.data(), NEEDLE);
    registry.restart();
    wait_for(&registry, "so the registry is read-only");
    // The page of the data file that the record stands in may begin with an earlier one.
    let said = registry.stderr();
    let number = said.split("damage=record ").nth(1).and_then(|said| said.split(' ').next());
    let number = number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number in {said}"));
    (registry, number)
}

/// The events of a list, page by page, and the answer that ends it.
fn listed(client: &Client, query: &str) -> (Vec<u64>, String) {
    let (mut seqs, mut next) = (Vec::new(), String::new());
    loop {
        let answer = client.get(&format!("/api/v1/events?{query}{next}")).expect("an answer");
        let page = answer.json();
        if answer.status != 200 {
            assert_eq!((answer.status, page["error_type"].as_str()), (503, Some("unavailable")), "{answer}");
            return (seqs, page["detail"].as_str().expect("a text").to_owned());
        }
        let events = page["events"].as_array().expect("events");
        seqs.extend(events.iter().map(|event| event["seq"].as_u64().expect("a number")));
        next = format!("&next={}", page["next"].as_str().expect("the damage lies ahead"));
    }
}

#[track_caller]
fn tells(text: &str, record: u64) {
    for words in
        [&*format!("record {record} "), "the bytes at offset ", "`tagstone-replay verify`", "a restart does not help"]
    {
        assert!(text.contains(words), "{words:?} is missing: {text}");
    }
    assert!(!text.contains("write to") && !text.contains("backtrace"), "{text}");
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_what_is_sound_is_told() {
    let (mut registry, record) = damaged();
    let client = Client::new(registry.url());
    let get = |path: &str| client.get(path).expect("an answer");
    let said = |body: &[u8]| String::from_utf8_lossy(body).into_owned();

    let ready = get("/readyz").expecting(503);
    assert!(ready.body.starts_with(b"read-only: the log is damaged: record "), "{ready}");
    tells(&said(&ready.body), record);
    let other = manifest((&digest_of(b"{}"), 2), &[], "other");
    let refused = client.put_manifest(REPOSITORY, "new", &other).expect("an answer").expecting(503);
    assert_eq!(refused.json()["errors"][0]["detail"]["reason"], "READ_ONLY", "{refused}");
    tells(&said(&refused.body), record);

    let (seqs, why) = listed(&client, "order=asc&n=70");
    assert_eq!((seqs.first(), seqs.last()), (Some(&1), Some(&(record - 1))));
    tells(&why, record);
    let (seqs, why) = listed(&client, "order=desc&n=70");
    assert!(seqs.iter().all(|seq| *seq > record) && !seqs.is_empty(), "{seqs:?}");
    assert!(why.contains("cannot be read"), "{why}");

    let stream = said(&get("/api/v1/events/stream?from_seq=1").expecting(200).body);
    let (events, last_words) = stream.split_once(": the stream ends: ").expect("last words");
    let seen: Vec<_> = events.lines().filter_map(|line| line.strip_prefix("id: ")?.split('.').next()).collect();
    assert_eq!((seen.first(), seen.last()), (Some(&"1"), Some(&&*(record - 1).to_string())));
    assert!(last_words.ends_with("\n\n") && last_words.trim_end().lines().count() == 1, "{last_words:?}");
    tells(last_words, record);

    let answer = get(&format!("/v2/as-of/seq-{record}/{REPOSITORY}/manifests/moving")).expecting(503);
    assert_eq!(answer.json()["errors"][0]["detail"]["reason"], "HISTORY_FAILED", "{answer}");
    let text = said(&answer.body);
    assert!(text.contains("cannot be read") && text.contains("a restart does not help"), "{text}");
    // The index was made while the record could be read, and has what the history of a tag tells.
    let history = get(&format!("/v2/{REPOSITORY}/_oci/tag-history/{NEEDLE}")).expecting(200).json();
    assert_eq!(history["manifests"].as_array().map(Vec::len), Some(1), "{history}");
    let logs = get(&format!("/api/v1/repository/{REPOSITORY}/logs")).expecting(200).json();
    assert_eq!(logs["logs"].as_array().map(Vec::len), Some(20), "{logs}");
    client.get_manifest(REPOSITORY, NEEDLE).expect("an answer").expecting(200);
    registry.stop();

    // The shorter log could be accepted, but no start could cut off what is behind it.
    let anchor = Layout::new(registry.data()).anchor();
    let before = fs::read(&anchor).expect("read the anchor");
    let recovered =
        Command::new(env!("CARGO_BIN_EXE_tagstone")).args(["recover", "--data"]).arg(registry.data()).output();
    let recovered = recovered.expect("run the program");
    let text = said(&recovered.stderr);
    assert!(!recovered.status.success() && text.contains("the bytes at offset ") && text.contains("restore"), "{text}");
    assert_eq!(fs::read(&anchor).expect("read the anchor"), before);
}
