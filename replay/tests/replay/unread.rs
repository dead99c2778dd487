//! A registry that does not show its log, or not all of it: that is no finding about the log.

use tagstone_schema::{EncodedRecord, Record, RecordHash};
use tempfile::TempDir;

use crate::command::replay;
use crate::registry::{HANG_UP, Reply, from, genuine, head, page, serve};

/// What is answered in place of the page that begins with a record.
struct Fault {
    name: &'static str,
    at: usize,
    answer: fn(&[EncodedRecord], &str) -> Reply,
    said: &'static str,
}

fn refused(status: &str, body: &str) -> Reply {
    (status.to_owned(), body.as_bytes().to_vec())
}

const FAULTS: [Fault; 7] = [
    Fault {
        name: "a user who is no administrator",
        at: 1,
        answer: |_, _| refused("403 Forbidden", r#"{"detail":"only administrators may do this"}"#),
        said: "reading it is for administrators, with name and password: only administrators may do this",
    },
    Fault {
        name: "somebody without credentials, who may see the head",
        at: 1,
        answer: |_, _| refused("401 Unauthorized", "{}"),
        said: "asks for credentials: give --user NAME",
    },
    Fault {
        name: "a registry that is starting",
        at: 1,
        answer: |_, _| refused("503 Service Unavailable", r#"{"errors":[{"message":"recovering"}]}"#),
        said: "answers 503: recovering",
    },
    Fault {
        name: "one that is stopped in the middle",
        at: 3,
        answer: |_, _| refused("503 Service Unavailable", "later"),
        said: "answers 503: later",
    },
    Fault {
        name: "a role that is taken away in the middle",
        at: 5,
        answer: |_, _| refused("403 Forbidden", ""),
        said: "does not show its log to this user",
    },
    Fault {
        name: "a connection that breaks in an answer",
        at: 3,
        answer: |records, path| {
            let (_, body) = page(records, path);
            (format!("200 OK\r\ncontent-length: {}", body.len()), body[..body.len() / 2].to_vec())
        },
        said: "has not ended its answer",
    },
    Fault {
        name: "an answer that a proxy has cut",
        at: 3,
        answer: |records, path| {
            let (status, body) = page(records, path);
            (status, body[..body.len() - 10].to_vec())
        },
        said: "has not ended its answer: the export is cut off",
    },
];

/// Every command that reads a registry, with arguments that a sound log answers.
const COMMANDS: [(&str, &[&str]); 13] = [
    ("verify", &[]),
    ("verify", &["--format", "json"]),
    ("verify", &["--expect", "9:0000000000000000000000000000000000000000000000000000000000000000"]),
    ("state", &[]),
    ("diff", &["--from", "1", "--to", "2"]),
    ("history", &["acme/app"]),
    ("events", &[]),
    ("events", &["--order", "asc", "--format", "ndjson"]),
    ("why", &["lib:v1"]),
    ("where", &["sha256:0000000000000000000000000000000000000000000000000000000000000000"]),
    ("audit", &[]),
    ("export", &["--out", "FILE"]),
    ("export", &["--sound-part", "--out", "FILE"]),
];

#[test]
fn what_cannot_be_read_is_no_damage() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("whole.export");
    let records = genuine();
    let last = records[8].head();
    for fault in FAULTS {
        let records = records.clone();
        let url = serve(move |path, _| match path {
            path if path.ends_with("head") => head(last),
            path if from(path) == fault.at => (fault.answer)(&records, path),
            path => page(&records, path),
        });
        for (command, arguments) in COMMANDS {
            let arguments = arguments.iter().map(|one| if *one == "FILE" { file.to_str().unwrap() } else { one });
            let run = replay([command, &url].into_iter().chain(arguments));
            assert_eq!((run.code, run.out.as_str()), (2, ""), "{}, {command}: {run:?}", fault.name);
            assert!(run.err.contains(fault.said), "{}, {command}: {run:?}", fault.name);
            assert!(!run.err.contains("warning"), "{}, {command}: {run:?}", fault.name);
            assert!(directory.path().read_dir().unwrap().next().is_none(), "{}, {command}: a file is left", fault.name);
        }
    }
}

#[test]
fn a_connection_that_is_refused_in_the_middle_is_no_damage() {
    let records = genuine();
    let last = records[8].head();
    // The second page is answered with nothing at all.
    let url = serve(move |path, _| match path {
        path if path.ends_with("head") => head(last),
        path if from(path) == 3 => (HANG_UP.to_owned(), Vec::new()),
        path => page(&records, path),
    });
    let run = replay(["events", "--order", "asc", &url]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("cannot be reached"), "{run:?}");
}

#[test]
fn a_record_that_is_not_sound_is_found_whatever_cannot_be_read_behind_it() {
    let mut records = genuine();
    let last = records[8].head();
    // The second record follows another one than the first.
    let mut second = Record::decode(records[1].bytes()).unwrap();
    second.prev = RecordHash([7; 32]);
    records[1] = second.encode().unwrap();
    let url = serve(move |path, _| match path {
        path if path.ends_with("head") => head(last),
        path if from(path) > 2 => refused("503 Service Unavailable", "later"),
        path => page(&records, path),
    });
    let run = replay(["verify", "--format", "json", &url]);
    assert_eq!((run.code, run.bad_seqs()), (1, vec![2]), "{run:?}");
}
