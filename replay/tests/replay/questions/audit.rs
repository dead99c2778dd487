//! `audit`

use serde_json::{Value, json};

use super::{ask, deed, event, lines_of, told};
use crate::directory::digest;
use crate::incident::{at, id, records};

fn turn(seq: u64, index: u32, who: &str, tag: (&str, &str), mut fields: Value) -> Value {
    fields["repository"] = json!(tag.0);
    fields["tag"] = json!(tag.1);
    event(seq, index, who, fields)
}

/// The promises that were broken: one by a move behind a retired policy, one by a deletion behind a lifted lock.
fn seals_broken() -> Value {
    let (one, two, three) = (digest("one"), digest("two"), digest("three"));
    let (v1, stable) = (("acme/app", "v1"), ("lib", "stable"));
    json!([
        {
            "repository": "acme/app", "tag": "v1", "digest": one, "since": {"seq": 3, "time": at(3)},
            "protected_by": [{
                "kind": "policy", "policy": id(7), "scope": {"namespace": "acme"}, "pattern": "v.*", "matches": true,
                "since": deed(5, 0, "root"), "until": event(11, 0, "mallory", json!({"event": "policy_retired"})),
            }],
            "broken": turn(12, 0, "mallory", v1, json!({"event": "moved", "from": one, "to": two})),
        },
        {
            "repository": "lib", "tag": "stable", "digest": three, "since": {"seq": 7, "time": at(7)},
            "protected_by": [{
                "kind": "lock",
                "since": deed(8, 0, "root"), "until": event(15, 0, "mallory", json!({"event": "tag_unlocked"})),
            }],
            "broken": turn(16, 1, "bob", stable, json!({"event": "deleted", "from": three, "cause": "manifest_deleted"})),
        },
    ])
}

fn spent_names() -> Value {
    let (one, two, three) = (digest("one"), digest("two"), digest("three"));
    let erased = json!({"event": "deleted", "from": two, "cause": "erased", "reason": "a leaked key\u{1b}[2J"});
    let name = |tag: (&str, &str), only: &tagstone_schema::Digest, removed: Value, returned: Value| json!({"repository": tag.0, "tag": tag.1, "only_digest": only, "removed": removed, "returned": returned});
    let (v1, v2, stable) = (("acme/app", "v1"), ("acme/app", "v2"), ("lib", "stable"));
    json!([
        name(v2, &two, turn(10, 1, "root", v2, erased), json!(false)),
        name(
            v1,
            &one,
            turn(14, 0, "alice", v1, json!({"event": "deleted", "from": one, "cause": "request"})),
            json!(true)
        ),
        name(
            stable,
            &three,
            turn(16, 1, "bob", stable, json!({"event": "deleted", "from": three, "cause": "manifest_deleted"})),
            json!(false),
        ),
    ])
}

fn rule(regex: &str) -> Value {
    json!({"immutability": {"pattern": {"regex": regex, "matches": true}, "include_referrer_tags": false}})
}

fn policy_changes() -> Value {
    let in_acme = |mut fields: Value| {
        fields["policy"] = json!(id(7));
        fields["scope"] = json!("namespace");
        fields["namespace"] = json!("acme");
        fields
    };
    json!([
        event(5, 0, "root", in_acme(json!({"kind": "policy_activated", "rule": rule("v.*")}))),
        event(11, 0, "mallory", in_acme(json!({"kind": "policy_retired"}))),
        event(
            18,
            0,
            "root",
            json!({"kind": "policy_drafted", "policy": id(8), "scope": "registry", "rule": rule("release")})
        ),
    ])
}

fn refusals() -> Value {
    let group = |who: &str, tried: &str, tag: &str, count: u64| {
        json!({
            "actor": {"kind": "user", "name": who}, "tried": tried, "repository": "acme/app", "tag": tag,
            "reason": "TAG_IMMUTABLE", "count": count, "first": at(7), "last": at(8), "addresses": ["10.0.0.66"],
        })
    };
    let mut pushed = group("mallory", "push", "v1", 5);
    pushed["digests"] = json!([digest("two")]);
    json!([group("bob", "deletion", "v2", 1), pushed])
}

fn actor(kind: &str, name: &str, span: (u64, u64), records: u64, refused: u64, from: &Value, events: &Value) -> Value {
    json!({
        "actor": {"kind": kind, "name": name}, "first": at(span.0), "last": at(span.1), "records": records,
        "refused": refused, "addresses": from, "events": events,
    })
}

fn actors() -> Value {
    let office = json!(["10.0.0.1"]);
    json!([
        actor(
            "user",
            "alice",
            (2, 17),
            7,
            0,
            &office,
            &json!({
                "blob_linked": 1, "manifest_pushed": 2, "tag_moved": 6, "tag_deleted": 2,
            })
        ),
        actor(
            "user",
            "bob",
            (7, 16),
            2,
            1,
            &json!(["10.0.0.1", "10.0.0.66"]),
            &json!({
                "manifest_pushed": 1, "manifest_deleted": 1, "tag_moved": 1, "tag_deleted": 1,
            })
        ),
        actor(
            "user",
            "mallory",
            (7, 15),
            3,
            5,
            &json!(["10.0.0.66"]),
            &json!({
                "tag_moved": 1, "tag_unlocked": 1, "policy_retired": 1,
            })
        ),
        actor(
            "user",
            "root",
            (5, 19),
            5,
            0,
            &office,
            &json!({
                "tag_deleted": 1, "tag_erased": 1, "tag_locked": 1, "policy_drafted": 1, "policy_activated": 1,
                "content_purged": 1, "token_issued": 1,
            })
        ),
        actor(
            "system",
            "server",
            (1, 9),
            2,
            0,
            &json!([]),
            &json!({
                "log_started": 1, "server_started": 1, "attempts_refused": 1,
            })
        ),
    ])
}

#[test]
fn the_whole_page_is_known_from_the_script() {
    let run = ask("audit", &["--format", "json"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""), "{run:?}");
    let records = records();
    let head = records.last().unwrap().head();
    let purged = json!([{"digest": digest("three"), "size": 5, "kind": "manifest"}]);
    let erased = json!({
        "kind": "tag_erased", "repository": "acme/app", "tag": "v2", "digest": digest("two"), "from": digest("two"),
        "reason": "a leaked key\u{1b}[2J",
    });
    let issued = json!({"kind": "token_issued", "token": id(9), "user": "robot", "scopes": [], "label": "ci"});
    let expected = json!({
        "ok": false,
        "head": {"seq": 19, "hash": head.hash.to_string()},
        "time": at(19),
        "fingerprint": crate::directory::folded(&records).fingerprint().to_string(),
        "records": 19,
        "events": 25,
        "problems": [],
        "seals_broken": seals_broken(),
        "spent_names": spent_names(),
        "erasures": [event(10, 0, "root", erased)],
        "purges": [event(19, 1, "root", json!({"kind": "content_purged", "repository": "lib", "contents": purged, "reason": "a leak"}))],
        "policy_changes": policy_changes(),
        "refusals": refusals(),
        "refusals_beyond": 4,
        "tokens": [event(19, 0, "root", issued)],
        "server_starts": [event(1, 1, "", json!({"kind": "server_started", "version": "0.1.0"}))],
        "actors": actors(),
        "actors_beyond": 0,
    });
    let report = run.json();
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&report[field], value, "{field}");
    }
    assert_eq!(report, expected);
}

#[test]
fn lines_tell_the_same_section_by_section() {
    let lines = lines_of("audit", &[]);
    let sections: Vec<_> = lines.iter().map(|line| line["section"].as_str().unwrap()).collect();
    let expected = [
        ("audit", 1),
        ("seals_broken", 2),
        ("spent_names", 3),
        ("erasures", 1),
        ("purges", 1),
        ("policy_changes", 3),
        ("refusals", 2),
        ("tokens", 1),
        ("server_starts", 1),
        ("actors", 5),
    ];
    let expected: Vec<_> = expected.iter().flat_map(|(section, count)| std::iter::repeat_n(*section, *count)).collect();
    assert_eq!(sections, expected);
    assert_eq!((&lines[0]["ok"], &lines[0]["refusals_beyond"]), (&json!(false), &json!(4)));
    let mut first = lines[1].clone();
    first.as_object_mut().unwrap().remove("section");
    assert_eq!(first, seals_broken()[0]);
}

#[test]
fn bounds_choose_what_is_reported_and_not_what_a_seal_is() {
    let seals = |arguments: &[&str]| {
        let run = ask("audit", &[arguments, &["--format", "json"]].concat());
        let report = run.json();
        let tags: Vec<_> = report["seals_broken"].as_array().unwrap().iter().map(|seal| seal["tag"].clone()).collect();
        (run.code, json!(tags), report)
    };
    // The policy ended before the bounds begin, and was in force before that.
    let (code, tags, report) = seals(&["--since", &at(12), "--until", &at(16)]);
    assert_eq!((code, tags), (1, json!(["v1"])));
    assert_eq!(report["since"], at(12));
    assert_eq!(report["spent_names"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&report["policy_changes"], &report["refusals"], &report["refusals_beyond"]),
        (&json!([]), &json!([]), &json!(0))
    );
    assert_eq!(report["actors"].as_array().unwrap().len(), 2);
    let (code, tags, report) = seals(&["--until", &at(12)]);
    assert_eq!((code, tags, &report["ok"]), (0, json!([]), &json!(true)));
    assert_eq!(report["refusals_beyond"], 4);
    let (code, tags, _) = seals(&["--since", &at(17)]);
    assert_eq!((code, tags), (0, json!([])));
    let run = ask("audit", &["--since", &at(17), "--until", &at(17)]);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{run:?}");
    assert!(run.err.contains("is not before"), "{run:?}");
}

#[test]
fn a_page_can_be_handed_in() {
    let run = ask("audit", &[]);
    assert_eq!(run.code, 1);
    let page = told(&run);
    let expected = "\
AUDIT OF A TAGSTONE LOG

head 19:#
time 2026-01-01T00:00:18.000000Z
fingerprint #
records 19, with 25 events

Seals broken: 2
acme/app:v1 was protected at <one>
pointed there from 2026-01-01T00:00:02.000000Z, record 3
protected by policy 07070707-0707-0707-0707-070707070707: tags matching `v.*` in the namespace acme
from 2026-01-01T00:00:04.000000Z by root from 10.0.0.1, record 5
to 2026-01-01T00:00:10.000000Z by mallory from 10.0.0.66, record 11: policy_retired
broken 2026-01-01T00:00:11.000000Z by mallory from 10.0.0.66, record 12
moved from <one> to <two>
lib:stable was protected at <three>
pointed there from 2026-01-01T00:00:06.000000Z, record 7
protected by a lock by hand
from 2026-01-01T00:00:07.000000Z by root from 10.0.0.1, record 8
to 2026-01-01T00:00:14.000000Z by mallory from 10.0.0.66, record 15: tag_unlocked
broken 2026-01-01T00:00:15.000000Z by bob from 10.0.0.1, record 16
deleted, was <three>: with its manifest

Spent names: 3
tag | can only return as | removed | how | there again
acme/app:v2 | <two> | 2026-01-01T00:00:09.000000Z by root from 10.0.0.1, record 10 | deleted, was <two>: erased by an administrator (a leaked key\\u{1b}[2J) | -
acme/app:v1 | <one> | 2026-01-01T00:00:13.000000Z by alice from 10.0.0.1, record 14 | deleted, was <one>: by request | yes
lib:stable | <three> | 2026-01-01T00:00:15.000000Z by bob from 10.0.0.1, record 16 | deleted, was <three>: with its manifest | -

Erasures: 1
time record actor from what
2026-01-01T00:00:09.000000Z 10.0 root 10.0.0.1 acme/app:v2 erased, was <two>: a leaked key\\u{1b}[2J
";
    assert!(page.starts_with(expected), "{page}");
    for part in [
        "\nRefused attempts: 2\nactor | tried | on | digests | reason | count | first | last | from\nbob | deletion | acme/app:v2 | - | TAG_IMMUTABLE | 1 |",
        "\nand 4 more, of which only the number is known\n",
        "\nmallory | 3 | 1 tag_moved, 1 tag_unlocked, 1 policy_retired | 5 |",
        "\n2026-01-01T00:00:17.000000Z 18.0 root 10.0.0.1 policy 08080808-0808-0808-0808-080808080808 drafted everywhere: tags matching `release` are immutable\n",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let calm = told(&ask("audit", &["--until", &at(2)]));
    assert!(calm.contains("Seals broken: none\n") && calm.contains("bounds from the beginning to"), "{calm}");
}
