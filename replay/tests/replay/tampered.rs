//! Logs that somebody changed, as exports and as data directories: always found, and the seq named.

use std::fs;
use std::path::Path;

use tagstone_replay::content::Layout;
use tagstone_replay::export::{Header, Writer};
use tagstone_replay::source::{Replay, open, replay};
use tagstone_schema::{EncodedRecord, Event, Head};

use crate::command::verify;
use crate::directory::{blob, history, moved, records, sound, started};
use crate::export::{export, restore};

/// What a replay of a source comes to; none where it cannot be opened.
fn replayed(source: &Path) -> Option<Replay> {
    open(source.to_str().unwrap()).ok().map(|source| replay(&source, &mut |_| {}).unwrap())
}

/// Something is found wrong, and what is believed is genuine. Returns the seq that is named first.
fn first_bad(source: &Path, genuine: &[EncodedRecord], what: &str) -> u64 {
    let Some(replayed) = replayed(source) else { return 0 };
    let named = replayed.problems.iter().map(|problem| problem.seq).min();
    let named = named.unwrap_or_else(|| panic!("{what} goes unseen"));
    assert!(replayed.head.seq <= genuine.len() as u64, "{what}");
    if let Some(last) = usize::try_from(replayed.head.seq).unwrap().checked_sub(1)
        && named > replayed.head.seq
    {
        assert_eq!(replayed.head, genuine[last].head(), "{what}: another record is believed");
    }
    named
}

fn exported() -> (tempfile::TempDir, std::path::PathBuf, Vec<EncodedRecord>) {
    let (directory, records) = sound();
    let file = directory.path().join("export");
    assert_eq!(export(directory.path(), &file, &[]).code, 0);
    (directory, file, records)
}

#[test]
fn every_flipped_bit_of_an_export_is_found() {
    let (_directory, file, records) = exported();
    let whole = fs::read(&file).unwrap();
    let begin_of = |seq: usize| {
        let bytes = records[seq - 1].bytes();
        whole.windows(bytes.len()).position(|window| window == bytes).unwrap()
    };
    let (seventh, last) = (begin_of(7) - 4, begin_of(9));
    for bit in (0..120 * 8).chain(seventh * 8..whole.len() * 8) {
        let (at, what) = (bit / 8, format!("bit {bit}"));
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (bit % 8);
        fs::write(&file, &flipped).unwrap();
        let named = first_bad(&file, &records, &what);
        if (12..112).contains(&at) {
            // Of the header, behind what tells that it is an export, and which version of it.
            assert_eq!(named, 1, "{what}");
        }
        if at >= last + records[8].bytes().len() + 32 {
            assert!((9..=10).contains(&named), "{what}: of the trailer, named {named}");
        } else if let Some(own) = (7..=9).rev().find(|seq| at + 4 >= begin_of(*seq)) {
            // How a record begins proves the one before; so does the length of the chunk's last one.
            let from_own = at >= begin_of(own) + 50;
            let own = own as u64;
            assert!(named == own || (!from_own && named + 1 == own), "{what}: of record {own}, named {named}");
        }
    }
}

#[test]
fn every_cut_of_an_export_is_found() {
    let (directory, file, records) = exported();
    let whole = fs::read(&file).unwrap();
    let mut last = 0;
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        let named = first_bad(&file, &records, &format!("cut to {length} bytes"));
        assert!(named >= last.max(u64::from(length >= 8)), "cut to {length} bytes: named {named}");
        last = named;
    }
    assert_eq!(last, 10);
    // What is cut is not restored; what is sound of it can be kept.
    let data = directory.path().join("data");
    let run = restore(&file, &data);
    assert_eq!((run.code, run.out.as_str(), data.exists()), (1, "", false), "{run:?}");
    let part = directory.path().join("part");
    assert_eq!(export(&file, &part, &["--sound-part"]).code, 1);
    assert_eq!(verify(&part, &[]).json()["records"], 9);
    assert_eq!(restore(&part, &data).code, 0);
}

/// An export with these bytes as its records, and a head that its trailer claims; every checksum is right.
fn forged(file: &Path, records: &[&[u8]], head: Head) {
    let mut writer = Writer::new(Vec::new(), &Header::default()).unwrap();
    for (seq, bytes) in (1..).zip(records) {
        writer.push(Head { seq, ..head }, bytes).unwrap();
    }
    fs::write(file, writer.finish().unwrap().0).unwrap();
}

#[test]
fn rearranged_and_foreign_records_in_an_export_with_right_checksums_are_found() {
    let (_directory, file, genuine) = exported();
    let mut other = history();
    other[0] = vec![started(2), Event::ServerStarted { version: "0.1.0".to_owned() }];
    let foreign = records(Head::default(), other);
    let bytes: Vec<&[u8]> = genuine.iter().map(EncodedRecord::bytes).collect();
    let head = genuine[8].head();
    for at in 0..9 {
        let seq = at as u64 + 1;
        let [mut dropped, mut doubled, mut stranger, mut swapped] = [(); 4].map(|()| bytes.clone());
        dropped.remove(at);
        doubled.insert(at, bytes[at]);
        stranger[at] = foreign[at].bytes();
        // The last has no other to be swapped with; there it is the first two.
        let first = if at < 8 { at } else { 0 };
        swapped.swap(first, first + 1);
        for (done, all, expected) in [
            // Without the last one it is a shorter log, whose last record is not the one that the trailer names.
            ("dropped", dropped, seq.min(8)),
            ("doubled", doubled, seq + 1),
            ("foreign", stranger, seq),
            ("swapped", swapped, first as u64 + 1),
        ] {
            forged(&file, &all, head);
            assert_eq!(first_bad(&file, &genuine, done), expected, "{done} at {seq}");
        }
    }
    // Another log of the same length, whole in itself, under the trailer of this one; and the reverse.
    let all: Vec<&[u8]> = foreign.iter().map(EncodedRecord::bytes).collect();
    forged(&file, &all, head);
    assert_eq!(replayed(&file).unwrap().problems[0].seq, 9);
    // Whole and consistent, it is found by a head that was noted elsewhere.
    forged(&file, &all, foreign[8].head());
    assert_eq!(verify(&file, &[]).code, 0);
    assert_eq!(verify(&file, &["--expect", &head.to_string()]).bad_seqs(), [9]);
}

#[test]
fn an_export_of_an_illegal_event_is_not_restored() {
    let (directory, file, genuine) = exported();
    let spent = moved("lib", "v1", None, "one");
    let mut all = genuine.clone();
    all.extend(records(genuine[8].head(), [vec![spent], vec![blob("b", "x")]]));
    let bytes: Vec<&[u8]> = all.iter().map(EncodedRecord::bytes).collect();
    forged(&file, &bytes, all[10].head());
    let run = verify(&file, &[]);
    assert_eq!((run.code, run.bad_seqs(), &run.json()["records"]), (1, vec![10], &9.into()), "{run:?}");
    let data = directory.path().join("data");
    let run = restore(&file, &data);
    assert_eq!((run.code, data.exists()), (1, false), "{run:?}");
    assert!(run.err.contains("at record 10"), "{run:?}");
}

#[test]
fn flipped_bytes_of_the_last_records_of_a_data_directory_are_found_where_they_are() {
    let (directory, records) = sound();
    let file = Layout::new(directory.path()).log().join("db");
    let whole = fs::read(&file).unwrap();
    for seq in [7, 9] {
        let bytes = records[seq - 1].bytes();
        let places: Vec<_> = (0..=whole.len() - bytes.len()).filter(|at| whole[*at..].starts_with(bytes)).collect();
        assert!(!places.is_empty());
        for at in (0..bytes.len()).step_by(10 - seq) {
            let mut flipped = whole.clone();
            places.iter().for_each(|place| flipped[place + at] ^= 1 << (at % 8));
            fs::write(&file, &flipped).unwrap();
            let what = format!("byte {at} of record {seq}");
            let named = usize::try_from(first_bad(directory.path(), &records, &what)).unwrap();
            // How a record begins proves the one before.
            assert!(named == seq || (at < 62 && named + 1 == seq), "{what}: named {named}");
        }
    }
}
