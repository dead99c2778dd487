//! `history`

use serde_json::{Value, json};

use super::{ask, event, json_of, lines_of, told};
use crate::directory::digest;

/// Every turn of the tags of acme/app, oldest first.
fn turns() -> Vec<Value> {
    let (one, two) = (digest("one"), digest("two"));
    let turn = |seq, index, who, tag: &str, mut fields: Value| {
        fields["repository"] = json!("acme/app");
        fields["tag"] = json!(tag);
        event(seq, index, who, fields)
    };
    vec![
        turn(3, 1, "alice", "v1", json!({"event": "created", "to": one})),
        turn(4, 1, "alice", "latest", json!({"event": "created", "to": one})),
        turn(6, 0, "alice", "v2", json!({"event": "created", "to": two})),
        turn(6, 1, "alice", "latest", json!({"event": "moved", "from": one, "to": two})),
        turn(
            10,
            1,
            "root",
            "v2",
            json!({"event": "deleted", "from": two, "cause": "erased", "reason": "a leaked key\u{1b}[2J"}),
        ),
        turn(12, 0, "mallory", "v1", json!({"event": "moved", "from": one, "to": two})),
        turn(13, 0, "alice", "v1", json!({"event": "moved", "from": two, "to": one})),
        turn(14, 0, "alice", "v1", json!({"event": "deleted", "from": one, "cause": "request"})),
        turn(14, 1, "alice", "latest", json!({"event": "deleted", "from": two, "cause": "request"})),
        turn(17, 0, "alice", "v1", json!({"event": "created", "to": one})),
    ]
}

#[test]
fn every_turn_is_told_in_order() {
    assert_eq!(json_of("history", &["acme/app"]), json!({"history": turns()}));
    assert_eq!(lines_of("history", &["acme/app"]), turns());
    let of_v1: Vec<_> = turns().into_iter().filter(|turn| turn["tag"] == "v1").collect();
    assert_eq!(json_of("history", &["acme/app:v1"]), json!({"history": of_v1}));
}

#[test]
fn an_end_that_no_event_names_is_told_with_its_cause() {
    let end = event(
        16,
        1,
        "bob",
        json!({"repository": "lib", "tag": "stable", "event": "deleted", "from": digest("three"), "cause": "manifest_deleted"}),
    );
    assert_eq!(lines_of("history", &["lib:stable"])[1], end);
}

#[test]
fn a_person_reads_it_line_by_line() {
    let expected = "\
time record actor from what
2026-01-01T00:00:05.000000Z 6.0 alice 10.0.0.1 acme/app:v2 created at <two>
2026-01-01T00:00:09.000000Z 10.1 root 10.0.0.1 acme/app:v2 deleted, was <two>: erased by an administrator (a leaked key\\u{1b}[2J)
";
    assert_eq!(told(&ask("history", &["acme/app:v2"])), expected);
}

#[test]
fn what_never_existed_is_an_error_and_what_exists_without_a_tag_is_not() {
    for (subject, said) in [
        ("acme/other", "there never was a repository acme/other in the log, which ends at record 19"),
        ("acme/app:v9", "there never was a tag acme/app:v9 in the log"),
        ("lib:v1", "there never was a tag lib:v1"),
        ("Acme", "is not a repository name"),
        ("acme/app:", "tag"),
    ] {
        let run = ask("history", &[subject]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{subject}: {run:?}");
        assert!(run.err.contains(said), "{subject}: {run:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    let events = [vec![crate::directory::started(1)], vec![crate::directory::blob("bare", "layer")]];
    crate::directory::append(directory.path(), &crate::directory::records(tagstone_schema::Head::default(), events));
    let run = super::ask_of(directory.path(), "history", &["bare", "--format", "json"]);
    assert_eq!((run.code, run.json()), (0, json!({"history": []})));
}
