//! `diff`

use serde_json::{Value, json};

use super::{ask, lines_of, told};
use crate::directory::digest;
use crate::incident::{at, id, records};

fn point(seq: usize) -> Value {
    let head = records()[seq - 1].head();
    json!({"seq": seq, "hash": head.hash.to_string(), "time": at(head.seq)})
}

fn since(seq: u64) -> Value {
    json!({"seq": seq, "time": at(seq)})
}

fn rule() -> Value {
    json!({"immutability": {"pattern": {"regex": "v.*", "matches": true}, "include_referrer_tags": false}})
}

#[test]
fn what_changed_is_listed_by_kind() {
    let (one, two, three) = (digest("one"), digest("two"), digest("three"));
    let expected = json!({
        "from": point(5), "to": point(12), "changed": true,
        "repositories": [{"change": "created", "repository": "lib"}],
        "tags": [
            {"change": "moved", "repository": "acme/app", "tag": "latest", "from": one, "to": two, "since": since(6)},
            {
                "change": "moved", "repository": "acme/app", "tag": "v1", "from": one, "to": two, "since": since(12),
                "protected_before": {"from": null, "to": one},
            },
            {
                "change": "created", "repository": "lib", "tag": "stable", "to": three, "since": since(7),
                "locked": {"from": null, "to": at(8)},
            },
        ],
        "manifests": [{"change": "created", "repository": "lib", "digest": three, "size": 5}],
        "blobs": [],
        "policies": [{
            "change": "changed", "policy": id(7), "scope": {"namespace": "acme"},
            "from": {"status": "active", "rule": rule(), "created": since(5), "activated": since(5), "in_force": since(5)},
            "to": {"status": "retired", "rule": rule(), "created": since(5), "activated": since(5), "retired": since(11)},
        }],
        "tokens": [],
        "spent": [{"change": "created", "repository": "acme/app", "tag": "v2", "only_digest": two, "removed": since(10)}],
    });
    for (from, to) in [("5", "12"), (at(5).as_str(), at(12).as_str()), ("5", at(12).as_str())] {
        let run = ask("diff", &["--from", from, "--to", to, "--format", "json"]);
        assert_eq!((run.code, run.err.as_str(), run.json()), (1, "", expected.clone()));
    }
}

#[test]
fn lines_tell_the_same() {
    let lines = lines_of("diff", &["--from", "12", "--to", "19"]);
    let kinds: Vec<_> = lines.iter().map(|line| (line["kind"].as_str().unwrap(), line["change"].as_str())).collect();
    let expected = [
        ("diff", None),
        ("tag", Some("deleted")),
        ("tag", Some("moved")),
        ("tag", Some("deleted")),
        ("manifest", Some("deleted")),
        ("policy", Some("created")),
        ("token", Some("created")),
        ("spent", Some("created")),
        ("spent", Some("created")),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(lines[0], json!({"kind": "diff", "from": point(12), "to": point(19), "changed": true}));
    let token = json!({"kind": "token", "change": "created", "token": id(9), "user": "robot", "label": "ci"});
    assert_eq!(lines[6], token);
}

#[test]
fn a_tag_that_came_back_returned() {
    let lines = lines_of("diff", &["--from", "11", "--to", "13"]);
    let returned = json!({
        "kind": "tag", "change": "returned", "repository": "acme/app", "tag": "v1", "from": digest("one"), "to": digest("one"),
        "since": since(13), "protected_before": {"from": null, "to": digest("one")},
    });
    assert_eq!(lines[1..], [returned]);
}

#[test]
fn nothing_changed_where_nothing_did() {
    for (from, to) in [("7", "7"), ("8", "9")] {
        let run = ask("diff", &["--from", from, "--to", to, "--format", "json"]);
        assert_eq!((run.code, &run.json()["changed"]), (0, &json!(false)), "{run:?}");
        assert!(ask("diff", &["--from", from, "--to", to]).out.ends_with("\nNothing changed.\n"));
    }
}

#[test]
fn a_person_reads_tables() {
    let expected = "\
from record 7 at 2026-01-01T00:00:06.000000Z
to record 10 at 2026-01-01T00:00:09.000000Z

tags
change | tag | from | to | what else
deleted | acme/app:v2 | <two> | - | -
changed | lib:stable | <three> | <three> | locked 2026-01-01T00:00:07.000000Z

spent names
change | tag | can only return as | removed | seq
created | acme/app:v2 | <two> | 2026-01-01T00:00:09.000000Z | 10
";
    assert_eq!(told(&ask("diff", &["--from", "7", "--to", "10"])), expected);
    let policies = told(&ask("diff", &["--from", "10", "--to", "11"]));
    let row = "active: tags matching `v.*` are immutable | retired: tags matching `v.*` are immutable";
    assert!(policies.contains(row), "{policies}");
}

#[test]
fn points_in_the_wrong_order_or_outside_are_wrong_usage() {
    for (arguments, said) in [
        (
            &["--from", "9", "--to", "5"][..],
            "--from is record 9 and --to is record 5: --from has to be the earlier point",
        ),
        (&["--from", &at(9), "--to", "5"], "--from has to be the earlier point"),
        (&["--from", "5", "--to", "99"], "outside of the log, which goes from record 1"),
        (&["--from", "0", "--to", "5"], "outside of the log"),
        (&["--from", "5"], "--to"),
    ] {
        let run = ask("diff", arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.err.contains(said), "{arguments:?}: {run:?}");
    }
}
