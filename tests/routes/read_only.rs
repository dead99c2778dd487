//! A registry whose disk has failed under a write: it reads on, and every write is refused until a restart.

use serde_json::json;
use tagstone_schema::media_type::OCI_INDEX;

use crate::case::{case, ok, refused};
use crate::registry::{Registry, run};
use crate::request::{delete, get, head, patch, post, put};
use crate::samples::{REPO, named_image, push_named, sha256};
use crate::uploads;

#[test]
fn after_a_failed_write_everything_can_still_be_read() {
    run(async {
        let registry = Registry::start().await;
        let sample = push_named(&registry, REPO, "v1", "one").await;
        registry.check(get("/readyz"), ok(200).bytes("ready\n")).await;
        let session = uploads::open(&registry, REPO).await;
        registry.fail_writes();
        let read_only = || refused(503, "DENIED", "read-only").says("restart").detail(json!({"reason": "READ_ONLY"}));
        let manifest = |reference: &str| format!("/v2/{REPO}/manifests/{reference}");
        let other = named_image("other");
        for _ in 0..2 {
            registry
                .check_all([
                    case(
                        put(manifest("v1")).with("content-type", other.media_type).body(other.bytes.clone()),
                        read_only(),
                    ),
                    case(
                        put(manifest("v1")).with("content-type", OCI_INDEX).body(r#"{"schemaVersion":2}"#),
                        read_only(),
                    ),
                    case(delete(manifest("v1")), read_only()),
                    case(delete(manifest(&sample.digest)), read_only()),
                    case(post(format!("/v2/{REPO}/blobs/uploads/?digest={}", sha256("x"))).body("x"), read_only()),
                    case(post(format!("/v2/acme/other/blobs/uploads/?mount={}", sha256("{}"))), read_only()),
                    // What would only lead to a write is not begun: the client would send a layer for nothing.
                    case(post(format!("/v2/{REPO}/blobs/uploads/")), read_only()),
                    case(patch(&*session).body("x"), read_only()),
                    case(uploads::finish(&session, &sha256("x")).body("x"), read_only()),
                    case(get(&*session), ok(204)),
                    case(post("/api/v1/collect"), refused(503, "read_only", "restart")),
                    case(get(manifest("v1")), ok(200).bytes(sample.bytes.clone())),
                    case(head(manifest(&sample.digest)), ok(200)),
                    case(get(format!("/v2/{REPO}/tags/list")), ok(200).json(json!({"name": REPO, "tags": ["v1"]}))),
                    case(get(format!("/v2/{REPO}/blobs/{}", sha256("{}"))), ok(200).bytes("{}")),
                    case(get("/healthz"), ok(200).bytes("ok\n")),
                ])
                .await;
        }
        let ready = registry.probe("/readyz").await;
        assert_eq!(ready.status, 503);
        assert!(ready.body.starts_with(b"read-only:"), "{:?}", ready.body);
        let metrics = registry.send(get("/metrics")).await.body;
        let line = "tagstone_writer_poisoned 1";
        assert!(std::str::from_utf8(&metrics).unwrap().lines().any(|own| own == line), "{line:?} is missing");
    });
}
