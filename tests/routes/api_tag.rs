//! Deleting tags through the REST API.

use serde_json::json;
use tagstone_schema::Event;
use tagstone_schema::event::DeletionCause;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get};
use crate::samples::{REPO, push_named, unknown_digest};

fn tag(repository: &str, tag: &str) -> String {
    format!("/api/v1/repository/{repository}/tag/{tag}")
}

#[test]
fn a_tag_goes_and_its_manifest_stays() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        for (other, path) in [("v2", tag(REPO, "v2/")), ("v3", tag("acme%2Fapp", "v%33"))] {
            sample.push(&registry, REPO, other).await;
            registry.check(delete(path), ok(204).empty().without("content-type")).await;
        }
        registry
            .check_all([
                case(delete(tag(REPO, "v1")).body("{}"), ok(204).empty()),
                case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": []}))),
                case(get(format!("/v2/{REPO}/manifests/{}", sample.digest)), ok(200).bytes(sample.bytes.clone())),
                case(
                    delete(tag(REPO, "v1")),
                    refused(404, "not_found", format!("tag v1 is not in repository {REPO}"))
                        .field("repository", json!(REPO))
                        .field("tags", json!(["v1"])),
                ),
            ])
            .await;
        let records = registry.records();
        let Some(Event::TagsDeleted { tags, cause, .. }) = records.last().and_then(|record| record.events.last())
        else {
            panic!("no tag was deleted: {records:?}");
        };
        assert_eq!((tags[0].tag.as_str(), tags[0].was.to_string()), ("v1", sample.digest));
        assert_eq!(*cause, DeletionCause::Request);
    });
}

#[test]
fn names_that_look_like_resources() {
    run(async {
        let registry = Registry::start().await;
        for repository in ["tag", "a/tag/x", "tags/delete", "repository", "acme/immutabilitypolicy", "registry/log"] {
            for name in ["v1", "tag", "delete"] {
                push_named(&registry, repository, name, "one").await;
                registry.check(delete(tag(repository, name)), ok(204)).await;
                registry
                    .check(get(format!("/v2/{repository}/manifests/{name}")), refused(404, "MANIFEST_UNKNOWN", ""))
                    .await;
            }
        }
    });
}

#[test]
fn what_cannot_be_deleted() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        let other = unknown_digest();
        registry
            .check_all([
                case(
                    delete(tag("nobody/here", "v1")),
                    refused(404, "not_found", "repository nobody/here").field("repository", json!("nobody/here")),
                ),
                case(delete(tag("Acme", "v1")), refused(400, "invalid_request", "`Acme` is not a repository name")),
                case(delete(tag("acme/", "v1")), refused(400, "invalid_request", "is not a repository name")),
                case(delete(tag(REPO, ".bad")), refused(400, "invalid_request", "`.bad` is not a tag")),
                case(
                    delete(tag(REPO, "v1")).with("if-match", format!("\"{other}\"")),
                    refused(412, "precondition_failed", "nothing was written")
                        .field("reference", json!("v1"))
                        .field("digest", json!(sample.digest)),
                ),
                case(
                    delete(tag(REPO, "v1")).with("if-match", "*").with("if-none-match", "*"),
                    refused(400, "invalid_request", "either If-Match or If-None-Match"),
                ),
                case(
                    delete(tag("as-of/seq-1/acme/app", "v1")),
                    refused(405, "method_not_allowed", "shows the past").header("allow", "GET, HEAD"),
                ),
            ])
            .await;
        registry.fail_writes();
        for _ in 0..2 {
            registry.check(delete(tag(REPO, "v1")), refused(503, "read_only", "restart").without("retry-after")).await;
        }
    });
}

#[test]
fn a_tag_that_points_where_it_is_said_to_is_deleted() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        registry.check(delete(tag(REPO, "v1")).with("if-match", format!("\"{}\"", sample.digest)), ok(204)).await;
    });
}
