//! Changing and restoring tags through the REST API.

use serde_json::{Value, json};
use tagstone_schema::{Event, Timestamp};

use crate::case::{Answer, case, ok, refused};
use crate::policy::{lock, protect, retire};
use crate::registry::{Registry, run};
use crate::request::{Request, get, post, put};
use crate::samples::{REPO, named_image, push_blob, push_named, unknown_digest};

fn change(tag: &str, body: &Value) -> Request {
    put(format!("/api/v1/repository/{REPO}/tag/{tag}")).body(body.to_string())
}

fn restore(tag: &str, body: &Value) -> Request {
    post(format!("/api/v1/repository/{REPO}/tag/{tag}/restore")).body(body.to_string())
}

fn now(tag: &str, digest: &str, immutable: bool, locked: bool) -> Value {
    json!({"tag": tag, "digest": digest, "immutable": immutable, "locked": locked})
}

fn immutable(does: &str) -> Answer {
    refused(409, "tag_immutable", does).field("repository", json!(REPO))
}

#[test]
fn a_tag_is_locked_moved_and_unlocked() {
    run(async {
        let registry = Registry::start().await;
        let (one, two) =
            (push_named(&registry, REPO, "v1", "one").await, push_named(&registry, REPO, "v2", "two").await);
        let to_two = json!({"manifest_digest": two.digest});
        registry
            .check_all([
                case(change("v1", &json!({"immutable": true})), ok(201).json(now("v1", &one.digest, true, true))),
                case(change("v1", &json!({"immutable": true})), ok(201).json(now("v1", &one.digest, true, true))),
                case(change("v1", &to_two), immutable("Cannot overwrite immutable tag 'v1'")),
                case(restore("v1", &to_two), immutable("Cannot overwrite immutable tag 'v1'")),
                // Where it points already it may point.
                case(change("v1", &json!({"manifest_digest": one.digest})), ok(201)),
                case(restore("v1", &json!({"manifest_digest": one.digest})), ok(200)),
                // Unlocked and moved in one.
                case(
                    change("v1", &json!({"manifest_digest": two.digest, "immutable": false})),
                    ok(201).json(now("v1", &two.digest, false, false)),
                ),
                case(
                    restore("v1", &json!({"manifest_digest": one.digest})),
                    ok(200).json(now("v1", &one.digest, false, false)),
                ),
                // Made and locked in one.
                case(
                    change("v3", &json!({"manifest_digest": two.digest, "immutable": true})),
                    ok(201).json(now("v3", &two.digest, true, true)),
                ),
                case(restore("v4", &to_two), ok(200).json(now("v4", &two.digest, false, false))),
            ])
            .await;
        let records = registry.records();
        let kinds: Vec<Vec<_>> = records[records.len() - 5..]
            .iter()
            .map(|record| {
                record
                    .events
                    .iter()
                    .map(|event| json!(event).as_object().unwrap().keys().next().unwrap().clone())
                    .collect()
            })
            .collect();
        let (moved, locked, unlocked) = ("tag_moved", "tag_locked", "tag_unlocked");
        assert_eq!(kinds, [vec![locked], vec![unlocked, moved], vec![moved], vec![moved, locked], vec![moved]]);
    });
}

#[test]
fn expirations_are_written_in_several_ways() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        for (given, told) in [
            (json!(4_102_444_800_i64), json!("2100-01-01T00:00:00.000000Z")),
            (json!(4_102_444_800.5), json!("2100-01-01T00:00:00.500000Z")),
            (json!("2100-01-01T01:00:00+01:00"), json!("2100-01-01T00:00:00.000000Z")),
            (json!(253_402_207_200_i64), json!("9999-12-30T22:00:00.000000Z")),
            (json!(null), json!(null)),
        ] {
            let answer = registry.check(change("v1", &json!({"expiration": given})), ok(201)).await.json();
            assert_eq!(answer["expiration"], told, "{given}");
        }
        let records = registry.records();
        let events: Vec<_> = records.iter().flat_map(|record| &record.events).collect();
        // The third said the same as the first, but not as the second.
        let set = events.iter().filter(|event| matches!(event, Event::TagExpirySet { .. })).count();
        assert_eq!(set, 5);
        assert!(matches!(events.last(), Some(Event::TagExpirySet { at: None, .. })));
    });
}

#[test]
fn a_change_that_makes_no_sense() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        let Timestamp(micros) = registry.now();
        let invalid = |says: &'static str| refused(400, "invalid_request", says);
        let unknown = unknown_digest();
        for (body, answer) in [
            (json!({}), invalid("nothing is asked for")),
            (json!({"immutable": null, "manifest_digest": null}), invalid("nothing is asked for")),
            (json!({"immutable": "yes"}), invalid("`immutable` of the body is not right")),
            (json!({"immutible": true}), invalid("unknown field `immutible`")),
            (json!({"image": "x"}), invalid("unknown field `image`")),
            (json!({"expiration": 0}), invalid("which is over")),
            (json!({"expiration": -1e300}), invalid("which is over")),
            (json!({"expiration": micros / 1_000_000 - 1}), invalid("which is over")),
            (json!({"expiration": "2001-01-01T00:00:00Z"}), invalid("which is over")),
            (json!({"expiration": micros / 1_000}), invalid("not milliseconds")),
            (json!({"expiration": 1e300}), invalid("not milliseconds")),
            (json!({"expiration": "tomorrow"}), invalid("`tomorrow` is not an instant")),
            (json!({"expiration": true}), invalid("expected Unix seconds")),
            (json!({"expiration": [1]}), invalid("expected Unix seconds")),
            (json!({"manifest_digest": "v2"}), invalid("`manifest_digest`")),
            (json!({"manifest_digest": unknown}), refused(404, "not_found", &*unknown).field("digest", json!(unknown))),
            (
                json!({"immutable": true, "expiration": 4_102_444_800_i64}),
                immutable("Cannot set an expiration on immutable tag 'v1'"),
            ),
        ] {
            registry.check(change("v1", &body), answer).await;
        }
        let to_one = json!({"manifest_digest": one.digest});
        let elsewhere =
            |repository: &str| put(format!("/api/v1/repository/{repository}/tag/v1")).body(to_one.to_string());
        registry
            .check_all([
                case(
                    change("new", &json!({"immutable": true})),
                    refused(404, "not_found", "tag new").field("tags", json!(["new"])),
                ),
                case(change("new", &json!({"expiration": null})), refused(404, "not_found", "tag new")),
                case(change(".bad", &to_one), invalid("`.bad` is not a tag")),
                case(elsewhere("nobody/here"), refused(404, "not_found", "repository nobody/here")),
                case(elsewhere("as-of/seq-1/acme/app"), refused(405, "method_not_allowed", "shows the past")),
                case(restore("v1", &json!({})), invalid("missing field `manifest_digest`")),
                case(restore("v1", &json!({"manifest_digest": "v2"})), invalid("`manifest_digest`")),
                case(restore("v1", &json!({"manifest_digest": unknown})), refused(404, "not_found", &*unknown)),
            ])
            .await;
    });
}

#[test]
fn a_policy_protects_whatever_the_lock() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        lock(&registry, "v1").await;
        let policy = protect(&registry, "v.*").await;
        let expire = json!({"expiration": 4_102_444_800_i64});
        registry
            .check_all([
                case(change("v1", &json!({"immutable": false})), ok(201).json(now("v1", &one.digest, true, false))),
                case(change("v1", &expire), immutable("Cannot set an expiration").field("status", json!(409))),
            ])
            .await;
        retire(&registry, policy).await;
        registry.check(change("v1", &expire), ok(201)).await;
    });
}

#[test]
fn a_spent_name_comes_back_only_as_what_it_was() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        lock(&registry, "v1").await;
        let two = named_image("two");
        two.push(&registry, REPO, &two.digest).await;
        push_blob(&registry, REPO, "{}").await;
        let erase =
            post(format!("/api/v1/repository/{REPO}/tag/v1/erase")).body(json!({"reason": "a leak"}).to_string());
        registry.check(erase, ok(200)).await;
        let to_two = json!({"manifest_digest": two.digest});
        let spent = || refused(409, "tag_spent", &*one.digest).field("repository", json!(REPO));
        registry
            .check_all([
                case(change("v1", &to_two), spent()),
                case(restore("v1", &to_two), spent()),
                case(
                    restore("v1", &json!({"manifest_digest": one.digest})),
                    ok(200).json(now("v1", &one.digest, false, false)),
                ),
                case(get(format!("/v2/{REPO}/manifests/v1")), ok(200).bytes(one.bytes.clone())),
            ])
            .await;
    });
}
