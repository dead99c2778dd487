use tagstone_replay::content::Layout;
use tagstone_replay::export::Reader;
use tagstone_replay::log::{EmbeddedLog, Log, Options};
use tagstone_schema::record::FORMAT_VERSION;
use tagstone_schema::{Actor, Event, Head, Origin, Record, Timestamp};

use super::*;

/// A log of records of about 60 KiB.
fn long_records(directory: &std::path::Path, count: u64) -> EmbeddedLog {
    let mut log = EmbeddedLog::open(&Layout::new(directory), Options::default(), &mut |_| Ok(())).unwrap().log;
    for seq in 1..=count {
        let head = log.head();
        let record = Record {
            format: FORMAT_VERSION,
            seq,
            time: Timestamp(head.time.0 + 1),
            prev: head.hash,
            actor: Actor::anonymous(),
            origin: Origin::default(),
            events: vec![Event::ServerStarted { version: "v".repeat(60 * 1024) }],
        };
        log.append(&head, &[record.encode().unwrap()]).unwrap();
    }
    log
}

#[test]
fn a_page_ends_at_its_bytes_and_at_the_published_head() {
    let directory = tempfile::tempdir().unwrap();
    let log = long_records(directory.path(), 12);
    let page = |from, last, most_bytes| {
        let page = Page { records: log.reader(), last, log: None, from, most: u64::MAX, most_bytes };
        let export = page.export().unwrap();
        let seqs: Vec<_> = Reader::new(&export[..]).unwrap().map(|record| record.unwrap().seq).collect();
        let json: serde_json::Value = serde_json::from_slice(&page.json().unwrap()).unwrap();
        let in_json = json["records"].as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap());
        assert_eq!(in_json.collect::<Vec<_>>(), seqs);
        seqs
    };
    assert_eq!(page(1, 12, PAGE_BYTES), (1..=12).collect::<Vec<_>>());
    assert_eq!(page(3, 12, 200 * 1024), [3, 4, 5]);
    assert_eq!(page(3, 12, 1), [3], "one is always answered");
    // What stands behind the published head may not be durable yet.
    assert_eq!(page(10, 11, PAGE_BYTES), [10, 11]);
    assert_eq!(page(12, 11, PAGE_BYTES), [0; 0]);
    let beyond = Page { records: log.reader(), last: 13, log: None, from: 12, most: 9, most_bytes: PAGE_BYTES };
    assert!(beyond.export().is_err(), "a log that ends before its head is no shorter log");
    assert_eq!(beyond.before().unwrap().seq, 11);
    assert_eq!(Page { from: 1, ..beyond }.before().unwrap(), Head::default());
}
