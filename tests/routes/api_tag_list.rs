//! Listing the tags of a repository, those that are no more too.

use serde_json::{Value, json};
use tagstone::registry::{Because, Clock, Command, Expiry, Lock, SetTag, SystemClock};
use tagstone_schema::Timestamp;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head};
use crate::samples::{REPO, Sample, index, named_image, push_blob, push_named};

fn list(query: &str) -> String {
    format!("/api/v1/repository/{REPO}/tag/{query}")
}

async fn listed(registry: &Registry, query: &str) -> Value {
    registry.check(get(list(query)), ok(200).header("content-type", "application/json")).await.json()
}

/// `name` of each entry, with a `!` where it is dead.
async fn names(registry: &Registry, query: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in listed(registry, query).await["tags"].as_array().unwrap() {
        let dead = if entry.get("end_ts").is_some() { "!" } else { "" };
        names.push(format!("{}{dead}", entry["name"].as_str().unwrap()));
    }
    names
}

fn set(tag: &str, expiry: Expiry, lock: Lock) -> Command {
    let (repository, tag) = (REPO.parse().unwrap(), tag.parse().unwrap());
    Command::SetTag(Box::new(SetTag { repository, tag, manifest: None, expiry, lock }))
}

/// Both forms of the second in which the last record was written.
async fn last_second(registry: &Registry) -> (i64, String) {
    let head = registry.check(get("/api/v1/log/head"), ok(200)).await.json();
    let time: Timestamp = head["time"].as_str().unwrap().parse().unwrap();
    (time.seconds(), time.rfc2822())
}

#[test]
fn an_entry_is_a_tag_at_a_digest() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "latest", "one").await;
        let (began, began_text) = last_second(&registry).await;
        let two = push_named(&registry, REPO, "latest", "two").await;
        let (moved, moved_text) = last_second(&registry).await;
        one.push(&registry, REPO, "latest").await;
        let (back, back_text) = last_second(&registry).await;
        let children = index(&[&one, &two]);
        children.push(&registry, REPO, "v1.immutable").await;
        let (last, last_text) = last_second(&registry).await;
        let entry = |name: &str, sample: &Sample, start: (i64, &str), reversion: bool| {
            json!({
                "name": name, "reversion": reversion, "immutable": false, "start_ts": start.0,
                "manifest_digest": sample.digest, "is_manifest_list": false, "size": sample.bytes.len(),
                "last_modified": start.1,
            })
        };
        let ended = |mut entry: Value, (seconds, text): (i64, &str)| {
            entry["end_ts"] = json!(seconds);
            entry["expiration"] = json!(text);
            entry
        };
        let mut whole = entry("v1.immutable", &children, (last, &last_text), false);
        (whole["immutable"], whole["is_manifest_list"]) = (json!(true), json!(true));
        let tags = [
            whole,
            entry("latest", &one, (back, &back_text), true),
            ended(entry("latest", &two, (moved, &moved_text), false), (back, &back_text)),
            ended(entry("latest", &one, (began, &began_text), false), (moved, &moved_text)),
        ];
        let body = json!({"tags": tags, "page": 1, "has_additional": false});
        let path = list("");
        registry
            .check_all([
                case(get(&path), ok(200).json(body.clone())),
                case(get(path.trim_end_matches('/')), ok(200).json(body.clone())),
                case(head(&path), ok(200).header("content-type", "application/json")),
            ])
            .await;
    });
}

#[test]
fn parameters_choose_entries() {
    run(async {
        let registry = Registry::start().await;
        for (tag, name) in
            [("v1", "one"), ("v2", "one"), ("rc-1", "one"), ("RC-2", "two"), ("v1", "two"), ("v3", "two")]
        {
            push_named(&registry, REPO, tag, name).await;
        }
        registry.check(delete(format!("/api/v1/repository/{REPO}/tag/v2")), ok(204)).await;
        let cases: &[(&str, &[&str])] = &[
            ("", &["v3", "v1", "RC-2", "rc-1", "v2!", "v1!"]),
            ("?limit=2", &["v3", "v1"]),
            ("?limit=2&page=3", &["v2!", "v1!"]),
            ("?limit=4&page=2", &["v2!", "v1!"]),
            ("?limit=2&page=4", &[]),
            ("?limit=1000", &["v3", "v1", "RC-2", "rc-1", "v2!", "v1!"]),
            ("?onlyActiveTags=true", &["v3", "v1", "RC-2", "rc-1"]),
            ("?onlyActiveTags=True&limit=3&page=2", &["rc-1"]),
            ("?onlyActiveTags=0", &["v3", "v1", "RC-2", "rc-1", "v2!", "v1!"]),
            ("?specificTag=v1", &["v1", "v1!"]),
            ("?specificTag=v1&limit=1&page=2", &["v1!"]),
            ("?specificTag=v1&onlyActiveTags=true", &["v1"]),
            ("?specificTag=v1&onlyActiveTags=true&page=2", &[]),
            ("?specificTag=v2&onlyActiveTags=true", &[]),
            ("?specificTag=v9", &[]),
            ("?specificTag=", &["v3", "v1", "RC-2", "rc-1", "v2!", "v1!"]),
            ("?filter_tag_name=eq:v2", &["v2!"]),
            ("?filter_tag_name=eq:v2&specificTag=v1", &[]),
            ("?filter_tag_name=like:1", &["v1", "rc-1", "v1!"]),
            ("?filter_tag_name=like:1&limit=1&page=3", &["v1!"]),
            ("?filter_tag_name=like:rC&onlyActiveTags=1", &["RC-2", "rc-1"]),
            ("?filter_tag_name=like:1&specificTag=v1", &["v1", "v1!"]),
            ("?filter_tag_name=like%3Anone", &[]),
        ];
        for (query, expected) in cases {
            assert_eq!(names(&registry, query).await, *expected, "{query}");
        }
        for (query, page, more) in [
            ("?limit=2", 1, true),
            ("?limit=2&page=2", 2, true),
            ("?limit=2&page=3", 3, false),
            ("?limit=6", 1, false),
            ("?limit=3&onlyActiveTags=true", 1, true),
            ("?limit=2&page=2&onlyActiveTags=true", 2, false),
            ("?limit=1&specificTag=v1", 1, true),
            ("?limit=1&specificTag=v1&onlyActiveTags=true", 1, false),
            ("?limit=2&filter_tag_name=like:1", 1, true),
            ("?limit=3&filter_tag_name=like:1", 1, false),
        ] {
            let listed = listed(&registry, query).await;
            assert_eq!((&listed["page"], &listed["has_additional"]), (&json!(page), &json!(more)), "{query}");
        }
    });
}

#[test]
fn what_is_not_right_is_refused() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        for (query, says) in [
            ("?limit=0", "`limit=0` is not right"),
            ("?limit=-1", "`limit=-1` is not right"),
            ("?limit=", "`limit=` is not right"),
            ("?limit=ten", "an integer from 1"),
            ("?limit=1&limit=2", "stands 2 times"),
            ("?page=0", "`page=0` is not right"),
            ("?page=1.5", "`page=1.5` is not right"),
            ("?page=2001", "behind the newest 100000 entries"),
            ("?page=99999999999999999999999", "specificTag"),
            ("?specificTag=.bad", "`.bad` is not a tag"),
            ("?filter_tag_name=v1", "write `like:`"),
            ("?filter_tag_name=like:", "write `like:`"),
            ("?filter_tag_name=eq:", "is not a tag"),
            ("?filter_tag_name=regex:v1", "write `like:`"),
            ("?onlyActiveTags=", "`true` or `false`"),
            ("?onlyActiveTags=yes", "`true` or `false`"),
            ("?specificTag=%ff", "UTF-8"),
        ] {
            registry.check(get(list(query)), refused(400, "invalid_request", says)).await;
        }
        registry
            .check_all([
                case(get(list("?page=2000")), ok(200).json(json!({"tags": [], "page": 2000, "has_additional": false}))),
                case(
                    get("/api/v1/repository/nobody/here/tag/"),
                    refused(404, "not_found", "nobody/here").field("repository", json!("nobody/here")),
                ),
                case(get("/api/v1/repository/Acme/tag/"), refused(400, "invalid_request", "is not a repository name")),
                case(get("/api/v1/repository/as-of/seq-1/acme/app/tag/"), refused(404, "not_found", "as-of")),
            ])
            .await;
        // Blobs make a repository, without a tag ever.
        push_blob(&registry, "blobs/only", "{}").await;
        let none = json!({"tags": [], "page": 1, "has_additional": false});
        registry.check(get("/api/v1/repository/blobs/only/tag/"), ok(200).json(none)).await;
    });
}

#[test]
fn history_outlives_tags_manifests_and_repositories() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "a", "one").await;
        one.push(&registry, REPO, "b").await;
        push_named(&registry, REPO, "c", "two").await;
        push_named(&registry, REPO, "d.immutable", "two").await;
        registry.check(delete(format!("/v2/{REPO}/manifests/{}", one.digest)), ok(202)).await;
        assert_eq!(names(&registry, "").await, ["d.immutable", "c", "b!", "a!"]);
        let because: Because = "a test".parse().unwrap();
        let (repository, tag) = (REPO.parse().unwrap(), "d.immutable".parse().unwrap());
        registry.commit(Command::EraseTag { repository, tag, because }).await;
        registry.commit(Command::DeleteRepository { repository: REPO.parse().unwrap() }).await;
        assert!(registry.state().repository(REPO).is_none());
        let all = ["d.immutable!", "c!", "b!", "a!"];
        assert_eq!(names(&registry, "").await, all);
        assert_eq!(names(&registry, "?onlyActiveTags=true").await, [""; 0]);
        // Also in the index that another start makes: of this log, and from nothing.
        let registry = registry.restarted().await;
        assert_eq!(names(&registry, "").await, all);
        let registry = registry.restarted_after(|layout| std::fs::remove_dir_all(layout.index()).unwrap()).await;
        assert_eq!(names(&registry, "").await, all);
        // The same name begins again, at what it was before.
        push_named(&registry, REPO, "a", "one").await;
        let listed = listed(&registry, "?specificTag=a").await;
        let reversions: Vec<_> = listed["tags"].as_array().unwrap().iter().map(|tag| &tag["reversion"]).collect();
        assert_eq!(reversions, [&json!(true), &json!(false)]);
    });
}

#[test]
fn tags_expire_in_the_list_at_once() {
    run(async {
        let registry = Registry::start().await;
        for tag in ["never", "late", "locked", "soon"] {
            push_named(&registry, REPO, tag, "one").await;
        }
        let now = SystemClock.now();
        let (late, soon) = (Timestamp(now.0 + 3_600_000_000), Timestamp(now.0 + 300_000));
        registry.commit(set("late", Expiry::At(late), Lock::Keep)).await;
        registry.commit(set("locked", Expiry::At(soon), Lock::Keep)).await;
        registry.commit(set("locked", Expiry::Keep, Lock::Lock)).await;
        registry.commit(set("soon", Expiry::At(soon), Lock::Keep)).await;
        while SystemClock.now() <= soon {
            std::thread::yield_now();
        }
        let by_name = |listed: &Value, name: &str| {
            let tags = listed["tags"].as_array().unwrap().clone();
            tags.into_iter().find(|tag| tag["name"] == name).unwrap()
        };
        // Nothing has written its end: the state has the tag still.
        assert!(registry.state().repository(REPO).unwrap().tag("soon").is_some());
        let all = listed(&registry, "").await;
        let shown = |name: &str| {
            let tag = by_name(&all, name);
            json!([tag["immutable"], tag["end_ts"], tag["expiration"], tag["outlives_expiration"]])
        };
        assert_eq!(shown("never"), json!([false, null, null, null]));
        assert_eq!(shown("late"), json!([false, late.seconds(), late.rfc2822(), null]));
        assert_eq!(shown("locked"), json!([true, null, soon.rfc2822(), true]));
        assert_eq!(shown("soon"), json!([false, soon.seconds(), soon.rfc2822(), null]));
        assert_eq!(names(&registry, "?onlyActiveTags=true").await, ["locked", "late!", "never"]);
        assert_eq!(names(&registry, "?onlyActiveTags=true&specificTag=soon").await, [""; 0]);
        assert_eq!(names(&registry, "?onlyActiveTags=true&specificTag=locked").await, ["locked"]);
        // The next command writes it.
        push_named(&registry, REPO, "more", "one").await;
        assert!(registry.state().repository(REPO).unwrap().tag("soon").is_none());
        assert_eq!(names(&registry, "").await, ["more", "soon!", "locked", "late!", "never"]);
    });
}

#[test]
fn an_index_that_cannot_be_made_stops_nothing_else() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let registry = registry
            .restarted_after(|layout| {
                std::fs::remove_dir_all(layout.index()).unwrap();
                std::fs::write(layout.index(), b"in the way").unwrap();
            })
            .await;
        let sample = named_image("one");
        let failed = || refused(503, "unavailable", "the index of history has failed").without("retry-after");
        registry.check(get(list("")), failed()).await;
        push_named(&registry, REPO, "v2", "two").await;
        registry.check(get(format!("/v2/{REPO}/manifests/v1")), ok(200).bytes(sample.bytes)).await;
        registry.check(get(list("")), failed()).await;
        let registry = registry.restarted_after(|layout| std::fs::remove_file(layout.index()).unwrap()).await;
        assert_eq!(names(&registry, "").await, ["v2", "v1"]);
    });
}

/// Whoever was told of a change finds it in the list, however fast he asks.
#[test]
fn a_change_is_listed_as_soon_as_it_was_answered() {
    run(async {
        let registry = Registry::start().await;
        for round in 0..50 {
            let sample = push_named(&registry, REPO, "latest", &round.to_string()).await;
            let newest = listed(&registry, "?limit=1").await;
            assert_eq!(newest["tags"][0]["manifest_digest"], sample.digest, "round {round}");
        }
    });
}
