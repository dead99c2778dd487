//! A registry in which a little of everything has happened, and what its events say, read without any code of the audit.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone::registry::{Command, CreatePolicy};
use tagstone_schema::Id;
use tagstone_schema::policy::{PruneMethod, Rule, Scope};

use crate::case::{ok, refused};
use crate::policy::{protect, retire};
use crate::registry::Registry;
use crate::request::{delete, get, post, put};
use crate::samples::{REPO, named_image, push_named};

pub(crate) const EVENTS: &str = "/api/v1/events";
pub(crate) const PRUNING: Id = Id([9; 16]);

/// Tags that are made, moved, moved back, deleted alone and together, locked, expired, pruned, erased, and that end with
/// their manifest or repository; policies that come and go; an attempt that is refused; a restart.
pub(crate) async fn busy() -> Registry {
    let registry = Registry::start().await;
    let one = push_named(&registry, REPO, "v1", "one").await;
    let two = push_named(&registry, REPO, "v2", "two").await;
    two.push(&registry, REPO, "v1").await;
    one.push(&registry, REPO, "v1").await;
    for tag in ["a", "b", "c"] {
        one.push(&registry, REPO, tag).await;
    }
    let three = push_named(&registry, "acme/team/tool", "v1", "three").await;
    three.push(&registry, "acme/team/tool", "v2").await;
    push_named(&registry, "lib", "v1", "one").await;
    push_named(&registry, "lib", "w1", "four").await;
    let tag = |name: &str| format!("/api/v1/repository/{REPO}/tag/{name}");
    registry.check(delete(tag("a")), ok(204)).await;
    let both = json!({"tags": ["b", "c"]}).to_string();
    registry.check(post(format!("/api/v1/repository/{REPO}/tags/delete")).body(both), ok(200)).await;
    let policy = protect(&registry, "r.*").await;
    push_named(&registry, REPO, "r1", "five").await;
    let other = named_image("six");
    let push = put(format!("/v2/{REPO}/manifests/r1")).with("content-type", other.media_type).body(other.bytes);
    registry.check(push, refused(409, "DENIED", "immutable")).await;
    let reason = json!({"reason": "a secret in it", "purge": false}).to_string();
    registry.check(post(format!("{}/erase", tag("r1"))).body(reason), ok(200)).await;
    retire(&registry, policy).await;
    registry.check(put(tag("v2")).body(json!({"immutable": true}).to_string()), ok(201)).await;
    registry.check(put(tag("v2")).body(json!({"immutable": false}).to_string()), ok(201)).await;
    registry.check(delete(format!("/v2/acme/team/tool/manifests/{}", three.digest)), ok(202)).await;
    registry.check(delete("/api/v1/repository/lib"), ok(204)).await;
    expire(&registry).await;
    prune(&registry).await;
    registry.restarted().await
}

async fn expire(registry: &Registry) {
    let seconds = registry.now().0 / 1_000_000 + 3_600;
    let body = json!({"expiration": seconds}).to_string();
    registry.check(put(format!("/api/v1/repository/{REPO}/tag/v2")).body(body), ok(201)).await;
    let before = registry.standing();
    registry.let_pass(Duration::from_secs(7_200));
    registry.expire();
    registry.changed_since(&before).await;
}

async fn prune(registry: &Registry) {
    let sample = push_named(registry, "acme/nightly", "n1", "seven").await;
    for tag in ["n2", "n3"] {
        sample.push(registry, "acme/nightly", tag).await;
    }
    let rule = Rule::Prune { method: PruneMethod::NumberOfTags(1), pattern: None };
    let scope = Scope::Namespace("acme".parse().unwrap());
    registry.commit(Command::CreatePolicy(Box::new(CreatePolicy { policy: PRUNING, scope, rule, draft: false }))).await;
    registry.check(post(format!("/api/v1/organization/acme/autoprunepolicy/{PRUNING}/run")), ok(200)).await;
}

/// Every event, the oldest first.
pub(crate) async fn all(registry: &Registry) -> Vec<Value> {
    let page = registry.check(get(format!("{EVENTS}?order=asc")), ok(200)).await.json();
    assert!(page.get("next").is_none(), "there are more than one page");
    page["events"].as_array().unwrap().clone()
}

/// All events of a registry with more than a page of them, the oldest first.
pub(crate) async fn every(registry: &Registry) -> Vec<Value> {
    let (mut events, mut next) = (Vec::new(), String::new());
    loop {
        let page = registry.check(get(format!("{EVENTS}?order=asc{next}")), ok(200)).await.json();
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        let Some(token) = page.get("next") else { return events };
        next = format!("&next={}", token.as_str().unwrap());
    }
}

/// `<seq>.<index>`
pub(crate) fn id(event: &Value) -> String {
    format!("{}.{}", event["seq"], event["index"])
}

/// Whether a filter selects an event, judged by what the event says.
pub(crate) fn selected(event: &Value, filters: &[(&str, &str)]) -> bool {
    let parts = ["entries", "contents"].iter().filter_map(|list| event[*list].as_array()).flatten();
    let mut parts: Vec<_> = parts.collect();
    parts.push(event);
    filters.iter().all(|filter| holds(event, *filter))
        && parts.iter().any(|part| filters.iter().all(|filter| concerns(event, part, *filter)))
}

/// The filters that look at the event as a whole.
fn holds(event: &Value, (name, value): (&str, &str)) -> bool {
    let seq = event["seq"].as_u64().unwrap();
    let time = event["time"].as_str().unwrap();
    match name {
        "kind" | "cause" => event[name] == value,
        // The same number of digits, in UTC: the order of the texts is that of the instants.
        "since" => time >= value,
        "until" => time < value,
        "from_seq" => seq >= value.parse().unwrap(),
        "to_seq" => seq <= value.parse().unwrap(),
        _ => true,
    }
}

/// The filters that look at one thing that the event is about.
fn concerns(event: &Value, part: &Value, (name, value): (&str, &str)) -> bool {
    let text = |field: &str| part[field].as_str();
    match name {
        "repository" | "tag" => text(name) == Some(value),
        "namespace" => {
            text("repository").is_some_and(|repository| repository.starts_with(&format!("{value}/")))
                || (text("namespace").is_some_and(|other| other == value || other.starts_with(&format!("{value}/"))))
        }
        "digest" => ["digest", "from", "to"].iter().any(|field| text(field) == Some(value)),
        "actor" => [event, part].iter().any(|part| {
            let (kind, name) = (part["actor"]["kind"].as_str(), part["actor"]["name"].as_str());
            name == Some(value) || kind.zip(name).is_some_and(|(kind, name)| format!("{kind}:{name}") == value)
        }),
        _ => true,
    }
}
