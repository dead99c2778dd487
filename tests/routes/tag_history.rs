//! The history of a tag: what it says, its filters and pages, and what it outlives.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone::registry::{Because, Command, Expiry, Lock, SetTag};
use tagstone_schema::Timestamp;
use tagstone_schema::media_type::OCI_INDEX;

use crate::case::{Answer, case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head, post, put};
use crate::samples::{REPO, Sample, index, named_image, push_blob, push_named, sha512, unknown_digest};

fn history(tag: &str) -> String {
    format!("/v2/{REPO}/_oci/tag-history/{tag}")
}

fn listed(manifests: &[Value]) -> Answer {
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    ok(200).header("content-type", OCI_INDEX).json(index)
}

/// The time of the last record.
async fn now(registry: &Registry) -> String {
    registry.check(get("/api/v1/log/head"), ok(200)).await.json()["time"].as_str().unwrap().to_owned()
}

fn entry(sample: &Sample, event: &str, time: &str) -> Value {
    json!({
        "mediaType": sample.media_type, "size": sample.bytes.len(), "digest": sample.digest,
        "annotations": {
            "org.opencontainers.distribution.tag.timestamp": time,
            "org.opencontainers.distribution.tag.event": event,
        },
    })
}

fn set(tag: &str, expiry: Expiry) -> Command {
    let (repository, tag) = (REPO.parse().unwrap(), tag.parse().unwrap());
    Command::SetTag(Box::new(SetTag { repository, tag, manifest: None, expiry, lock: Lock::Keep }))
}

/// Moves `latest` five times and deletes it once: the history that is to be listed, and the samples.
async fn told(registry: &Registry) -> (Vec<Value>, Sample, Sample) {
    let mut entries = Vec::new();
    let one = push_named(registry, REPO, "latest", "one").await;
    entries.push(entry(&one, "created", &now(registry).await));
    let two = push_named(registry, REPO, "latest", "two").await;
    entries.push(entry(&two, "created", &now(registry).await));
    // What stands there already is no move, and neither is an expiry.
    two.push(registry, REPO, "latest").await;
    for expiry in [Expiry::At(Timestamp(registry.now().0 + 3_600_000_000)), Expiry::Never] {
        registry.commit(set("latest", expiry)).await;
    }
    push_named(registry, REPO, "other", "three").await;
    one.push(registry, REPO, "latest").await;
    entries.push(entry(&one, "created", &now(registry).await));
    registry.check(delete(format!("/v2/{REPO}/manifests/latest")), ok(202)).await;
    entries.push(entry(&one, "deleted", &now(registry).await));
    let children = index(&[&one, &two]);
    children.push(registry, REPO, "latest").await;
    entries.push(entry(&children, "created", &now(registry).await));
    entries.reverse();
    (entries, one, two)
}

fn time_of(entry: &Value) -> &str {
    entry["annotations"]["org.opencontainers.distribution.tag.timestamp"].as_str().unwrap()
}

#[test]
fn a_history_tells_moves_and_ends_newest_first() {
    run(async {
        let registry = Registry::start().await;
        let (all, one, two) = told(&registry).await;
        let path = history("latest");
        let times: Vec<_> = all.iter().map(time_of).collect();
        let at = |entry: usize| times[entry].replace(':', "%3A");
        let of = |sample: &Sample| -> Vec<_> {
            all.iter().filter(|entry| entry["digest"] == sample.digest).cloned().collect()
        };
        let whole = || listed(&all).without("link");
        let plus_two: Timestamp = times[2].parse().unwrap();
        let elsewhere = |micros: i64| {
            let shifted = Timestamp(plus_two.0 + micros + 7_200_000_000).to_string();
            format!("{}+02:00", shifted.trim_end_matches('Z'))
        };
        registry
            .check_all([
                case(head(&*path), ok(200).header("content-type", OCI_INDEX)),
                case(get(&*path), whole()),
                case(get(format!("{path}?n=5")), whole()),
                case(get(format!("{path}?n=1000000000000000000000")), whole()),
                case(get(format!("{path}?n=0")), listed(&[]).without("link")),
                case(get(format!("{path}?before={}", at(2))), listed(&all[3..]).without("link")),
                case(get(format!("{path}?since={}", at(2))), listed(&all[..2]).without("link")),
                case(get(format!("{path}?since={}&before={}", at(4), at(0))), listed(&all[1..4]).without("link")),
                case(get(format!("{path}?since={}&before={}", at(2), at(2))), listed(&[])),
                case(get(format!("{path}?since={}&before={}", at(0), at(4))), listed(&[])),
                // An offset, its plus as it is and percent-encoded; more digits than records have.
                case(get(format!("{path}?before={}", elsewhere(0))), listed(&all[3..])),
                case(get(format!("{path}?before={}", elsewhere(0).replace('+', "%2B"))), listed(&all[3..])),
                case(get(format!("{path}?before={}", elsewhere(1))), listed(&all[2..])),
                case(get(format!("{path}?before={}", times[2].replace('Z', "001Z"))), listed(&all[2..])),
                case(get(format!("{path}?since={}", times[2].replace('Z', "999Z"))), listed(&all[..2])),
                case(get(format!("{path}?since=1970-01-01T00:00:00Z")), listed(&all)),
                case(get(format!("{path}?before=1970-01-01t00:00:00z")), listed(&[])),
                case(get(format!("{path}?digest={}", one.digest)), listed(&of(&one)).without("link")),
                case(get(format!("{path}?digest={}", two.digest.replace(':', "%3A"))), listed(&of(&two))),
                case(get(format!("{path}?digest={}&before={}", one.digest, at(2))), listed(&all[4..])),
                case(get(format!("{path}?digest={}", unknown_digest())), listed(&[])),
                case(get(format!("{path}?digest={}", one.sha512())), listed(&[])),
            ])
            .await;
        assert_eq!(of(&one).len(), 3);
    });
}

#[test]
fn pages_lead_through_all_of_it() {
    run(async {
        let registry = Registry::start().await;
        let (all, one, _) = told(&registry).await;
        let since = time_of(&all[4]).to_owned();
        let filters = [
            (String::new(), all.clone()),
            (format!("&digest={}", one.digest), vec![all[1].clone(), all[2].clone(), all[4].clone()]),
            (format!("&since={since}"), all[..4].to_vec()),
            (format!("&since={}&digest={}", since.replace('Z', "+00:00"), one.digest), all[1..3].to_vec()),
        ];
        for (filter, expected) in filters {
            for size in 1..=expected.len() {
                let mut next = Some(format!("{}?n={size}{filter}", history("latest")));
                let mut found = Vec::new();
                while let Some(path) = next {
                    let reply = registry.check(get(&*path), ok(200)).await;
                    let page = reply.json()["manifests"].as_array().unwrap().clone();
                    assert!(page.len() == size || reply.header("link").is_none(), "{path}");
                    // The cursor is the timestamp of the last entry: a client may make the link itself.
                    let link = reply.header("link").map(|link| link.strip_suffix(">; rel=\"next\"").unwrap());
                    next = link.map(|link| link.strip_prefix('<').unwrap().to_owned());
                    if let Some(next) = &next {
                        assert!(next.contains(&format!("before={}", time_of(page.last().unwrap()))), "{next}");
                        assert!(next.contains(&format!("n={size}&")), "{next}");
                    }
                    found.extend(page);
                }
                assert_eq!(found, expected, "{filter} by {size}");
            }
        }
    });
}

#[test]
fn nothing_is_missing_and_what_is_not_right_is_refused() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        push_blob(&registry, "blobs/only", "{}").await;
        for path in [
            history("v2"),
            history(".bad"),
            history(""),
            history("a%20b"),
            history(&unknown_digest()),
            "/v2/nobody/here/_oci/tag-history/v1".to_owned(),
            "/v2/blobs/only/_oci/tag-history/v1".to_owned(),
        ] {
            for query in ["", "?n=0", "?n=1"] {
                registry.check(get(format!("{path}{query}")), listed(&[]).without("link")).await;
            }
        }
        for (query, code, says) in [
            ("n=-1", "UNSUPPORTED", "`n=-1`"),
            ("n=", "UNSUPPORTED", "an integer from 0"),
            ("n=1.5", "UNSUPPORTED", "an integer from 0"),
            ("n=1&n=2", "UNSUPPORTED", "2 times"),
            ("before=", "UNSUPPORTED", "the parameter `before`"),
            ("before=yesterday", "UNSUPPORTED", "RFC 3339"),
            ("before=2026-13-01T00:00:00Z", "UNSUPPORTED", "the parameter `before`"),
            ("before=2026-01-01", "UNSUPPORTED", "the parameter `before`"),
            ("before=99999-01-01T00:00:00Z", "UNSUPPORTED", "the parameter `before`"),
            ("since=1767225600", "UNSUPPORTED", "the parameter `since`"),
            ("since=2026-01-01T00:00:00", "UNSUPPORTED", "the parameter `since`"),
            ("since=%ff", "UNSUPPORTED", "not UTF-8"),
            ("digest=", "DIGEST_INVALID", ""),
            ("digest=v1", "DIGEST_INVALID", "sha256"),
            ("digest=sha256:x", "DIGEST_INVALID", "exactly 64"),
        ] {
            for tag in ["v1", ".bad"] {
                registry.check(get(format!("{}?{query}", history(tag))), refused(400, code, says)).await;
                registry.check(head(format!("{}?{query}", history(tag))), refused(400, code, says)).await;
            }
        }
    });
}

#[test]
fn a_page_has_a_most() {
    run(async {
        let registry = Registry::with(|settings| settings.limits.page_entries = 2).await;
        let (all, ..) = told(&registry).await;
        for query in ["", "?n=100"] {
            let link = format!("<{}?n=2&before={}>; rel=\"next\"", history("latest"), time_of(&all[1]));
            registry.check(get(history("latest") + query), listed(&all[..2]).header("link", link)).await;
        }
    });
}

/// Every way in which a tag can end, and everything that can go with it.
#[test]
fn every_end_is_told_and_outlives_what_ended() {
    run(async {
        let registry = Registry::start().await;
        let sample = named_image("one");
        push_blob(&registry, REPO, "{}").await;
        let repository = || REPO.parse().unwrap();
        let ways = ["request", "together", "expired", "erased", "with-manifest", "with-repository"];
        let mut expected: Vec<(&str, Vec<Value>)> = Vec::new();
        for tag in ways {
            sample.push(&registry, REPO, tag).await;
            expected.push((tag, vec![entry(&sample, "created", &now(&registry).await)]));
        }
        let mut end = |tag: &str, time: &str| {
            let (_, entries) = expected.iter_mut().find(|(own, _)| *own == tag).unwrap();
            entries.insert(0, entry(&sample, "deleted", time));
        };
        registry.check(delete(format!("/v2/{REPO}/manifests/request")), ok(202)).await;
        end("request", &now(&registry).await);
        let together = post(format!("/api/v1/repository/{REPO}/tags/delete"));
        registry.check(together.body(r#"{"tags":["together"]}"#), ok(200)).await;
        end("together", &now(&registry).await);
        let because: Because = "a test".parse().unwrap();
        registry.commit(Command::EraseTag { repository: repository(), tag: "erased".parse().unwrap(), because }).await;
        end("erased", &now(&registry).await);
        registry.commit(set("expired", Expiry::At(Timestamp(registry.now().0 + 60_000_000)))).await;
        let before = registry.standing();
        registry.let_pass(Duration::from_secs(61));
        registry.expire();
        registry.changed_since(&before).await;
        end("expired", &now(&registry).await);
        let other = push_named(&registry, REPO, "with-repository", "two").await;
        let moved = now(&registry).await;
        registry.check(delete(format!("/v2/{REPO}/manifests/{}", sample.digest)), ok(202)).await;
        end("with-manifest", &now(&registry).await);
        registry.check(delete(format!("/api/v1/repository/{REPO}")), ok(204)).await;
        let gone = now(&registry).await;
        let (_, entries) = expected.last_mut().unwrap();
        entries.insert(0, entry(&other, "created", &moved));
        entries.insert(0, entry(&other, "deleted", &gone));

        let registry = registry.restarted().await;
        for (tag, entries) in &expected {
            registry.check(get(history(tag)), listed(entries)).await;
        }
        // The same name begins again, and a manifest that was gone is described as it is then.
        let again = push_named(&registry, REPO, "with-repository", "one").await;
        let (_, entries) = expected.last_mut().unwrap();
        entries.insert(0, entry(&again, "created", &now(&registry).await));
        registry.check(get(history("with-repository")), listed(entries)).await;
    });
}

#[test]
fn one_push_under_many_tags_is_in_the_history_of_each() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let sample = named_image("one");
        let path = format!("/v2/{REPO}/manifests/{}?tag=a&tag=b&tag=c", sample.sha512());
        registry.check(put(path).with("content-type", sample.media_type).body(sample.bytes.clone()), ok(201)).await;
        let time = now(&registry).await;
        let mut expected = entry(&sample, "created", &time);
        expected["digest"] = json!(sha512(&sample.bytes));
        for tag in ["a", "b", "c"] {
            registry.check(get(history(tag)), listed(std::slice::from_ref(&expected))).await;
        }
    });
}

#[test]
fn history_that_cannot_be_asked_says_so() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let registry = registry
            .restarted_after(|layout| {
                std::fs::remove_dir_all(layout.index()).unwrap();
                std::fs::write(layout.index(), b"in the way").unwrap();
            })
            .await;
        for path in [history("v1"), format!("/v2/as-of/seq-2/{REPO}/manifests/v1")] {
            let failed = refused(503, "DENIED", "has failed").detail(json!({"reason": "HISTORY_FAILED"}));
            registry.check(get(path), failed).await;
        }
    });
}
