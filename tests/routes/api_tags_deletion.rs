//! Several tags deleted at once, and whole repositories, through the REST API.

use serde_json::{Value, json};
use tagstone_schema::Event;

use crate::case::{case, ok, refused};
use crate::policy::{protect, retire};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, post};
use crate::samples::{REPO, named_image, push_blob, push_named};

fn delete_tags(body: &Value) -> Request {
    post(format!("/api/v1/repository/{REPO}/tags/delete")).body(body.to_string())
}

/// The tags that a refusal names.
fn named(error: &Value) -> Vec<&str> {
    error["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().or(tag.as_str()).unwrap()).collect()
}

#[test]
fn tags_are_deleted_together() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "a", "one").await;
        let two = push_named(&registry, REPO, "b", "two").await;
        one.push(&registry, REPO, "c").await;
        let seq = registry.standing().seq + 1;
        let deleted = json!([{"tag": "a", "digest": one.digest}, {"tag": "b", "digest": two.digest}]);
        registry
            .check_all([
                case(
                    delete_tags(&json!({"tags": ["b", "a", "b"]})),
                    ok(200).json(json!({"deleted": deleted, "seq": seq})),
                ),
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": ["c"]}))),
                case(get(format!("/v2/{REPO}/manifests/{}", two.digest)), ok(200)),
            ])
            .await;
        let records = registry.records();
        let [Event::TagsDeleted { tags, .. }] = records.last().unwrap().events.as_slice() else { panic!() };
        assert_eq!(tags.len(), 2);
    });
}

#[test]
fn all_or_none_are_deleted() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        for tag in ["v2", "latest", "edge"] {
            sample.push(&registry, REPO, tag).await;
        }
        let policy = protect(&registry, "v.*").await;
        let protected = || refused(409, "tag_immutable", "Cannot delete immutable tags 'v1', 'v2'");
        for tags in [json!(["latest", "v2", "edge", "v1"]), json!(["nothing", "v2", "v1"])] {
            let error = registry.check(delete_tags(&json!({"tags": tags})), protected()).await.json();
            assert_eq!(named(&error), ["v1", "v2"]);
            assert_eq!(error["tags"][0]["reasons"][0]["policy"], json!(policy));
        }
        let unknown = refused(404, "not_found", "nothing was deleted");
        let error = registry.check(delete_tags(&json!({"tags": ["x", "latest", "o", "x"]})), unknown).await.json();
        assert_eq!(named(&error), ["o", "x"]);
        let all = json!({"name": REPO, "tags": ["edge", "latest", "v1", "v2"]});
        registry.check(get(format!("/v2/{REPO}/tags/list")), ok(200).json(all)).await;
        registry.check(delete_tags(&json!({"tags": ["latest"]})), ok(200)).await;
    });
}

#[test]
fn what_cannot_be_asked_for() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        let invalid = |says: &'static str| refused(400, "invalid_request", says);
        for (body, answer) in [
            (json!({}), invalid("missing field `tags`")),
            (json!({"tags": []}), invalid("names no tag")),
            (json!({"tags": "v1"}), invalid("`tags` of the body")),
            (json!({"tags": ["v1", 2]}), invalid("`tags[1]`")),
            (json!({"tags": ["v1", ".bad"]}), invalid("`.bad` is not a tag")),
            (json!({"tags": ["v1"], "force": true}), invalid("unknown field `force`")),
        ] {
            registry.check(delete_tags(&body), answer).await;
        }
        let elsewhere = post("/api/v1/repository/nobody/here/tags/delete").body(r#"{"tags": ["v1"]}"#);
        registry.check(elsewhere, refused(404, "not_found", "repository nobody/here")).await;
        let long: Vec<_> = (0..300_000).map(|n| n.to_string()).collect();
        registry.check(delete_tags(&json!({"tags": long})), refused(413, "too_large", "bytes that are allowed")).await;
    });
}

#[test]
fn what_does_not_fit_into_one_record_is_refused() {
    run(async {
        let registry = Registry::start().await;
        push_blob(&registry, REPO, "{}").await;
        let sample = named_image("one");
        let tags: Vec<_> = (0..500).map(|n| format!("{n:0>128}")).collect();
        for some in tags.chunks(50) {
            let query: Vec<_> = some.iter().map(|tag| format!("tag={tag}")).collect();
            sample.push(&registry, REPO, &format!("{}?{}", sample.digest, query.join("&"))).await;
        }
        let too_large = refused(413, "too_large", "does not fit into one record").says("name fewer tags");
        registry.check(delete_tags(&json!({"tags": tags})), too_large).await;
        let reply = registry.check(delete_tags(&json!({"tags": tags[..400]})), ok(200)).await.json();
        assert_eq!(reply["deleted"].as_array().unwrap().len(), 400);
    });
}

#[test]
fn a_repository_goes_with_everything_in_it_or_not_at_all() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        sample.push(&registry, REPO, "latest").await;
        let policy = protect(&registry, "v.*").await;
        let path = format!("/api/v1/repository/{REPO}");
        let error = registry
            .check(delete(&*path), refused(409, "tag_immutable", format!("Cannot delete repository '{REPO}'")))
            .await
            .json();
        assert_eq!(named(&error), ["v1"]);
        retire(&registry, policy).await;
        registry
            .check_all([
                case(delete(&*path), ok(204).empty()),
                case(
                    delete(&*path),
                    refused(404, "not_found", format!("repository {REPO}")).field("repository", json!(REPO)),
                ),
                case(get(format!("/v2/{REPO}/tags/list")), refused(404, "NAME_UNKNOWN", REPO)),
                case(
                    delete("/api/v1/repository/Bad"),
                    refused(400, "invalid_request", "`Bad` is not a repository name"),
                ),
                case(delete("/api/v1/repository/as-of/seq-1/a"), refused(405, "method_not_allowed", "shows the past")),
            ])
            .await;
    });
}
