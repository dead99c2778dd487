//! `why`

use serde_json::{Value, json};
use tagstone_schema::Event;

use super::{ask, ask_of, deed, event, json_of, lines_of, told};
use crate::directory::{append, digest, records, sound};
use crate::incident::{at, id};

fn versions(seq: u64) -> Value {
    json!({
        "kind": "policy", "policy": id(7), "scope": {"namespace": "acme"}, "pattern": "v.*", "matches": true,
        "since": at(seq), "seq": seq,
    })
}

fn protected_by_versions(until: &Value) -> Value {
    json!({
        "kind": "policy", "policy": id(7), "scope": {"namespace": "acme"}, "pattern": "v.*", "matches": true,
        "since": deed(5, 0, "root"), "until": until,
    })
}

fn activated() -> Value {
    let rule = json!({"immutability": {"pattern": {"regex": "v.*", "matches": true}, "include_referrer_tags": false}});
    let fields =
        json!({"kind": "policy_activated", "policy": id(7), "scope": "namespace", "namespace": "acme", "rule": rule});
    event(5, 0, "root", fields)
}

fn v1(seq: u64, index: u32, who: &str, mut fields: Value) -> Value {
    fields["repository"] = json!("acme/app");
    fields["tag"] = json!("v1");
    event(seq, index, who, fields)
}

#[test]
fn a_protected_tag_is_answered_with_the_events_that_made_it_so() {
    let expected = json!({
        "protected": true, "spent": false, "digest": digest("one"),
        "reasons": [versions(5)],
        "was_protected_by": [],
        "events": [v1(3, 1, "alice", json!({"kind": "tag_moved", "to": digest("one")})), activated()],
    });
    for point in ["5", "10", &at(7)] {
        assert_eq!(json_of("why", &["acme/app:v1", "--at", point]), expected, "at {point}");
    }
    let locked = json!({
        "protected": true, "spent": false, "digest": digest("three"),
        "reasons": [{"kind": "lock", "since": at(8), "seq": 8}],
        "was_protected_by": [],
        "events": [
            event(7, 1, "bob", json!({"kind": "tag_moved", "repository": "lib", "tag": "stable", "to": digest("three")})),
            event(8, 0, "root", json!({"kind": "tag_locked", "repository": "lib", "tag": "stable"})),
        ],
    });
    assert_eq!(lines_of("why", &["lib:stable", "--at", "8"]), [locked]);
}

#[test]
fn a_spent_name_is_answered_with_what_protected_it_and_what_removed_it() {
    let until = event(11, 0, "mallory", json!({"event": "policy_retired"}));
    let expected = json!({
        "protected": false, "spent": true, "digest": digest("one"), "only_digest": digest("one"),
        "reasons": [{"kind": "spent", "since": at(14), "seq": 14}],
        "was_protected_by": [protected_by_versions(&until)],
        "events": [
            v1(14, 0, "alice", json!({"kind": "tag_deleted", "digest": digest("one"), "from": digest("one"), "cause": "request"})),
            v1(17, 0, "alice", json!({"kind": "tag_moved", "to": digest("one")})),
        ],
    });
    assert_eq!(json_of("why", &["acme/app:v1"]), expected);
    let erased = json_of("why", &["acme/app:v2"]);
    assert_eq!(erased["was_protected_by"], json!([protected_by_versions(&Value::Null)]));
    assert_eq!((&erased["events"][0]["cause"], &erased["events"][0]["seq"]), (&json!("erased"), &json!(10)));
    assert_eq!(erased.get("digest"), None);
}

#[test]
fn what_nothing_protects_and_what_was_never_pushed_are_answered() {
    let free = json!({
        "protected": false, "spent": false, "digest": digest("one"), "reasons": [], "was_protected_by": [],
        "events": [v1(3, 1, "alice", json!({"kind": "tag_moved", "to": digest("one")}))],
    });
    assert_eq!(json_of("why", &["acme/app:v1", "--at", "4"]), free);
    let never = json!({"protected": true, "spent": false, "reasons": [versions(5)], "was_protected_by": [], "events": [activated()]});
    assert_eq!(json_of("why", &["acme/app:v77", "--at", "5"]), never);
}

#[test]
fn an_operator_reads_why() {
    let expected = "\
acme/app:v1 points at <one> behind record 19.
Nothing protects it.
The name is spent: it can only come back as <one>.

because
- it was protected, and was removed at 2026-01-01T00:00:13.000000Z (record 14)

what protected it at that digest
protected by policy 07070707-0707-0707-0707-070707070707: tags matching `v.*` in the namespace acme
from 2026-01-01T00:00:04.000000Z by root from 10.0.0.1, record 5
to 2026-01-01T00:00:10.000000Z by mallory from 10.0.0.66, record 11: policy_retired

the events that made it so
time record actor from what
2026-01-01T00:00:13.000000Z 14.0 alice 10.0.0.1 acme/app:v1 deleted, was <one>: by request
2026-01-01T00:00:16.000000Z 17.0 alice 10.0.0.1 acme/app:v1 created at <one>
";
    assert_eq!(told(&ask("why", &["acme/app:v1"])), expected);
    let protected = told(&ask("why", &["lib:stable", "--at", "8"]));
    assert!(
        protected.starts_with("lib:stable points at <three> behind record 8.\nIt is protected: it can neither"),
        "{protected}"
    );
    assert!(protected.contains("- it was locked by hand at 2026-01-01T00:00:07.000000Z (record 8)"), "{protected}");
    let never = told(&ask("why", &["acme/app:v77", "--at", "5"]));
    assert!(never.contains("It would be protected as soon as it is pushed."), "{never}");
}

#[test]
fn what_is_unknown_is_wrong_usage() {
    for (arguments, said) in [
        (&["other:v1"][..], "there is no repository other, and there never was a tag other:v1, behind record 19"),
        (&["lib:stable", "--at", "6"], "there is no repository lib"),
        (&["acme/app"], "REPOSITORY:TAG"),
        (&["acme/app:v1", "--at", "20"], "outside of the log"),
        (&["acme/app:v1", "--at", "noon"], "no point of a log"),
    ] {
        let run = ask("why", arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.err.contains(said), "{arguments:?}: {run:?}");
    }
}

#[test]
fn a_tag_that_is_gone_with_its_repository_is_answered() {
    let (directory, standing) = sound();
    let deleted = Event::RepositoryDeleted { repository: "acme/app".parse().unwrap() };
    append(directory.path(), &records(standing.last().unwrap().head(), [vec![deleted]]));
    let run = ask_of(directory.path(), "why", &["acme/app:latest", "--format", "json"]);
    let told = run.json();
    assert_eq!((run.code, &told["protected"], &told["spent"]), (0, &json!(false), &json!(false)), "{run:?}");
    assert_eq!((&told["reasons"], &told["events"], told.get("digest")), (&json!([]), &json!([]), None), "{run:?}");
    for never in ["acme/app:never", "acme/other:latest"] {
        let run = ask_of(directory.path(), "why", &[never]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{never}: {run:?}");
    }
}
