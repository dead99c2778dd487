//! `export` and `restore`, and exports as sources.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tagstone_replay::content::Layout;
use tagstone_replay::export::{Header, Writer};
use tagstone_schema::{Head, Id};

use crate::command::{Run, replay, state, verify};
use crate::directory::{append, blob, evidence, folded, moved, opened, records, sound};

/// `export --format json` of a source into a file.
pub(crate) fn export(source: &Path, file: &Path, more: &[&str]) -> Run {
    let [source, file] = [source, file].map(|path| path.to_str().unwrap());
    replay(["export", "--format", "json", source, "--out", file].iter().chain(more))
}

/// `restore --format json` of a file into a directory.
pub(crate) fn restore(file: &Path, data: &Path) -> Run {
    let [file, data] = [file, data].map(|path| path.to_str().unwrap());
    replay(["restore", "--format", "json", file, "--data", data])
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn a_log_is_exported_verified_and_restored() {
    let (directory, records) = sound();
    let (place, head) = (Place::new(), records.last().unwrap().head());
    let file = place.path("log.export");
    let run = export(directory.path(), &file, &[]);
    let told = json!({"seq": head.seq, "hash": head.hash.to_string()});
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let expected = json!({
        "file": file.to_str().unwrap(), "records": 9, "head": told,
        "bytes": fs::metadata(&file).unwrap().len(), "problems": [],
    });
    assert_eq!(run.json(), expected);
    assert_eq!(names(place.0.path()), ["log.export"]);

    let genuine = verify(directory.path(), &[]).json();
    assert_eq!(verify(&file, &[]).json(), genuine);
    assert_eq!(state(&file, &["--at", "5"]).json(), state(directory.path(), &["--at", "5"]).json());
    let expect = records[4].head().to_string();
    assert_eq!(verify(&file, &["--expect", &expect]).code, 0);

    let data = place.path("data");
    let run = restore(&file, &data);
    let fingerprint = folded(&records).fingerprint().to_string();
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let expected = json!({
        "data": data.to_str().unwrap(), "records": 9, "events": genuine["events"], "head": told, "fingerprint": fingerprint,
    });
    assert_eq!(run.json(), expected);
    assert_eq!(verify(&data, &[]).json(), genuine);
    assert_eq!(names(&data), ["anchor", "lock", "log"]);
    let missing = verify(&data, &["--blobs"]);
    assert_eq!((missing.code, missing.problems().contains("is missing")), (1, true), "{missing:?}");
    // A registry goes on behind it.
    append(&data, &crate::directory::records(head, [vec![blob("b", "x")]]));
    assert_eq!(verify(&data, &[]).json()["records"], 10);

    // The export of the restored log is the same file.
    let again = place.path("again.export");
    assert_eq!(export(&file, &again, &[]).code, 0);
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
}

#[test]
fn many_and_long_records_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut events = crate::directory::history();
    events.extend((0..60).map(|n| (0..500).map(|m| blob("acme/app", &format!("{n}-{m}"))).collect()));
    events.extend((0..3_000).map(|n| {
        let (from, to) = if n % 2 == 0 { ("two", "one") } else { ("one", "two") };
        vec![moved("acme/app", "latest", Some(from), to)]
    }));
    let all = records(Head::default(), events);
    opened(directory.path()).append_all(&all);
    let place = Place::new();
    assert_eq!(export(directory.path(), &place.path("x"), &[]).code, 0);
    let run = restore(&place.path("x"), &place.path("data"));
    assert_eq!((run.code, &run.json()["records"]), (0, &json!(all.len())), "{run:?}");
    assert_eq!(verify(&place.path("data"), &[]).json(), verify(directory.path(), &[]).json());
}

/// Appends all records at once.
trait AppendAll {
    fn append_all(self, records: &[tagstone_schema::EncodedRecord]);
}

impl AppendAll for tagstone_replay::log::EmbeddedLog {
    fn append_all(mut self, records: &[tagstone_schema::EncodedRecord]) {
        use tagstone_replay::log::Log as _;
        self.append(&Head::default(), records).unwrap();
    }
}

#[test]
fn a_part_is_exported_and_says_what_it_continues() {
    let (directory, records) = sound();
    let place = Place::new();
    for (from, to) in [(1, 3), (4, 6), (9, 9), (2, 9)] {
        let file = place.path(&format!("{from}-{to}"));
        let (first, last) = (from.to_string(), to.to_string());
        let run = export(directory.path(), &file, &["--from-seq", &first, "--to-seq", &last]);
        assert_eq!((run.code, &run.json()["records"]), (0, &json!(to - from + 1)), "{run:?}");
        let run = verify(&file, &[]);
        assert_eq!(run.code, 0, "{run:?}");
        let (report, head) = (run.json(), records[to - 1].head());
        assert_eq!(report["head"], json!({"seq": head.seq, "hash": head.hash.to_string()}));
        if from == 1 {
            assert_eq!(report["fingerprint"], folded(&records[..to]).fingerprint().to_string());
            continue;
        }
        let before = records[from - 2].head();
        assert_eq!(report["continues"], json!({"seq": before.seq, "hash": before.hash.to_string()}));
        assert_eq!((report.get("fingerprint"), &report["ok"]), (Some(&json!(null)), &json!(true)));
        assert!(run.err.contains(&format!("begins behind record {before}")), "{run:?}");
        let run = state(&file, &[]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains(&format!("begins behind record {}", before.seq)), "{run:?}");
        let run = restore(&file, &place.path("data"));
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
        assert!(run.err.contains("from its first record on") && !place.path("data").exists(), "{run:?}");
    }
    // A part of a part.
    let run = export(&place.path("2-9"), &place.path("3-4"), &["--from-seq", "3", "--to-seq", "4"]);
    assert_eq!((run.code, &run.json()["continues"]["seq"]), (0, &json!(2)), "{run:?}");
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let (directory, _) = sound();
    let place = Place::new();
    fs::write(place.path("there"), "something").unwrap();
    fs::create_dir(place.path("directory")).unwrap();
    std::os::unix::fs::symlink("/nowhere", place.path("link")).unwrap();
    let before = names(place.0.path());
    let cases: &[(&str, &[&str], &str)] = &[
        ("there", &[], "exists already"),
        ("directory", &[], "exists already"),
        ("link", &[], "exists already"),
        ("no/such/directory", &[], "cannot be written"),
        ("x", &["--from-seq", "10"], "record 10 lies behind the last sound one, which is 9"),
        ("x", &["--from-seq", "11"], "record 11 lies behind"),
        ("x", &["--to-seq", "10"], "record 10 lies behind"),
        ("x", &["--from-seq", "5", "--to-seq", "4"], "lies behind --to-seq"),
        ("x", &["--from-seq", "0"], "0 is not in 1.."),
    ];
    for (name, more, said) in cases {
        let run = export(directory.path(), &place.path(name), more);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{name} {more:?}: {run:?}");
        assert!(run.err.contains(said), "{name} {more:?}: {run:?}");
    }
    assert_eq!(names(place.0.path()), before, "something is left of an export that failed");
    assert_eq!(fs::read(place.path("there")).unwrap(), b"something");
}

#[test]
fn a_log_is_restored_into_a_new_directory_only() {
    let (directory, _) = sound();
    let place = Place::new();
    let file = place.path("x");
    assert_eq!(export(directory.path(), &file, &[]).code, 0);
    let before = evidence(directory.path());
    let run = restore(&file, directory.path());
    assert_eq!((run.code, run.err.contains("is not empty")), (2, true), "{run:?}");
    assert_eq!(evidence(directory.path()), before);
    fs::create_dir(place.path("empty")).unwrap();
    fs::create_dir(place.path("empty/lost+found")).unwrap();
    assert_eq!(restore(&file, &place.path("empty")).code, 0);
    fs::write(place.path("file"), "").unwrap();
    assert_eq!(restore(&file, &place.path("file")).code, 2);
    assert_eq!(restore(directory.path(), &place.path("new")).code, 2);
    assert!(!place.path("new").exists());
}

#[test]
fn an_empty_log_is_exported_and_restored() {
    let (directory, place) = (tempfile::tempdir().unwrap(), Place::new());
    append(directory.path(), &[]);
    let run = export(directory.path(), &place.path("x"), &[]);
    assert_eq!((run.code, &run.json()["records"]), (0, &json!(0)), "{run:?}");
    assert_eq!(verify(&place.path("x"), &[]).json(), verify(directory.path(), &[]).json());
    assert_eq!(restore(&place.path("x"), &place.path("data")).code, 0);
    assert_eq!(verify(&place.path("data"), &[]).code, 0);
    assert!(Layout::new(place.path("data")).anchor().exists());
}

#[test]
fn an_export_that_says_that_it_is_of_another_log_is_found_out() {
    let (directory, records) = sound();
    let (place, head) = (Place::new(), records.last().unwrap().head());
    let said = |log: Option<Id>| {
        let file = place.path("log.export");
        let header = Header { log, before: Head::default() };
        let mut writer = Writer::new(fs::File::create(&file).unwrap(), &header).unwrap();
        records.iter().for_each(|record| writer.push(record.head(), record.bytes()).unwrap());
        writer.finish().unwrap();
        verify(&file, &[])
    };
    let own = folded(&records).log();
    assert!(own.is_some());
    for log in [own, None] {
        assert_eq!(said(log).json(), verify(directory.path(), &[]).json());
    }
    let run = said(Some(Id([8; 16])));
    assert_eq!((run.code, run.bad_seqs()), (1, vec![1]), "{run:?}");
    assert!(run.problems().contains("says that it was taken from the log"), "{run:?}");
    assert_eq!(run.json()["head"]["seq"], head.seq);
}
