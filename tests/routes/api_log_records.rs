//! The stored records of the log, in the export format and as JSON.

use serde_json::{Value, json};
use tagstone_replay::export::{Header, Reader};
use tagstone_schema::{Head, Record};

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{get, head, put};
use crate::samples::{REPO, push_named};

const PATH: &str = "/api/v1/log/records";

/// A registry with a few records.
async fn filled() -> Registry {
    let registry = Registry::start().await;
    for tag in ["v1", "v2", "v3"] {
        push_named(&registry, REPO, tag, tag).await;
    }
    registry
}

/// The header and the records that an export holds.
fn exported(bytes: &[u8]) -> (Header, Vec<Vec<u8>>) {
    let mut reader = Reader::new(bytes).unwrap();
    let header = *reader.header();
    let records = reader.by_ref().map(|record| record.unwrap().bytes).collect();
    assert!(reader.trailer().is_some());
    (header, records)
}

#[test]
fn records_are_answered_in_the_export_format() {
    run(async {
        let registry = filled().await;
        let octets = || ok(200).header("content-type", "application/octet-stream").header("vary", "Accept");
        let whole = registry.check(get(PATH), octets()).await.body;
        let last = usize::try_from(registry.standing().seq).unwrap();
        let log = registry.state().log();
        let (header, all) = exported(&whole);
        assert_eq!(header, Header { log, before: Head::default() });
        assert_eq!(all.len(), last);
        let mut heads = vec![Head::default()];
        heads.extend(all.iter().map(|bytes| Record::decode(bytes).unwrap().encode().unwrap().head()));
        for (query, first, count) in [
            ("?from=1".to_owned(), 1, last),
            ("?n=2".to_owned(), 1, 2),
            ("?from=3&n=1".to_owned(), 3, 1),
            ("?from=2&n=99999999999999999999".to_owned(), 2, last - 1),
            (format!("?from={last}"), last, 1),
            (format!("?from={}", last + 1), last + 1, 0),
        ] {
            let body = registry.check(get(format!("{PATH}{query}")), octets()).await.body;
            let (header, records) = exported(&body);
            assert_eq!(header, Header { log, before: heads[first - 1] }, "{query}");
            assert_eq!(records, all[first - 1..first - 1 + count], "{query}");
        }
        registry.check(head(PATH), octets()).await;
        let written = registry.records();
        assert_eq!(all, written.iter().map(|one| one.encode().unwrap().bytes().to_vec()).collect::<Vec<_>>());
    });
}

#[test]
fn records_are_answered_as_json() {
    run(async {
        let registry = filled().await;
        let asked = |query: &str, accept| get(format!("{PATH}{query}")).with("accept", accept);
        let all =
            registry.check(asked("", "application/json"), ok(200).header("content-type", "application/json")).await;
        let all = all.json();
        let part = registry.check(asked("?from=2&n=2", "text/html, application/json;q=0.9"), ok(200)).await.json();
        assert_eq!(part, json!({"records": all["records"].as_array().unwrap()[1..3]}));
        let expected: Vec<Value> = registry
            .records()
            .iter()
            .map(|record| {
                json!({
                    "format": 1,
                    "seq": record.seq,
                    "time": record.time.to_string(),
                    "prev": record.prev.to_string(),
                    "hash": record.encode().unwrap().head().hash.to_string(),
                    "actor": record.actor,
                    "origin": record.origin,
                    "events": record.events,
                })
            })
            .collect();
        assert_eq!(all, json!({ "records": expected }));
    });
}

#[test]
fn instants_and_hashes_in_events_are_text() {
    run(async {
        let registry = filled().await;
        let path = format!("/api/v1/repository/{REPO}/tag/v1");
        let expiration = json!({"expiration": 4_102_444_800_u64});
        registry.check(put(path).body(expiration.to_string()), ok(201)).await;
        let answer = registry.check(get(PATH).with("accept", "application/json"), ok(200)).await.json();
        let last = answer["records"].as_array().unwrap().last().unwrap();
        let set = json!({"repository": REPO, "tag": "v1", "at": "2100-01-01T00:00:00.000000Z"});
        assert_eq!(last["events"], json!([{"tag_expiry_set": set}]));
    });
}

#[test]
fn the_form_that_a_client_takes_most_gladly_is_answered() {
    run(async {
        let registry = filled().await;
        let (json, octets) = ("application/json", "application/octet-stream");
        let cases = [
            ("*/*", octets),
            ("text/html", octets),
            ("application/json;q=0", octets),
            ("application/octet-stream, application/json", octets),
            ("application/json;q=0.5, application/octet-stream;q=0.6", octets),
            ("application/json;q=0.6, application/octet-stream;q=0.5", json),
            ("application/octet-stream;q=0, application/json;q=0.1", json),
            ("APPLICATION/JSON", json),
        ];
        let cases =
            cases.map(|(accept, form)| case(get(PATH).with("accept", accept), ok(200).header("content-type", form)));
        registry.check_all(cases).await;
    });
}

#[test]
fn what_is_no_place_of_the_log_is_refused() {
    run(async {
        let registry = filled().await;
        let behind = registry.standing().seq + 2;
        let mut cases = vec![case(
            get(format!("{PATH}?from={behind}")),
            refused(400, "invalid_request", "lies behind the log, whose last record is"),
        )];
        for query in ["from=0", "from=", "from=-1", "from=x", "n=0", "n=1.5", "n=", "from=1%20"] {
            cases.push(case(get(format!("{PATH}?{query}")), refused(400, "invalid_request", "is no number from 1")));
        }
        cases.push(case(get(format!("{PATH}?from=1&from=2")), refused(400, "invalid_request", "2 times")));
        cases.push(case(
            get(format!("{PATH}?from=99999999999999999999")),
            refused(400, "invalid_request", "lies behind the log"),
        ));
        registry.check_all(cases).await;
    });
}
