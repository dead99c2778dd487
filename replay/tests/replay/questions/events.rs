//! `events`

use serde_json::{Value, json};

use super::{ask, deed, event, json_of, lines_of, told};
use crate::directory::digest;
use crate::incident::{at, id};

fn places(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| format!("{}.{}", event["seq"], event["index"])).collect()
}

fn found(arguments: &[&str]) -> Vec<String> {
    places(&lines_of("events", &[arguments, &["--order", "asc"]].concat()))
}

#[test]
fn every_filter_selects_what_it_says() {
    let (two, config) = (digest("two").to_string(), digest("config").to_string());
    let cases: &[(&[&str], &[&str])] = &[
        (&["--repository", "lib"], &["7.0", "7.1", "8.0", "15.0", "16.0", "16.1", "19.1"]),
        (&["--namespace", "acme", "--kind", "policy_retired"], &["11.0"]),
        (&["--namespace", "acme", "--tag", "latest"], &["4.1", "6.1", "14.1"]),
        (&["--tag", "v2"], &["6.0", "9.0", "10.0", "10.1"]),
        (&["--digest", &two], &["4.0", "6.0", "6.1", "9.0", "10.0", "10.1", "12.0", "13.0", "14.1"]),
        (&["--digest", &config], &["2.0"]),
        (&["--actor", "mallory"], &["9.0", "11.0", "12.0", "15.0"]),
        (&["--actor", "system:server", "--kind", "server_started"], &["1.1"]),
        (&["--actor", "token:mallory"], &[]),
        (&["--kind", "tag_deleted"], &["10.1", "14.0", "14.1", "16.1"]),
        (&["--cause", "erased"], &["10.1"]),
        (&["--since", &at(17), "--until", &at(19)], &["17.0", "18.0"]),
        (&["--from-seq", "15", "--to-seq", "16"], &["15.0", "16.0", "16.1"]),
        (
            &["--actor", "alice", "--kind", "tag_moved", "--repository", "acme/app", "--to-seq", "6"],
            &["3.1", "4.1", "6.0", "6.1"],
        ),
        (&["--from-seq", "17", "--n", "2"], &["17.0", "18.0"]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(found(arguments), *expected, "{arguments:?}");
    }
}

#[test]
fn the_newest_comes_first_unless_asked_otherwise() {
    let mut all = found(&[]);
    assert_eq!((all.len(), all[0].as_str(), all[27].as_str()), (28, "1.0", "19.1"));
    all.reverse();
    assert_eq!(places(&lines_of("events", &[])), all);
    assert_eq!(places(&lines_of("events", &["--order", "desc", "--n", "3"])), all[..3]);
    assert_eq!(places(&lines_of("events", &["--n", "1000"])), all);
}

#[test]
fn an_event_has_the_form_of_the_api() {
    let purge = event(
        19,
        1,
        "root",
        json!({
            "kind": "content_purged", "repository": "lib", "reason": "a leak",
            "contents": [{"digest": digest("three"), "size": 5, "kind": "manifest"}],
        }),
    );
    let retired = event(
        11,
        0,
        "mallory",
        json!({"kind": "policy_retired", "policy": id(7), "scope": "namespace", "namespace": "acme"}),
    );
    let unlocked = event(15, 0, "mallory", json!({"kind": "tag_unlocked", "repository": "lib", "tag": "stable"}));
    assert_eq!(json_of("events", &["--n", "1"]), json!({"events": [purge]}));
    assert_eq!(json_of("events", &["--kind", "policy_retired"]), json!({"events": [retired]}));
    assert_eq!(json_of("events", &["--kind", "tag_unlocked", "--order", "asc"]), json!({"events": [unlocked]}));
    assert_eq!(json_of("events", &["--cause", "expiry"]), json!({"events": []}));
    assert_eq!(deed(1, 1, "")["actor"]["name"], lines_of("events", &["--kind", "server_started"])[0]["actor"]["name"]);
}

#[test]
fn a_person_reads_sentences() {
    let run = ask("events", &["--order", "asc"]);
    assert_eq!(run.code, 0);
    let said = told(&run);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 29);
    for (line, what) in [
        (0, "time record actor from what"),
        (2, "2026-01-01T00:00:00.000000Z 1.1 system:server - a server of version 0.1.0 started"),
        (3, "2026-01-01T00:00:01.000000Z 2.0 alice 10.0.0.1 acme/app: blob <config> of 6 bytes arrived"),
        (14, "2026-01-01T00:00:08.000000Z 9.0 system:server - 10 attempts were refused"),
        (15, "2026-01-01T00:00:09.000000Z 10.0 root 10.0.0.1 acme/app:v2 erased, was <two>: a leaked key\\u{1b}[2J"),
        (18, "2026-01-01T00:00:11.000000Z 12.0 mallory 10.0.0.66 acme/app:v1 moved from <one> to <two>"),
    ] {
        assert_eq!(lines[line], what, "{said}");
    }
    assert_eq!(ask("events", &["--cause", "expiry"]).out, "nothing was found\n");
}

#[test]
fn a_bad_filter_is_wrong_usage() {
    for (arguments, said) in [
        (&["--kind", "tag_created"][..], "is no kind of event"),
        (&["--cause", "boredom"], "is no cause of a tag's end"),
        (&["--repository", "Not A Name"], "is not a repository name"),
        (&["--digest", "sha256:12"], "the filter `digest`"),
        (&["--since", "yesterday"], "the filter `since`"),
        (&["--since", "2026-01-01T00:00:01Z", "--until", "2026-01-01T00:00:01Z"], "nothing can be found"),
        (&["--from-seq", "x1"], "the filter `from_seq`"),
        (&["--from-seq", "4", "--to-seq", "3"], "nothing can be found"),
        (&["--n", "0"], "--n"),
        (&["--order", "sideways"], "possible values: asc, desc"),
        (&["--unheard", "of"], "--unheard"),
    ] {
        let run = ask("events", arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.err.contains(said), "{arguments:?}: {run:?}");
    }
}
