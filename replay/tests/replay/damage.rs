//! Damage to the files themselves: sled's data file, the anchor, an older copy of the log.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tagstone_replay::content::Layout;
use tagstone_schema::{EncodedRecord, Head};

use crate::command::verify;
use crate::directory::{append, blob, copy, evidence, records, sound};
use crate::export::{export, restore};

/// How many records, from the first on, are still in the bytes of the data file, wherever they lie.
fn intact(file: &[u8], records: &[EncodedRecord]) -> usize {
    let is_there = |record: &&EncodedRecord| file.windows(record.bytes().len()).any(|window| window == record.bytes());
    records.iter().take_while(is_there).count()
}

/// Verifies a directory whose data file is damaged. As many records are sound as are still in the file, one behind the
/// other; where the damage hits how the next one begins, one fewer, as nothing proves it then.
fn salvaged(root: &Path, genuine: &Value, file: &[u8], records: &[EncodedRecord], what: &str) -> i32 {
    let code = survives(root, genuine, what);
    if code == 1 {
        let (intact, run) = (intact(file, records), verify(root, &[]));
        let sound = usize::try_from(run.json()["records"].as_u64().unwrap()).unwrap();
        assert!(sound == intact || sound + 1 == intact, "{what}: {sound} records of {intact}: {run:?}");
        assert_eq!(run.bad_seqs()[0], sound as u64 + 1, "{what}: {run:?}");
        let head = sound.checked_sub(1).map_or(Head::default(), |last| records[last].head());
        assert_eq!(run.json()["head"]["hash"], head.hash.to_string(), "{what}");
    }
    code
}

/// Verifies a damaged directory. Damage may hit bytes that mean nothing, but it never makes another log of it.
fn survives(root: &Path, genuine: &Value, what: &str) -> i32 {
    let before = evidence(root);
    let run = verify(root, &[]);
    assert_eq!(evidence(root), before, "{what}: the source was changed");
    match run.code {
        0 => assert_eq!(&run.json(), genuine, "{what}"),
        1 => assert!(!run.problems().is_empty() && run.json()["ok"] == false, "{what}: {run:?}"),
        2 => assert!(!run.err.is_empty(), "{what}: {run:?}"),
        other => panic!("{what}: exit code {other}"),
    }
    run.code
}

#[test]
fn flipped_bytes_never_go_unseen_or_cause_a_panic() {
    let (directory, records) = sound();
    let genuine = verify(directory.path(), &[]).json();
    let file = Layout::new(directory.path()).log().join("db");
    let whole = fs::read(&file).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut found = 0;
    for at in (0..used).step_by(used / 150) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        fs::write(&file, &flipped).unwrap();
        found += salvaged(directory.path(), &genuine, &flipped, &records, &format!("byte {at} flipped")).min(1);
    }
    assert!(found > 75, "only {found} of 150 flips were found, of bytes that are mostly records");
}

#[test]
fn of_a_record_that_sled_does_not_show_it_is_told_what_is_found() {
    let (directory, records) = sound();
    let file = Layout::new(directory.path()).log().join("db");
    let whole = fs::read(&file).unwrap();
    // Each record wherever it lies, from this byte on.
    let changed = |changes: &[(&EncodedRecord, isize, &[u8])]| {
        let mut changed = whole.clone();
        for (record, from, bytes) in changes {
            for place in (0..whole.len()).filter(|place| whole[*place..].starts_with(record.bytes())) {
                let from = place.checked_add_signed(*from).unwrap();
                changed[from..from + bytes.len()].copy_from_slice(bytes);
            }
        }
        fs::write(&file, &changed).unwrap();
        let run = verify(directory.path(), &[]);
        (run.code, run.bad_seqs(), run.json()["problems"][0]["what"].as_str().unwrap().to_owned())
    };
    let (fifth, sixth) = (&records[4], &records[5]);
    let end = fifth.bytes().len().cast_signed();
    let told = |what: &str| (1, vec![5, 5], format!("sled does not show record 5; {what}"));
    let altered =
        "what is found of it in the bytes of the file does not have the hash that the next record or the anchor names";
    assert_eq!(changed(&[(fifth, end - 1, b"!")]), told(altered));
    // The name of the actor of the last one.
    let told_of_last = (1, vec![9, 9], format!("sled does not show record 9; {altered}"));
    assert_eq!(changed(&[(&records[8], 62, b"X")]), told_of_last);
    // The hash of the one before it.
    let follows = "what is found of it in the bytes of the file follows another record";
    assert_eq!(changed(&[(fifth, 20, b"other")]), told(follows));
    let damaged = "what is found of it in the bytes of the file is damaged or not all of it";
    assert_eq!(changed(&[(fifth, end - 40, &[0xff; 40])]), told(damaged));
    // All of it is there, but not how sled has written it, nor how the next one begins.
    let unproved = "it is found in the bytes of the file, but no record behind it is left that proves them";
    assert_eq!(changed(&[(fifth, -1, b"!"), (sixth, 0, &[0; 60])]), told(unproved));
    // Nothing is left of it.
    let missing = "the log ends at record 4, but records up to 9 were made durable: records 5 to 9 are missing";
    assert_eq!(changed(&[(fifth, 0, &[0; 60])]), (1, vec![5], missing.to_owned()));
}

#[test]
fn a_data_file_cut_anywhere_never_goes_unseen_or_causes_a_panic() {
    let (directory, records) = sound();
    let genuine = verify(directory.path(), &[]).json();
    let file = Layout::new(directory.path()).log().join("db");
    let whole = fs::read(&file).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for length in (0..used).step_by(used / 60) {
        fs::write(&file, &whole[..length]).unwrap();
        let cut = format!("cut to {length} bytes");
        let code = salvaged(directory.path(), &genuine, &whole[..length], &records, &cut);
        assert_ne!(code, 0, "cut to {length} of {used} bytes");
    }
}

#[test]
fn every_file_of_the_log_missing_or_overwritten_is_survived() {
    let (directory, _) = sound();
    let genuine = verify(directory.path(), &[]).json();
    let log = Layout::new(directory.path()).log();
    for entry in fs::read_dir(&log).unwrap().map(|entry| entry.unwrap()).filter(|e| e.file_type().unwrap().is_file()) {
        let whole = fs::read(entry.path()).unwrap();
        let name = entry.file_name();
        fs::remove_file(entry.path()).unwrap();
        survives(directory.path(), &genuine, &format!("{name:?} missing"));
        fs::write(entry.path(), vec![0x55; whole.len()]).unwrap();
        survives(directory.path(), &genuine, &format!("{name:?} overwritten"));
        fs::write(entry.path(), whole).unwrap();
    }
    assert_eq!(survives(directory.path(), &genuine, "nothing"), 0);
}

#[test]
fn a_directory_in_place_of_the_log_is_a_log_that_is_missing() {
    let (directory, _) = sound();
    let file = Layout::new(directory.path()).log().join("db");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()[0]), (1, 1), "{run:?}");
}

#[test]
fn an_older_copy_of_the_log_is_below_its_anchor() {
    let (directory, old) = sound();
    let layout = Layout::new(directory.path());
    let aside = tempfile::tempdir().unwrap();
    copy(&layout.log(), aside.path());
    append(directory.path(), &records(old.last().unwrap().head(), [vec![blob("b", "x")], vec![blob("b", "y")]]));
    fs::remove_dir_all(layout.log()).unwrap();
    copy(aside.path(), &layout.log());
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
    assert!(run.problems().contains("records 10 to 11 are missing"), "{run:?}");
    assert_eq!(run.json()["records"], 9);

    fs::remove_dir_all(layout.log()).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![1]), "{run:?}");
    assert!(run.problems().contains("records 1 to 11 are missing"), "{run:?}");
}

#[test]
fn a_missing_or_damaged_anchor_is_a_problem() {
    let (directory, _) = sound();
    let anchor = Layout::new(directory.path()).anchor();
    fs::write(&anchor, b"no anchor").unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
    assert!(run.problems().contains("is damaged"), "{run:?}");
    assert_eq!(run.json()["records"], 9);
    fs::remove_file(&anchor).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![10]), "{run:?}");
    assert!(run.problems().contains("is missing"), "{run:?}");
}

#[test]
fn what_sled_cannot_open_is_read_from_the_bytes_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    // Records of two and of several pieces among short ones.
    let long = |from: usize, count: usize| (from..from + count).map(|n| blob("acme/app", &format!("b{n}"))).collect();
    let mut events = crate::directory::history();
    events.extend([long(0, 100), long(100, 400), vec![blob("b", "x")], long(500, 100)]);
    let records = records(Head::default(), events);
    assert!(records[9].bytes().len() > 4096 && records[10].bytes().len() > 5 * 4096);
    append(directory.path(), &records);
    let genuine = verify(directory.path(), &[]).json();
    let layout = Layout::new(directory.path());
    // The page that tells sled where its trees are is its first.
    let file = layout.log().join("db");
    let mut bytes = fs::read(&file).unwrap();
    let first = records[0].bytes();
    let begin = bytes.windows(first.len()).position(|window| window == first).unwrap();
    bytes[..begin].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(&file, &bytes).unwrap();
    let before = evidence(directory.path());
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()[0]), (1, records.len() as u64 + 1), "{run:?}");
    assert!(run.problems().contains(&format!("The records 1 to {} were read past it", records.len())), "{run:?}");
    for field in ["records", "events", "head", "fingerprint"] {
        assert_eq!(run.json()[field], genuine[field], "{field}");
    }

    let place = tempfile::tempdir().unwrap();
    let [file, data] = ["export", "data"].map(|name| place.path().join(name));
    let refused = export(directory.path(), &file, &[]);
    assert_eq!((refused.code, file.exists()), (1, false), "{refused:?}");
    assert!(refused.err.contains("--sound-part"), "{refused:?}");
    let run = export(directory.path(), &file, &["--sound-part"]);
    assert_eq!((run.code, &run.json()["records"]), (1, &genuine["records"]), "{run:?}");
    assert_eq!(verify(&file, &[]).json(), genuine);
    assert_eq!(restore(&file, &data).code, 0);
    assert_eq!(verify(&data, &[]).json(), genuine);
    assert_eq!(evidence(directory.path()), before);
}

#[test]
fn the_sound_part_of_a_damaged_log_is_exported() {
    let (directory, records) = sound();
    let file = Layout::new(directory.path()).log().join("db");
    let mut bytes = fs::read(&file).unwrap();
    // Every copy of the sixth record.
    let bad = records[5].bytes();
    let places: Vec<_> = (0..=bytes.len() - bad.len()).filter(|at| bytes[*at..].starts_with(bad)).collect();
    places.iter().for_each(|at| bytes[at + 100] ^= 1);
    fs::write(&file, &bytes).unwrap();
    let run = verify(directory.path(), &[]);
    assert_eq!((run.code, run.bad_seqs()[0], &run.json()["records"]), (1, 6, &5.into()), "{run:?}");
    let place = tempfile::tempdir().unwrap();
    let part = place.path().join("part");
    let run = export(directory.path(), &part, &["--sound-part"]);
    assert_eq!((run.code, &run.json()["records"], &run.json()["problems"][0]["seq"]), (1, &5.into(), &6.into()));
    assert!(run.err.contains("warning: at record 6"), "{run:?}");
    let verified = verify(&part, &["--expect", &records[4].head().to_string()]);
    assert_eq!(verified.code, 0, "{verified:?}");
}
