//! Every question asked of a damaged log: what is sound is answered, what is wrong is said, and the exit code is 1.

use tagstone_replay::content::Layout;
use tagstone_replay::log::anchor::Anchor;
use tagstone_schema::Event;

use super::ask_of;
use crate::directory::{append, digest, moved, record};
use crate::incident::records;

/// The incident up to a record, under an anchor that knows that there was more.
fn cut(to: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let records = records();
    append(directory.path(), &records[..to]);
    let anchor = Layout::new(directory.path()).anchor();
    std::fs::remove_file(&anchor).unwrap();
    Anchor::create(&anchor, records.last().unwrap().head()).unwrap();
    directory
}

#[test]
fn what_is_sound_is_answered_and_what_is_missing_is_said() {
    let directory = cut(9);
    let three = digest("three").to_string();
    let cases: &[(&str, &[&str], &str)] = &[
        ("events", &["--kind", "tag_locked"], "\"tag_locked\""),
        ("events", &["--order", "asc", "--n", "1"], "\"log_started\""),
        ("history", &["lib:stable"], "\"created\""),
        ("why", &["lib:stable"], "\"lock\""),
        ("why", &["acme/app:v1", "--at", "5"], "\"policy\""),
        ("where", &[&three], "\"stable\""),
        ("diff", &["--from", "8", "--to", "9"], "\"changed\": false"),
        ("audit", &[], "records 10 to 19 are missing"),
    ];
    for (command, arguments, answered) in cases {
        let run = ask_of(directory.path(), command, &[arguments, &["--format", "json"][..]].concat());
        assert_eq!(run.code, 1, "{command}: {run:?}");
        assert!(run.out.contains(answered), "{command}: {run:?}");
        assert!(run.err.contains("warning: at record 10: the log ends at record 9"), "{command}: {run:?}");
    }
    let page = ask_of(directory.path(), "audit", &[]).out;
    assert!(page.contains("THE LOG IS DAMAGED: 1") && page.contains("Seals broken: none"), "{page}");
}

#[test]
fn what_may_have_been_in_the_lost_part_is_a_finding_and_no_wrong_usage() {
    let directory = cut(4);
    for (command, arguments, said) in [
        (
            "history",
            &["lib"][..],
            "there never was a repository lib in the sound part of the log, which ends at record 4",
        ),
        ("why", &["lib:stable"], "there is no repository lib"),
        ("why", &["acme/app:v1", "--at", "12"], "outside of the log"),
        ("why", &["acme/app:v1", "--at", "2026-06-01T00:00:00Z"], "outside of the log"),
        ("state", &["--at", "2026-06-01T00:00:00Z"], "outside of the log"),
        ("state", &["--repository", "lib"], "there is no repository lib behind record 4 in the sound part of the log"),
        ("diff", &["--from", "3", "--to", "12"], "outside of the log"),
    ] {
        let run = ask_of(directory.path(), command, arguments);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{command}: {run:?}");
        assert!(run.err.contains(said), "{command}: {run:?}");
    }
}

#[test]
fn nothing_is_told_of_an_illegal_record_or_of_those_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut records = records()[..6].to_vec();
    // v1 is protected; the record also holds a move that would be legal by itself.
    let illegal: Vec<Event> = vec![moved("acme/app", "free", None, "one"), moved("acme/app", "v1", Some("one"), "two")];
    for events in [illegal, vec![moved("acme/app", "later", None, "one")]] {
        let head = records.last().unwrap().head();
        records.push(record(&head, events).encode().unwrap());
    }
    append(directory.path(), &records);
    let one = digest("one").to_string();
    for (command, arguments) in
        [("events", &["--tag", "v1"][..]), ("where", &[&one]), ("audit", &[]), ("history", &["acme/app"])]
    {
        let run = ask_of(directory.path(), command, &[arguments, &["--format", "ndjson"]].concat());
        assert_eq!(run.code, 1, "{command}: {run:?}");
        assert!(run.err.contains("event 1 of record 7 is illegal"), "{command}: {run:?}");
        assert!(!run.out.contains("\"free\"") && !run.out.contains("\"later\""), "{command}: {run:?}");
    }
    let run = ask_of(directory.path(), "audit", &["--format", "json"]);
    assert_eq!((&run.json()["seals_broken"], &run.json()["head"]["seq"]), (&serde_json::json!([]), &6.into()));
}

#[test]
fn no_question_writes_to_its_source() {
    let directory = crate::incident::incident();
    let before = crate::directory::evidence(directory.path());
    let one = digest("one").to_string();
    for (command, arguments) in [
        ("events", &[][..]),
        ("history", &["acme/app"]),
        ("why", &["acme/app:v1"]),
        ("where", &[&one]),
        ("diff", &["--from", "1", "--to", "19"]),
        ("audit", &[]),
    ] {
        let run = ask_of(directory.path(), command, arguments);
        assert!(run.code < 2 && !run.out.is_empty(), "{run:?}");
    }
    assert_eq!(crate::directory::evidence(directory.path()), before);
}
