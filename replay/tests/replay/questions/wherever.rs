//! `where`

use serde_json::{Value, json};

use super::{ask, deed, event, json_of, lines_of, told};
use crate::directory::digest;

fn turn(seq: u64, index: u32, who: &str, tag: (&str, &str), mut fields: Value) -> Value {
    fields["repository"] = json!(tag.0);
    fields["tag"] = json!(tag.1);
    event(seq, index, who, fields)
}

#[test]
fn every_stay_of_every_tag_is_found_with_its_begin_and_end() {
    let (one, two) = (digest("one"), digest("two"));
    let (v1, latest) = (("acme/app", "v1"), ("acme/app", "latest"));
    let stay = |tag: (&str, &str), since: Value, until: Value| json!({"repository": tag.0, "tag": tag.1, "since": since, "until": until});
    let expected = json!({
        "digest": one,
        "tags": [
            stay(
                v1,
                turn(3, 1, "alice", v1, json!({"event": "created", "to": one})),
                turn(12, 0, "mallory", v1, json!({"event": "moved", "from": one, "to": two})),
            ),
            stay(
                latest,
                turn(4, 1, "alice", latest, json!({"event": "created", "to": one})),
                turn(6, 1, "alice", latest, json!({"event": "moved", "from": one, "to": two})),
            ),
            stay(
                v1,
                turn(13, 0, "alice", v1, json!({"event": "moved", "from": two, "to": one})),
                turn(14, 0, "alice", v1, json!({"event": "deleted", "from": one, "cause": "request"})),
            ),
            stay(v1, turn(17, 0, "alice", v1, json!({"event": "created", "to": one})), Value::Null),
        ],
        "held": [{"repository": "acme/app", "as": "manifest", "since": deed(3, 0, "alice"), "until": null}],
        "removed": [],
    });
    assert_eq!(json_of("where", &[&one.to_string()]), expected);
}

#[test]
fn what_is_gone_is_found_with_what_took_it() {
    let three = digest("three");
    let stable = ("lib", "stable");
    let lines = lines_of("where", &[&three.to_string()]);
    let end = json!({"event": "deleted", "from": three, "cause": "manifest_deleted"});
    let purged = event(19, 1, "root", json!({"kind": "removed", "event": "content_purged", "reason": "a leak"}));
    let expected = [
        json!({
            "kind": "tag", "repository": "lib", "tag": "stable",
            "since": turn(7, 1, "bob", stable, json!({"event": "created", "to": three})),
            "until": turn(16, 1, "bob", stable, end),
        }),
        json!({"kind": "held", "repository": "lib", "as": "manifest", "since": deed(7, 0, "bob"), "until": deed(16, 0, "bob")}),
        purged,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_person_reads_intervals() {
    let expected = "\
digest <three>

tags that pointed at it
tag | since | until | what became of it
lib:stable | 2026-01-01T00:00:06.000000Z by bob from 10.0.0.1, record 7 | 2026-01-01T00:00:15.000000Z by bob from 10.0.0.1, record 16 | deleted, was <three>: with its manifest

repositories that held it
repository | as | since | until
lib | manifest | 2026-01-01T00:00:06.000000Z by bob from 10.0.0.1, record 7 | 2026-01-01T00:00:15.000000Z by bob from 10.0.0.1, record 16

removals of its bytes
event | when | reason
content_purged | 2026-01-01T00:00:18.000000Z by root from 10.0.0.1, record 19 | a leak
";
    assert_eq!(told(&ask("where", &[&digest("three").to_string()])), expected);
    let blob = told(&ask("where", &[&digest("config").to_string()]));
    assert!(
        blob.contains("acme/app | blob | 2026-01-01T00:00:01.000000Z by alice from 10.0.0.1, record 2 | still"),
        "{blob}"
    );
}

#[test]
fn a_repository_that_is_deleted_holds_nothing_and_its_tags_point_nowhere() {
    let (directory, _) = crate::directory::sound();
    for (name, held_as) in [("other", "manifest"), ("layer", "blob")] {
        let run = super::ask_of(directory.path(), "where", &[&digest(name).to_string(), "--format", "json"]);
        let held = run.json()["held"].as_array().unwrap().clone();
        let lib = held.iter().find(|held| held["repository"] == "lib").unwrap();
        assert_eq!((lib["as"].as_str().unwrap(), &lib["until"]["seq"]), (held_as, &json!(9)), "{run:?}");
    }
}

#[test]
fn an_unknown_digest_was_nowhere_and_a_bad_one_is_wrong_usage() {
    let nothing = digest("nothing");
    let empty = json!({"digest": nothing, "tags": [], "held": [], "removed": []});
    assert_eq!(json_of("where", &[&nothing.to_string()]), empty);
    assert!(ask("where", &[&nothing.to_string()]).out.contains("No tag ever pointed at it"));
    let run = ask("where", &["sha256:abc"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
}
