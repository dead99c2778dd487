//! Refused attempts: counted, listed, and recorded by a stop.

use serde_json::{Value, json};
use tagstone::registry::{Command, CreatePolicy};
use tagstone_schema::policy::{Pattern, Rule, Scope};
use tagstone_schema::{Event, Id};

use crate::case::{case, ok, refused};
use crate::registry::{PEER, Registry, run};
use crate::request::{Request, delete, get, put};
use crate::samples::{REPO, Sample, named_image, push_named};

const REFUSALS: &str = "/api/v1/refusals";

async fn protect(registry: &Registry, regex: &str) {
    let pattern = Pattern { regex: regex.to_owned(), matches: true };
    let rule = Rule::Immutability { pattern, include_referrer_tags: false };
    let create = CreatePolicy { policy: Id([7; 16]), scope: Scope::Registry, rule, draft: false };
    registry.commit(Command::CreatePolicy(Box::new(create))).await;
}

fn push(sample: &Sample, reference: &str) -> Request {
    put(format!("/v2/{REPO}/manifests/{reference}")).with("content-type", sample.media_type).body(sample.bytes.clone())
}

async fn list(registry: &Registry, query: &str) -> Value {
    registry.check(get(format!("{REFUSALS}{query}")), ok(200).header("content-type", "application/json")).await.json()
}

/// The entries without their times, which are in order.
fn entries(list: &Value) -> Vec<Value> {
    let entries = list["refusals"].as_array().unwrap().iter().map(|entry| {
        let mut entry = entry.as_object().unwrap().clone();
        let (first, last) = (entry.remove("first").unwrap(), entry.remove("last").unwrap());
        assert!(first.as_str().unwrap() <= last.as_str().unwrap() && first.as_str().unwrap().ends_with('Z'));
        assert_eq!(entry.remove("address"), Some(json!(PEER)));
        assert_eq!(entry.remove("actor"), Some(json!({"kind": "anonymous", "name": "anonymous"})));
        assert_eq!(entry.remove("repository"), Some(json!(REPO)));
        Value::Object(entry)
    });
    entries.collect()
}

#[test]
fn what_a_rule_forbids_is_listed_and_counted() {
    run(async {
        let registry = Registry::start().await;
        assert_eq!(list(&registry, "").await, json!({"refusals": [], "others": 0}));
        let standing = push_named(&registry, REPO, "v1", "one").await;
        push_named(&registry, REPO, "v2", "two").await;
        protect(&registry, "v.*").await;
        let other = named_image("other");
        let immutable = || refused(409, "DENIED", "immutable");
        let denied = || refused(422, "DENIED", "");
        registry
            .check_all([
                case(push(&other, "v1"), immutable()),
                case(push(&other, "v1"), immutable()),
                case(delete(format!("/v2/{REPO}/manifests/v1")), denied()),
                case(delete(format!("/api/v1/repository/{REPO}/tag/v1")), refused(409, "tag_immutable", "v1")),
                case(delete(format!("/v2/{REPO}/manifests/{}", standing.digest)), denied()),
                case(push(&other, &format!("{}?tag=v1&tag=v2", other.digest)), immutable()),
                // What is no rule's refusal is not listed.
                case(delete(format!("/v2/{REPO}/manifests/none")), refused(404, "MANIFEST_UNKNOWN", "")),
                case(delete(format!("/v2/{REPO}/manifests/.bad")), refused(400, "NAME_INVALID", "")),
            ])
            .await;
        let reason = "TAG_IMMUTABLE";
        let told = list(&registry, "").await;
        assert_eq!(
            entries(&told),
            [
                json!({"tag": "v2", "digest": other.digest, "reason": reason, "count": 1}),
                json!({"tag": "v1", "digest": other.digest, "reason": reason, "count": 3}),
                json!({"digest": standing.digest, "reason": reason, "count": 1}),
                json!({"tag": "v1", "reason": reason, "count": 2}),
            ]
        );
        assert_eq!(told["others"], 0);
        let metrics = registry.probe("/metrics").await.body;
        let metrics = std::str::from_utf8(&metrics).unwrap();
        for line in
            ["tagstone_refusals_total{reason=\"TAG_IMMUTABLE\"} 6", "tagstone_refusals_total{reason=\"IN_USE\"} 0"]
        {
            assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
        }
        let (records, served) = registry.all_records();
        let Some(Event::AttemptsRefused { entries, others, since, until }) =
            records.last().and_then(|record| record.events.last())
        else {
            panic!("the stop has recorded nothing: {:?}", records.last());
        };
        assert_eq!((records.len() as u64, *others, entries.len()), (served.seq + 1, 0, 4));
        assert!(since <= until && entries.iter().all(|entry| *since <= entry.first && entry.last <= *until));
        let pushed = entries.iter().find(|entry| entry.count == 3).unwrap();
        assert_eq!((pushed.reason.as_str(), pushed.address.as_str()), (reason, PEER));
        assert_eq!(records.last().unwrap().actor.name, "refusals");
    });
}

#[test]
fn a_restart_forgets_nothing() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        protect(&registry, "v.*").await;
        let other = named_image("other");
        for count in 1..=3 {
            registry.check(push(&other, "v1"), refused(409, "DENIED", "immutable")).await;
            assert_eq!(entries(&list(&registry, "").await)[0]["count"], count);
        }
        let told = list(&registry, "").await;
        let registry = registry.restarted().await;
        assert_eq!(list(&registry, "").await, told);
        registry.check(push(&other, "v1"), refused(409, "DENIED", "immutable")).await;
        assert_eq!(entries(&list(&registry, "").await)[0]["count"], 4);
    });
}

#[test]
fn pages_of_refusals() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        protect(&registry, "v1").await;
        let mut pushed = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            let other = named_image(name);
            registry.check(push(&other, "v1"), refused(409, "DENIED", "immutable")).await;
            pushed.insert(0, json!({"tag": "v1", "digest": other.digest, "reason": "TAG_IMMUTABLE", "count": 1}));
        }
        for (n, pages) in [(1, 5), (2, 3), (5, 1), (9, 1)] {
            let (mut seen, mut asked, mut next) = (Vec::new(), 0, String::new());
            loop {
                let page = list(&registry, &format!("?n={n}{next}")).await;
                seen.extend(entries(&page));
                asked += 1;
                match page.get("next") {
                    Some(token) => next = format!("&next={}", token.as_str().unwrap()),
                    None => break,
                }
            }
            assert_eq!((seen, asked), (pushed.clone(), pages), "n={n}");
        }
        for query in ["?n=0", "?n=x", "?next=zz", "?next=78"] {
            registry.check(get(format!("{REFUSALS}{query}")), refused(400, "invalid_request", "")).await;
        }
    });
}

#[test]
fn what_is_still_needed_and_names_that_are_spent() {
    run(async {
        let registry = Registry::start().await;
        let image = push_named(&registry, REPO, "plain", "one").await;
        registry
            .check(delete(format!("/v2/{REPO}/blobs/{}", crate::samples::sha256("{}"))), refused(422, "DENIED", ""))
            .await;
        protect(&registry, "v.*").await;
        image.push(&registry, REPO, "v1").await;
        registry.commit(Command::RemovePolicy { policy: Id([7; 16]) }).await;
        registry.check(delete(format!("/v2/{REPO}/manifests/v1")), ok(202)).await;
        let other = named_image("other");
        registry.check(push(&other, "v1"), refused(409, "DENIED", "only")).await;
        assert_eq!(
            entries(&list(&registry, "").await),
            [
                json!({"tag": "v1", "digest": other.digest, "reason": "TAG_SPENT", "count": 1}),
                json!({"digest": crate::samples::sha256("{}"), "reason": "IN_USE", "count": 1}),
            ]
        );
    });
}
