//! Logs that somebody wrote past the registry: records swapped, doubled, dropped, foreign, changed, illegal.

use std::path::Path;

use tagstone_replay::content::Layout;
use tagstone_replay::log::anchor::Anchor;
use tagstone_schema::{EncodedRecord, Event, Head, RecordHash};

use crate::command::{Run, state, verify};
use crate::directory::{blob, digest, folded, history, moved, record, records, started, tree};
use crate::export::export;

/// What stands in a forged log: bytes under a seq.
type Entry = (u64, Vec<u8>);

/// Writes a log with exactly these entries, in the layout of the real one, and an anchor that names `head`.
fn forge(root: &Path, entries: &[Entry], head: Head) {
    let (db, tree) = tree(root);
    for (seq, bytes) in entries {
        for (part, page) in bytes.chunks(4096).enumerate() {
            let mut key = seq.to_be_bytes().to_vec();
            if part > 0 {
                key.extend(u16::try_from(part).unwrap().to_be_bytes());
            }
            tree.insert(key, page).unwrap();
        }
    }
    db.flush().unwrap();
    drop((tree, db));
    Anchor::create(&Layout::new(root).anchor(), head).unwrap();
}

fn forged(entries: &[Entry], head: Head) -> (tempfile::TempDir, Run) {
    let directory = tempfile::tempdir().unwrap();
    forge(directory.path(), entries, head);
    let run = verify(directory.path(), &[]);
    (directory, run)
}

fn genuine() -> (Vec<Entry>, Vec<EncodedRecord>) {
    let records = records(Head::default(), history());
    (records.iter().map(|record| (record.seq(), record.bytes().to_vec())).collect(), records)
}

#[test]
fn a_log_forged_to_be_genuine_holds() {
    let (entries, records) = genuine();
    let (_directory, run) = forged(&entries, records.last().unwrap().head());
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn every_rearrangement_is_found_at_its_seq() {
    let (entries, records) = genuine();
    let last = entries.len();
    let foreign: Vec<Entry> = crate::directory::records(Head::default(), {
        let mut other = history();
        other[0] = vec![started(2), Event::ServerStarted { version: "0.1.0".to_owned() }];
        other
    })
    .iter()
    .map(|record| (record.seq(), record.bytes().to_vec()))
    .collect();

    // What is done, the entries, the first bad seq, and a part of what is said.
    let mut cases: Vec<(&str, Vec<Entry>, u64, &str)> = Vec::new();
    for at in 0..last {
        let seq = entries[at].0;
        let mut dropped = entries.clone();
        dropped.remove(at);
        let said = if at + 1 == last { "are missing" } else { "was expected, but record" };
        cases.push(("dropped", dropped, seq, said));

        let mut stranger = entries.clone();
        stranger[at].1.clone_from(&foreign[at].1);
        // A foreign first record is a sound beginning, but the second, which those behind it confirm, does not name it.
        let said = if at == 0 { "it was altered: " } else { "as the hash of the record before it" };
        cases.push(("foreign", stranger, seq, said));

        if at + 1 < last {
            let mut swapped = entries.clone();
            swapped[at].1.clone_from(&entries[at + 1].1);
            swapped[at + 1].1.clone_from(&entries[at].1);
            cases.push(("swapped", swapped, seq, "was expected, but record"));

            let mut doubled = entries.clone();
            doubled[at + 1].1.clone_from(&entries[at].1);
            cases.push(("doubled", doubled, seq + 1, "was expected, but record"));
        }
        for byte in 0..entries[at].1.len() {
            if byte % 37 == 0 {
                let mut flipped = entries.clone();
                flipped[at].1[byte] ^= 1;
                // Where the record still decodes, those behind it tell that it is this one; behind the last is the anchor.
                cases.push(("flipped", flipped, seq, ""));
            }
        }
    }
    for (done, entries, seq, said) in cases {
        let (directory, run) = forged(&entries, records.last().unwrap().head());
        let named = run.bad_seqs()[0];
        assert!(run.code == 1 && named == seq && run.problems().contains(said), "{done} at {seq}: {run:?}");
        let sound = usize::try_from(run.json()["records"].as_u64().unwrap()).unwrap();
        if done == "dropped" || done == "swapped" || (done == "flipped" && seq < last as u64) {
            assert_eq!(sound as u64, seq - 1, "{done} at {seq}: {run:?}");
            // What is sound can still be looked at, with a warning.
            let shown = state(directory.path(), &[]);
            assert_eq!(shown.code, 1, "{shown:?}");
            assert_eq!(shown.json()["fingerprint"], folded(&records[..sound]).fingerprint().to_string());
            assert!(shown.err.contains(&format!("warning: at record {seq}")), "{shown:?}");
        }
    }
}

#[test]
fn another_log_of_the_same_length_is_found_by_the_anchor() {
    let (entries, records) = genuine();
    let mut other = history();
    other[8] = vec![blob("acme/app", "another")];
    let other = crate::directory::records(Head::default(), other);
    let (_directory, run) = forged(&entries, other.last().unwrap().head());
    assert_eq!((run.code, run.bad_seqs()), (1, vec![9]), "{run:?}");
    assert!(run.problems().contains("log and anchor do not belong together"), "{run:?}");
    // The same where the log is longer than the anchor: a rewritten middle is seen at the anchor's seq.
    let early = Head { hash: RecordHash([5; 32]), ..records[3].head() };
    let (_directory, run) = forged(&entries, early);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![4]), "{run:?}");
}

#[test]
fn an_illegal_event_is_named_by_record_and_index() {
    let (_, records) = genuine();
    let head = records.last().unwrap().head();
    let legal = moved("acme/app", "ok", None, "one");
    let illegal = moved("acme/app", "latest", Some("one"), "two");
    let mut all = records.clone();
    all.extend(crate::directory::records(head, [vec![legal, illegal], vec![blob("b", "later")]]));
    let entries: Vec<Entry> = all.iter().map(|record| (record.seq(), record.bytes().to_vec())).collect();
    for anchored in [10, 8] {
        let (directory, run) = forged(&entries, all[anchored].head());
        assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
        assert!(run.problems().starts_with("event 1 of record 10 is illegal: "), "{run:?}");
        assert_eq!((&run.json()["records"], &run.json()["head"]["seq"]), (&9.into(), &9.into()), "{run:?}");
        assert_eq!(run.json()["fingerprint"], folded(&records).fingerprint().to_string());

        let shown = state(directory.path(), &[]);
        assert_eq!((shown.code, &shown.json()["head"]["seq"]), (1, &9.into()), "{shown:?}");
        let before = state(directory.path(), &["--at", "9"]);
        assert_eq!((before.code, &before.json()["head"]["seq"]), (1, &9.into()), "{before:?}");
        for point in ["10", "2026-01-01T00:00:08.5Z", "2026-01-01T00:00:09Z"] {
            let behind = state(directory.path(), &["--at", point]);
            assert_eq!((behind.code, behind.out.as_str()), (1, ""), "{behind:?}");
            assert!(behind.err.contains("an illegal event behind record 9"), "{behind:?}");
        }

        let expected = verify(directory.path(), &["--expect", &all[10].head().to_string()]);
        assert_eq!(expected.bad_seqs(), [10], "its place in the chain is what it is: {expected:?}");

        // What is written of it ends before the illegal record, and is a whole log.
        let file = directory.path().join("sound.export");
        let written = export(directory.path(), &file, &["--sound-part"]);
        assert_eq!((written.code, &written.json()["head"]["seq"]), (1, &9.into()), "{written:?}");
        let run = verify(&file, &[]);
        assert_eq!((run.code, &run.json()["records"]), (0, &9.into()), "{run:?}");
    }
}

#[test]
fn what_is_unfinished_behind_the_anchor_is_a_note() {
    let (mut entries, records) = genuine();
    let head = records.last().unwrap().head();
    let torn = record(&head, vec![blob("b", "late")]).encode().unwrap();
    entries.push((10, torn.bytes()[..torn.bytes().len() / 2].to_vec()));
    let (_directory, run) = forged(&entries, head);
    assert_eq!((run.code, &run.json()["records"]), (0, &9.into()), "{run:?}");
    assert!(run.err.starts_with("note: behind the anchor, record 10 is not sound"), "{run:?}");
    // The same bytes below an anchor are damage.
    let (_directory, run) = forged(&entries, torn.head());
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
}

#[test]
fn entries_that_belong_to_no_record_are_found() {
    let (entries, records) = genuine();
    let head = records.last().unwrap().head();
    let directory = tempfile::tempdir().unwrap();
    forge(directory.path(), &entries, head);
    let add = |key: &[u8]| {
        let (db, tree) = tree(directory.path());
        tree.insert(key, vec![0]).unwrap();
        db.flush().unwrap();
    };
    add(&[&4u64.to_be_bytes()[..], &7u16.to_be_bytes()].concat());
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![5]), "{run:?}");
    add(b"?");
    let run = verify(directory.path(), &[]);
    assert_eq!(run.code, 1, "{run:?}");
}

#[test]
fn a_reserved_name_and_an_unknown_manifest_are_illegal() {
    let (_, records) = genuine();
    let head = records.last().unwrap().head();
    let unknown = Event::ManifestDeleted { repository: "acme/app".parse().unwrap(), digest: digest("nothing") };
    for event in [blob("as-of/seq-1/a", "x"), unknown, started(3)] {
        let mut all = records.clone();
        all.extend(crate::directory::records(head, [vec![event.clone()]]));
        let entries: Vec<Entry> = all.iter().map(|record| (record.seq(), record.bytes().to_vec())).collect();
        let (_directory, run) = forged(&entries, all.last().unwrap().head());
        assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{event:?}: {run:?}");
    }
}
