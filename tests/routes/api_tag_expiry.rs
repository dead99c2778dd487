//! Ending tags now, in the words of Quay.

use serde_json::{Value, json};

use crate::case::{case, ok, refused};
use crate::policy::protect;
use crate::registry::{Registry, run};
use crate::request::{Request, get, post};
use crate::samples::{REPO, push_named, unknown_digest};

fn expire(tag: &str, body: &Value) -> Request {
    post(format!("/api/v1/repository/{REPO}/tag/{tag}/expire")).body(body.to_string())
}

#[test]
fn a_live_tag_ends_now() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "a", "one").await;
        one.push(&registry, REPO, "b").await;
        let deleted =
            |tag: &str, seq| ok(200).json(json!({"deleted": [{"tag": tag, "digest": one.digest}], "seq": seq}));
        let seq = registry.standing().seq;
        let alive = json!({"manifest_digest": one.digest, "include_submanifests": true, "is_alive": true});
        registry
            .check_all([
                case(expire("a", &alive), deleted("a", seq + 1)),
                // As the interface of Quay sends it.
                case(expire("b", &json!({"include_submanifests": true, "is_alive": true})), deleted("b", seq + 2)),
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": []}))),
                case(get(format!("/v2/{REPO}/manifests/{}", one.digest)), ok(200)),
                case(expire("a", &alive), refused(404, "not_found", "tag a of repository").says("does not exist")),
            ])
            .await;
    });
}

#[test]
fn an_immutable_tag_does_not_end() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        protect(&registry, "v.*").await;
        for is_alive in [true, false] {
            for digest in [one.digest.clone(), unknown_digest()] {
                let body = json!({"manifest_digest": digest, "include_submanifests": false, "is_alive": is_alive});
                registry
                    .check(expire("v1", &body), refused(409, "tag_immutable", "Cannot delete immutable tag 'v1'"))
                    .await;
            }
        }
        registry.check(get(format!("/v2/{REPO}/manifests/v1")), ok(200).bytes(one.bytes)).await;
    });
}

#[test]
fn of_what_is_gone_nothing_can_end() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        let other = unknown_digest();
        let digest = json!({"manifest_digest": one.digest});
        let invalid = |says: &'static str| refused(400, "invalid_request", says);
        registry
            .check_all([
                case(
                    expire("v1", &json!({"manifest_digest": other, "is_alive": true})),
                    refused(404, "not_found", format!("points at {}", one.digest)).field("digest", json!(one.digest)),
                ),
                case(expire("v1", &digest), refused(404, "not_found", "say `is_alive`")),
                case(expire("v2", &digest), refused(404, "not_found", "nothing is left to expire")),
                case(expire("v1", &json!({})), invalid("`manifest_digest` is missing")),
                case(expire("v1", &json!({"manifest_digest": "v1"})), invalid("`manifest_digest`")),
                case(expire("v1", &json!({"is_alive": 1})), invalid("`is_alive`")),
                case(expire("v1", &json!({"image": "x"})), invalid("unknown field `image`")),
                case(
                    post("/api/v1/repository/nobody/here/tag/v1/expire").body(digest.to_string()),
                    refused(404, "not_found", "repository nobody/here"),
                ),
                case(get(format!("/v2/{REPO}/manifests/v1")), ok(200)),
            ])
            .await;
    });
}
