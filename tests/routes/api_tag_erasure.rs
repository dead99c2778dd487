//! Break-glass through the REST API.

use serde_json::{Value, json};
use tagstone_schema::Event;

use crate::case::{case, ok, refused};
use crate::policy::{lock, protect};
use crate::registry::{Registry, run};
use crate::request::{Request, delete, get, post};
use crate::samples::{REPO, push_named};

fn erase(tag: &str, body: &Value) -> Request {
    post(format!("/api/v1/repository/{REPO}/tag/{tag}/erase")).body(body.to_string())
}

#[test]
fn an_immutable_tag_is_erased_for_a_reason() {
    run(async {
        let registry = Registry::start().await;
        let one = push_named(&registry, REPO, "v1", "one").await;
        protect(&registry, "v.*").await;
        lock(&registry, "v1").await;
        let seq = registry.standing().seq + 1;
        registry
            .check_all([
                case(
                    erase("v1", &json!({"reason": "  CVE-2026-1234 ", "purge": false})),
                    ok(200).json(json!({"tag": "v1", "was": one.digest, "seq": seq})),
                ),
                case(get(format!("/v2/{REPO}/manifests/v1")), refused(404, "MANIFEST_UNKNOWN", &*one.digest)),
                case(erase("v1", &json!({"reason": "again"})), refused(404, "not_found", "tag v1 is not in")),
                // Nothing holds the manifest any more.
                case(delete(format!("/v2/{REPO}/manifests/{}", one.digest)), ok(202)),
            ])
            .await;
        let records = registry.records();
        let reasons: Vec<_> = records
            .iter()
            .flat_map(|record| &record.events)
            .filter_map(|event| match event {
                Event::TagErased { reason, .. } => Some(reason.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(reasons, ["CVE-2026-1234"]);
    });
}

#[test]
fn what_is_not_erased() {
    run(async {
        let registry = Registry::start().await;
        push_named(&registry, REPO, "v1", "one").await;
        protect(&registry, "v.*").await;
        let invalid = |says: &'static str| refused(400, "invalid_request", says);
        for (body, answer) in [
            (json!({}), invalid("missing field `reason`")),
            (json!({"reason": null}), invalid("`reason`")),
            (json!({"reason": ""}), invalid("a reason is needed")),
            (json!({"reason": " \n"}), invalid("a reason is needed")),
            (json!({"reason": "x".repeat(1_025)}), invalid("1 to 1024 bytes")),
            (json!({"reason": "", "purge": true}), invalid("a reason is needed")),
            (json!({"reason": "a leak", "purge": "no"}), invalid("`purge`")),
        ] {
            registry.check(erase("v1", &body), answer).await;
        }
        registry
            .check_all([
                case(erase("v2", &json!({"reason": "a leak"})), refused(404, "not_found", "tag v2 is not in")),
                case(
                    post("/api/v1/repository/nobody/here/tag/v1/erase").body(r#"{"reason": "a leak"}"#),
                    refused(404, "not_found", "repository nobody/here"),
                ),
                case(get(format!("/v2/{REPO}/manifests/v1")), ok(200)),
            ])
            .await;
    });
}
