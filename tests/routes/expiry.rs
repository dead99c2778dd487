//! Tags that expire: gone from every answer at once, and kept where they are protected.

use std::time::Duration;

use serde_json::{Value, json};
use tagstone_schema::event::{DeletionCause, EndedTag};
use tagstone_schema::{ActorKind, Event};

use crate::case::{case, ok, refused};
use crate::policy::{lock, protect, retire};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, head, post, put};
use crate::samples::{REPO, named_image, push_named};

const HOUR: Duration = Duration::from_secs(3_600);

fn manifest(reference: &str) -> String {
    format!("/v2/{REPO}/manifests/{reference}")
}

fn tag(path: &str) -> String {
    format!("/api/v1/repository/{REPO}/tag/{path}")
}

/// Lets a tag expire an hour from now, and tells when that is.
async fn expire_in_an_hour(registry: &Registry, name: &str) -> String {
    let seconds = registry.now().0 / 1_000_000 + 3_600;
    let body = json!({"expiration": seconds}).to_string();
    let told = registry.check(put(tag(name)).body(body), ok(201)).await.json();
    told["expiration"].as_str().unwrap().to_owned()
}

fn body(request: Request, body: &Value) -> Request {
    request.body(body.to_string())
}

#[test]
fn an_expired_tag_is_gone_from_every_answer_at_once() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        sample.push(&registry, REPO, "kept").await;
        let expires = expire_in_an_hour(&registry, "v1").await;
        registry
            .check_all([
                case(
                    get(manifest("v1")),
                    ok(200).header("tagstone-tag-expires", &*expires).header("tagstone-tag-outlives-expiry", "false"),
                ),
                case(
                    get(manifest("kept")),
                    ok(200).without("tagstone-tag-expires").without("tagstone-tag-outlives-expiry"),
                ),
            ])
            .await;
        registry.let_pass(HOUR);
        let before = registry.standing();
        let unknown = || refused(404, "MANIFEST_UNKNOWN", format!("tag v1 is not in repository {REPO}"));
        registry
            .check_all([
                case(get(manifest("v1")), unknown()),
                case(head(manifest("v1")), unknown()),
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": ["kept"]}))),
                case(get(tag("v1/why")), ok(200).json(json!({"protected": false, "spent": false, "reasons": []}))),
                case(get(manifest(&sample.digest)), ok(200)),
            ])
            .await;
        let table = registry.check(get(format!("/v2/{REPO}/_tagstone/tags")), ok(200)).await.json();
        assert_eq!(table["tags"].as_object().unwrap().keys().collect::<Vec<_>>(), ["kept"]);
        assert_eq!(registry.standing(), before, "reading writes nothing");
        // The record comes without any request.
        registry.expire();
        registry.changed_since(&before).await;
        let records = registry.records();
        let last = records.last().unwrap();
        let ended = vec![EndedTag { tag: "v1".parse().unwrap(), was: sample.digest.parse().unwrap() }];
        let event = Event::TagsDeleted { repository: REPO.parse().unwrap(), tags: ended, cause: DeletionCause::Expiry };
        assert_eq!((last.events.as_slice(), last.actor.kind), ([event].as_slice(), ActorKind::System));
    });
}

#[test]
fn an_expired_tag_is_gone_for_whoever_writes() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "a", "one").await;
        for name in ["b", "c"] {
            sample.push(&registry, REPO, name).await;
        }
        for name in ["a", "b", "c"] {
            expire_in_an_hour(&registry, name).await;
        }
        registry.let_pass(HOUR);
        // The first write ends them all, so that no refusal below has a record to write.
        sample.push(&registry, REPO, "other").await;
        let digest = json!({"manifest_digest": sample.digest});
        registry
            .check_all([
                case(body(put(tag("a")), &json!({"immutable": true})), refused(404, "not_found", "tag a is not in")),
                case(delete(tag("a")), refused(404, "not_found", "tag a is not in")),
                case(body(post(tag("a/erase")), &json!({"reason": "x"})), refused(404, "not_found", "tag a is not in")),
                case(
                    body(post(format!("/api/v1/repository/{REPO}/tags/delete")), &json!({"tags": ["other", "c"]})),
                    refused(404, "not_found", ": c;"),
                ),
                case(body(post(tag("a/restore")), &digest), ok(200)),
                case(body(put(tag("b")), &digest), ok(201)),
                // The expiry was the earlier tag's, and not the name's.
                case(get(manifest("a")), ok(200).without("tagstone-tag-expires")),
                case(get(manifest("b")), ok(200).without("tagstone-tag-expires")),
                case(
                    put(manifest("c"))
                        .with("content-type", sample.media_type)
                        .with("if-none-match", "*")
                        .body(sample.bytes.clone()),
                    ok(201),
                ),
            ])
            .await;
    });
}

#[test]
fn a_protected_tag_outlives_its_expiry() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        sample.push(&registry, REPO, "held").await;
        let expires = expire_in_an_hour(&registry, "v1").await;
        let held_expires = expire_in_an_hour(&registry, "held").await;
        let policy = protect(&registry, "v.*").await;
        lock(&registry, "held").await;
        registry.let_pass(HOUR);
        registry.expire();
        let outlives = |expires: &str| {
            ok(200)
                .header("tagstone-tag-immutable", "true")
                .header("tagstone-tag-expires", expires)
                .header("tagstone-tag-outlives-expiry", "true")
        };
        registry
            .check_all([
                case(get(manifest("v1")), outlives(&expires)),
                case(head(manifest("held")), outlives(&held_expires)),
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": ["held", "v1"]}))),
                case(
                    body(put(tag("v1")), &json!({"expiration": (registry.now().0 / 1_000_000) + 60})),
                    refused(409, "tag_immutable", "Cannot set an expiration on immutable tag 'v1'"),
                ),
            ])
            .await;
        let table = registry.check(get(format!("/v2/{REPO}/_tagstone/tags")), ok(200)).await.json();
        let entry = &table["tags"]["v1"];
        assert_eq!((&entry["expires"], &entry["outlivesExpiry"]), (&json!(expires), &json!(true)));
        // Without the policy its time has come. It was protected, so its name is spent.
        retire(&registry, policy).await;
        let told = refused(404, "MANIFEST_UNKNOWN", &*sample.digest);
        let spent = registry.check(get(manifest("v1")), told).await.error()["detail"].clone();
        assert_eq!((&spent["reason"], &spent["removed"]), (&json!("TAG_SPENT"), &json!(expires)));
        let why = registry.check(get(tag("v1/why")), ok(200)).await.json();
        let reason = json!([{"kind": "spent", "since": expires}]);
        assert_eq!(
            (&why["protected"], &why["reasons"], &why["only_digest"]),
            (&json!(false), &reason, &json!(sample.digest))
        );
        // As soon as it is recorded, the record is told.
        named_image("two").push(&registry, REPO, "other").await;
        let why = registry.check(get(tag("v1/why")), ok(200)).await.json();
        assert_eq!(why["reasons"][0]["seq"], registry.standing().seq - 1);
        registry.check(head(manifest("held")), outlives(&held_expires)).await;
    });
}

#[test]
fn an_expiry_that_is_taken_back_never_comes() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        expire_in_an_hour(&registry, "v1").await;
        registry.check(body(put(tag("v1")), &json!({"expiration": null})), ok(201)).await;
        registry.let_pass(HOUR);
        registry.check(get(manifest("v1")), ok(200).without("tagstone-tag-expires")).await;
    });
}
